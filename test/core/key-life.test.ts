import { describe, expect, test } from 'vitest';
import { hashKey, type KeyRules } from '../../src/core/api-key.ts';
import { isWidened, rotateKey, statusOf } from '../../src/core/key-life.ts';
import type { StoredKey } from '../../src/core/records.ts';
import { NOW } from './build.ts';

const DAY_MS = 86_400_000;
const NO_RULES: KeyRules = { warnMs: 0 };
const CATALOGUE = new Set(['a:read', 'a:write', 'b:read']);
const at = (timeMs: number) => new Date(timeMs).toISOString();

const KEY: StoredKey = {
  id: 'k',
  name: 'k',
  kind: 'service',
  prefix: 'pst_',
  key_prefix: 'pst_ab',
  scopes: ['a:read'],
  roles: ['viewer'],
  hide_credentials: false,
  status: 'active',
  created_at: at(NOW - 10 * DAY_MS),
  created_by: 'admin',
  updated_at: at(NOW - 10 * DAY_MS),
  rotated_at: at(NOW - 10 * DAY_MS),
  secrets: [{ hash: hashKey('one'), key_prefix: 'pst_ab' }],
};
const TWO = { hash: hashKey('two'), key_prefix: 'pst_cd' };

describe('the old secret of a rotation ends', () => {
  test.each([
    ['now, without grace', {}, NO_RULES, 0, NOW],
    ['with the grace', {}, NO_RULES, 5000, NOW + 5000],
    ['with the end that the key had', { expires_at: at(NOW + 3000) }, NO_RULES, 5000, NOW + 3000],
    [
      'with the end that the rules gave it',
      {},
      { warnMs: 0, rotateEveryMs: 10 * DAY_MS + 2000 },
      5000,
      NOW + 2000,
    ],
    ['with its greatest age', {}, { warnMs: 0, maxAgeMs: 10 * DAY_MS + 1000 }, 5000, NOW + 1000],
    ['now, when the key had ended', { expires_at: at(NOW - 1) }, NO_RULES, 5000, NOW],
  ] as const)('%s', (...[, more, rules, graceMs, untilMs]) => {
    const rotation = { secret: TWO, nowMs: NOW, graceMs, expiresAt: undefined };
    const rotated = rotateKey({ ...KEY, ...more }, rotation, rules);
    expect(rotated.secrets).toEqual([TWO, { ...KEY.secrets[0], until: at(untilMs) }]);
    expect(rotated).toMatchObject({
      key_prefix: 'pst_cd',
      rotated_at: at(NOW),
      updated_at: at(NOW),
    });
  });
});

test('a key keeps two secrets at most, the newest first', () => {
  const turn = (key: StoredKey, text: string) => {
    const secret = { hash: hashKey(text), key_prefix: 'pst_' };
    return rotateKey(key, { secret, nowMs: NOW, graceMs: DAY_MS }, NO_RULES);
  };
  const thrice = turn(turn(turn(KEY, 'two'), 'three'), 'four');
  expect(thrice.secrets.map((one) => one.hash)).toEqual([hashKey('four'), hashKey('three')]);
});

test('a key is expired from the very millisecond of its end, and only while it is active', () => {
  const key = { ...KEY, expires_at: at(NOW) };
  expect(statusOf(key, NO_RULES, NOW - 1)).toBe('active');
  expect(statusOf(key, NO_RULES, NOW)).toBe('expired');
  expect(statusOf({ ...key, status: 'disabled' }, NO_RULES, NOW)).toBe('disabled');
  expect(statusOf({ ...key, status: 'revoked' }, NO_RULES, NOW)).toBe('revoked');
});

describe('a change widens a key', () => {
  const deny = { allow: ['a.example.com', 'b.example.com'], missing: 'deny' } as const;
  test.each<[string, Partial<StoredKey>, Partial<StoredKey>, boolean]>([
    ['another scope', {}, { scopes: ['a:read', 'b:read'] }, true],
    ['a wildcard for what it covers', {}, { scopes: ['a:*'] }, true],
    ['a scope of a wildcard that it had', { scopes: ['a:*'] }, { scopes: ['a:write'] }, false],
    ['no scope', {}, { scopes: [] }, false],
    ['another role', {}, { roles: ['editor'] }, true],
    ['no role', {}, { roles: [] }, false],
    ['another plan', {}, { plan: 'pro' }, true],
    ['another username', {}, { username: 'x' }, true],
    ['shown to upstream', { hide_credentials: true }, { hide_credentials: false }, true],
    ['hidden from upstream', {}, { hide_credentials: true }, false],
    ['no end', { expires_at: at(NOW) }, { expires_at: undefined }, true],
    ['a later end', { expires_at: at(NOW) }, { expires_at: at(NOW + 1) }, true],
    ['an earlier end', { expires_at: at(NOW) }, { expires_at: at(NOW - 1) }, false],
    ['an end', {}, { expires_at: at(NOW) }, false],
    ['addresses', {}, { allowed_ips: ['10.0.0.1'] }, false],
    ['another address', { allowed_ips: ['10.0.0.1'] }, { allowed_ips: ['10.0.0.2'] }, true],
    ['any address', { allowed_ips: ['10.0.0.1'] }, { allowed_ips: undefined }, true],
    ['fewer addresses', { allowed_ips: ['10.0.0.1', '10.0.0.2'] }, { allowed_ips: [] }, false],
    ['any route', { allowed_routes: ['x'] }, { allowed_routes: undefined }, true],
    ['referers', {}, { allowed_referers: ['a.example.com'] }, false],
    [
      'fewer referers',
      { allowed_referers: deny },
      { allowed_referers: { ...deny, allow: ['a.example.com'] } },
      false,
    ],
    [
      'referers that may be missing',
      { allowed_referers: deny },
      { allowed_referers: deny.allow },
      true,
    ],
    ['origins, which lets browsers in', {}, { allowed_origins: ['a.example.com'] }, true],
    [
      'fewer origins',
      { allowed_origins: deny },
      { allowed_origins: { ...deny, allow: [] } },
      false,
    ],
    ['a limit', {}, { rate_limit: { per_minute: 5 } }, false],
    ['a lower limit', { rate_limit: { per_minute: 5 } }, { rate_limit: { per_minute: 4 } }, false],
    ['a higher limit', { rate_limit: { per_minute: 5 } }, { rate_limit: { per_minute: 6 } }, true],
    ['no limit', { rate_limit: { per_minute: 5 } }, { rate_limit: undefined }, true],
    [
      'another window beside it',
      { rate_limit: { per_minute: 5 } },
      { rate_limit: { per_minute: 5, per_day: 9 } },
      false,
    ],
    [
      'a bucket that refills faster',
      { rate_limit: { per_minute: 60, burst: 5 } },
      { rate_limit: { per_second: 60, per_minute: 60, burst: 5 } },
      true,
    ],
    ['a description', {}, { description: 'y', metadata: { a: 1 } }, false],
    ['a name, which upstream is told as the username', {}, { name: 'x' }, true],
    ['a name beside a username', { username: 'u' }, { name: 'x' }, false],
    ['a name beside an owner', { owner: 'o' }, { name: 'x' }, false],
  ])('%s', (_, before, after, wanted) => {
    const key = { ...KEY, ...before };
    expect(isWidened(key, { ...key, ...after }, CATALOGUE)).toBe(wanted);
  });
});
