import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ApiKey,
  checksumOf,
  hashKey,
  judgeKey,
  mintKey,
  parseKey,
  parseKeyHash,
  shownPrefix,
} from '../../src/core/api-key.ts';
import { compileKey } from '../../src/core/key-record.ts';
import { NOW, prefixes, rawKey, sha256 } from './build.ts';

const PROFILE_KEYS = [
  ['prompteus', 'ptk_', 'ptk_yXBHMoc5L40zBANMAAcNPMMcv7FQw4U52jycq3'],
  ['promptreports', 'pr_live_', 'pr_live_K95EhDN0wMXmtvfR1DCtdB8GdjrdNuNO3QdFoS'],
  ['promptreports', 'pr_test_', 'pr_test_RxbguTRGX1EciFuTjXUPUT7sgVblNpni4Zrikx'],
  ['neuroai', 'nai_', 'nai_4P7TLJs6ByJxCG0aPNUpkJK1UxhvY8Qm1lKim4'],
  ['neuroai', 'nai_', 'nai_dajZ8XnhgYWUEqV6qmM4OJFlbGf1v2cF0JncmK'],
  ['neuroai', 'nai_', 'nai_AedxukuoTucal7UkVcwjphJhtlJ3fGV417j7O8'],
  ['promptrails', 'pr_live_', 'pr_live_ym2JiYe3iC3dXD22COpEDAfvWoYhAJvI0RvDWP'],
  ['promptrails', 'pr_live_', 'pr_live_HBiX5mWnq7zZadxUsyHuKDYSXErCogzG02HH6F'],
  ['promptrails', 'pr_test_', 'pr_test_Rsu6fdnE0axBpFpIEyKHDcmOsN3a18WF3KDWh3'],
  ['neureus', 'nru_', 'nru_mvRzWqNgbeHOx4ZpnMEhuZKGI3c5YuRh3Uu2Ke'],
  ['neureus', 'pk_', 'pk_T2HTxxcKRl74NB7XdfpT9qqu1VNqFeWX0ptXkn'],
  ['neureus', 'nru_', 'nru_6zjRI6tK7pgPImf3MY0GpIVFZUCdMPIn44lE9o'],
] as const;
const PREFIXES = prefixes({ ptk_: {}, pr_live_: {}, pr_test_: {}, nai_: {}, nru_: {}, pk_: {} });
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The checksum of design.md section 7, by zlib. */
function zlibChecksum(text: string): string {
  let rest = BigInt(crc32(text));
  let digits = '';
  for (; rest > 0n; rest /= 62n) digits = ALPHABET[Number(rest % 62n)] + digits;
  return digits.padStart(6, '0');
}

describe('the keys of the profiles', () => {
  test.each(PROFILE_KEYS)('%s: a key with %s is in form', (_, prefix, key) => {
    expect(parseKey(key, PREFIXES)).toMatchObject({ kind: 'key', prefix: { prefix } });
    expect(key).toBe(key.slice(0, -6) + zlibChecksum(key.slice(0, -6)));
  });

  test.each(PROFILE_KEYS)(
    '%s: each mutation of one character of a key with %s is refused',
    (_, prefix, key) => {
      for (let at = 0; at < key.length; at += 1) {
        for (const other of `${ALPHABET}_-`) {
          if (other === key[at]) continue;
          const mutated = key.slice(0, at) + other + key.slice(at + 1);
          const { kind } = parseKey(mutated, PREFIXES);
          expect(kind, mutated).toBe(at < prefix.length ? kind : 'bad');
          expect(kind, mutated).not.toBe('key');
        }
        expect(parseKey(key.slice(0, at) + key.slice(at + 1), PREFIXES).kind).not.toBe('key');
        expect(parseKey(`${key.slice(0, at)}a${key.slice(at)}`, PREFIXES).kind).not.toBe('key');
      }
    },
  );

  test.each(PROFILE_KEYS)('%s: the hash of a key with %s is declared', (name, _, key) => {
    const folder = join(import.meta.dirname, '..', '..', 'deploy', 'policies');
    const text = readFileSync(join(folder, `${name}.yaml`), 'utf8');
    expect(text).toContain(`sha256:${hashKey(key)}`);
    expect(hashKey(key)).toBe(sha256(key));
  });

  test('no policy holds a raw key', () => {
    const folder = join(import.meta.dirname, '..', '..', 'deploy', 'policies');
    for (const file of readdirSync(folder)) {
      const text = readFileSync(join(folder, file), 'utf8');
      for (const [, , key] of PROFILE_KEYS) expect(text).not.toContain(key);
    }
  });
});

describe('minting', () => {
  const bytes = fc.uint8Array({ minLength: 96, maxLength: 96 });

  test('a minted key is in form, and its checksum is the one of zlib', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom('pst_', 'pr_live_', 'x'), (random, prefix) => {
        fc.pre(random.filter((byte) => byte < 248).length >= 32);
        const key = mintKey(prefix, random);
        expect(key).toMatch(new RegExp(`^${prefix}[0-9A-Za-z]{38}$`));
        expect(key.slice(-6)).toBe(zlibChecksum(key.slice(0, -6)));
        expect(parseKey(key, prefixes({ [prefix]: {} })).kind).toBe('key');
      }),
    );
  });

  test('every character comes from the same number of byte values', () => {
    const counts = new Map<string, number>();
    for (let byte = 0; byte < 256; byte += 1) {
      const random = new Uint8Array(64).fill(1);
      random[0] = byte;
      const first = mintKey('p_', random)[2] ?? '';
      const isPassedOver = byte >= 248;
      if (!isPassedOver) counts.set(first, (counts.get(first) ?? 0) + 1);
      else expect(first).toBe('1');
    }
    expect([...counts.keys()].sort().join('')).toBe(ALPHABET);
    expect(new Set(counts.values())).toEqual(new Set([4]));
  });

  test('32 characters of 62 are at least 190 bits', () => {
    expect(rawKey('p_').length - 2 - 6).toBe(32);
    expect(32 * Math.log2(62)).toBeGreaterThan(190);
  });

  test('too few random bytes make no key', () => {
    expect(() => mintKey('p_', new Uint8Array(31))).toThrow('random');
    expect(() => mintKey('p_', new Uint8Array(64).fill(255))).toThrow('random');
  });

  test.each(['', 'a', 'pst_0000', '123456789'])('the checksum of %j is the one of zlib', (text) => {
    expect(checksumOf(text)).toBe(zlibChecksum(text));
  });

  test('two characters of a key are shown', () => {
    expect(shownPrefix('pr_live_', 'pr_live_abcdef')).toBe('pr_live_ab');
  });
});

describe('prefixes', () => {
  const known = prefixes({
    pr_: { environment: 'any' },
    pr_live_: { environment: 'live' },
    old_: { checksum: false },
    '': { environment: 'imported' },
  });
  const strict = prefixes({ pr_: {}, pr_live_: {} });
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln';
  test.each([
    [rawKey('pr_'), 'key', 'pr_'],
    [rawKey('pr_live_'), 'key', 'pr_live_'],
    ['old_', 'key', 'old_'],
    ['old_x.y/z=', 'key', 'old_'],
    ['0123456789abcdef', 'key', ''],
    ['a.b_c~d-e0123456', 'key', ''],
    ['a'.repeat(255), 'key', ''],
  ])('%s is a %s of the prefix %j', (text, kind, prefix) => {
    expect(parseKey(text, known)).toMatchObject({ kind, prefix: { prefix } });
  });

  test.each([
    ['a'.repeat(15), known],
    ['a'.repeat(256), known],
    ['0123456789 abcdef', known],
    ['0123456789/abcdef', known],
    ['0123456789=abcdef', known],
    [jwt, known],
    [jwt, strict],
    ['zz_0123456789abcdef', strict],
    ['', strict],
    ['', known],
  ])('%j is no key', (text, list) => {
    expect(parseKey(text, list)).toEqual({ kind: 'none' });
  });

  test('the longest prefix wins, also over a wrong checksum', () => {
    const key = rawKey('pr_live_');
    expect(
      parseKey(
        key.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')),
        known,
      ),
    ).toEqual({
      kind: 'bad',
    });
    expect(parseKey('pr_', strict)).toEqual({ kind: 'bad' });
    expect(parseKey(`${rawKey('pr_')}0`, strict)).toEqual({ kind: 'bad' });
  });
});

describe('judging a key', () => {
  const base = compileKey({ id: 'k', hash: `sha256:${'0'.repeat(64)}` });
  const with_ = (more: Partial<ApiKey>): ApiKey => ({ ...base, ...more });
  test.each([
    ['without an end', with_({}), undefined, undefined],
    ['one millisecond before its end', with_({ expiresAtMs: NOW + 1 }), undefined, undefined],
    ['at its end', with_({ expiresAtMs: NOW }), undefined, 'key_expired'],
    ['after its end', with_({ expiresAtMs: NOW - 1 }), undefined, 'key_expired'],
    ['one millisecond before the end of its grace', with_({}), NOW + 1, undefined],
    ['at the end of its grace', with_({}), NOW, 'key_expired'],
    ['disabled', with_({ status: 'disabled' }), undefined, 'key_disabled'],
    ['revoked', with_({ status: 'revoked' }), undefined, 'key_revoked'],
    ['an end at 0', with_({ expiresAtMs: 0 }), undefined, 'key_expired'],
  ])('%s', (_, key, untilMs, expected) => {
    expect(judgeKey({ key, until: untilMs }, { warnMs: 0 }, NOW)?.reason).toBe(expected);
  });

  const day = 86_400_000;
  const rules = { maxAgeMs: 10 * day, rotateEveryMs: 5 * day, warnMs: 0 };
  test.each([
    ['of unknown age', {}, undefined],
    ['a millisecond before max_age', { createdAtMs: NOW - 10 * day + 1 }, undefined],
    ['at max_age', { createdAtMs: NOW - 10 * day }, 'key_expired'],
    ['a millisecond before it has to be rotated', { rotatedAtMs: NOW - 5 * day + 1 }, undefined],
    ['when it has to be rotated', { rotatedAtMs: NOW - 5 * day }, 'key_expired'],
    ['old, but rotated', { createdAtMs: NOW - 9 * day, rotatedAtMs: NOW }, undefined],
    ['rotated past max_age', { createdAtMs: NOW - 11 * day, rotatedAtMs: NOW }, 'key_expired'],
    ['ended before either', { createdAtMs: NOW, expiresAtMs: NOW }, 'key_expired'],
  ])('under max_age and rotate_every a key %s', (_, more, expected) => {
    expect(judgeKey({ key: with_(more) }, rules, NOW)?.reason).toBe(expected);
  });

  test('names the key of a refusal, for audit and usage', () => {
    const refusal = judgeKey({ key: with_({ status: 'revoked' }) }, { warnMs: 0 }, NOW);
    expect(refusal?.key?.id).toBe('k');
  });
});

test.each([
  [`sha256:${'0'.repeat(64)}`, true],
  [`sha256:${'0'.repeat(63)}`, false],
  [`sha256:${'0'.repeat(65)}`, false],
  [`sha256:${'A'.repeat(64)}`, false],
  ['0'.repeat(64), false],
  [`sha512:${'0'.repeat(64)}`, false],
  [`sha256:${'0'.repeat(63)}\n`, false],
])('%s is a hash: %s', (text, expected) => {
  expect(parseKeyHash(text) !== undefined).toBe(expected);
});
