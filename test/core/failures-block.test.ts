import { describe, expect, test } from 'vitest';
import type { FailureRule } from '../../src/core/alert.ts';
import { compileKey } from '../../src/core/key-record.ts';
import type { Ports } from '../../src/core/ports.ts';
import { NOW, outcome, type PolicySpec, policy, ports, rawKey, token } from './build.ts';
import { failureGate as gate, tally } from './build-failures.ts';

const GOOD = rawKey();
const OLD = rawKey('pst_', 2);
const WRONG = rawKey('pst_', 9);
const HERE = '203.0.113.9';
const ELSEWHERE = '203.0.113.10';
const BLOCK_MS = 5000;
const UNTIL_MS = NOW + BLOCK_MS;

const rule = (by: FailureRule['by'], blockMs?: number): FailureRule => ({
  by,
  windows: [{ limit: 3, lengthMs: 60_000 }],
  blockMs,
});

const spec = (failures: readonly FailureRule[], more: Partial<PolicySpec> = {}): PolicySpec => ({
  // One key with a secret that works and one that was rotated out.
  keys: [
    { raw: GOOD, id: 'k1' },
    { raw: OLD, id: 'k1', until: '2020-01-01T00:00:00Z' },
  ],
  issuers: [{ name: 'id' }],
  routes: [
    { name: 'open', path: '/open', access: 'public' },
    { name: 'r', access: ['api_key', 'jwt'], cors: { origins: ['a.com'] } },
  ],
  alerts: { failures },
  ...more,
});

describe('a rule by ip', () => {
  const watched = policy(spec([rule('ip')]));
  const blocking = policy(spec([rule('ip', BLOCK_MS)]));

  test('tells the 401 that comes to its limit, and no other', async () => {
    const { ask } = gate();
    const all = Array.from({ length: 1000 }, () => ask(watched, { bearer: WRONG }));
    const decisions = await Promise.all(all);
    expect(tally(decisions)).toEqual({ unknown_key: 1000 });
    const reached = decisions.flatMap((one) => one.reached ?? []);
    expect(reached).toEqual([{ by: 'ip', limit: 3, windowMs: 60_000 }]);
    expect(decisions[2]?.reached).toHaveLength(1);
  });

  test('counts no other refusal', async () => {
    const { ask, outcomes } = gate();
    const narrow = policy(spec([rule('ip')], { routes: [{ scopes: ['a:b'] }] }));
    await outcomes(narrow, { bearer: GOOD }, 9);
    await outcomes(narrow, { headers: { 'x-api-key': 'a b' } }, 9);
    const told = await Promise.all([1, 2, 3].map(() => ask(narrow, { bearer: WRONG })));
    expect(told.map((one) => one.reached?.length ?? 0)).toEqual([0, 0, 1]);
  });

  test('without a block refuses nobody', async () => {
    const { outcomes } = gate();
    await outcomes(watched, { bearer: WRONG }, 9);
    expect(await outcomes(watched, { bearer: GOOD }, 1)).toEqual(['allow']);
  });

  test('with one refuses all credentials of the address, unseen, until it ends', async () => {
    const { ask, calls, outcomes } = gate();
    await outcomes(blocking, { bearer: WRONG }, 3);
    calls.length = 0;
    for (const bearer of [GOOD, WRONG, token('id')]) {
      const refused = await ask(blocking, { bearer }, UNTIL_MS - 1);
      expect(refused).toMatchObject({
        reason: 'too_many_failures',
        step: 'admit',
        retryAtMs: UNTIL_MS,
      });
      expect(refused.reached).toBeUndefined();
    }
    expect(calls).toEqual([]);
    expect(await outcomes(blocking, { bearer: GOOD, address: ELSEWHERE }, 1)).toEqual(['allow']);
    expect(outcome(await ask(blocking, { bearer: GOOD }, UNTIL_MS))).toBe('allow');
  });

  test('blocks again with the next failure in the same window', async () => {
    const { ask, outcomes } = gate();
    await outcomes(blocking, { bearer: WRONG }, 3);
    const next = await ask(blocking, { bearer: WRONG }, UNTIL_MS);
    expect([outcome(next), next.reached]).toEqual(['unknown_key', undefined]);
    expect(outcome(await ask(blocking, { bearer: GOOD }, UNTIL_MS))).toBe('too_many_failures');
  });

  test('blocks an IPv6 address with its /64, and all that is unknown as one', async () => {
    const { ask, outcomes } = gate();
    await outcomes(blocking, { bearer: WRONG, address: '2001:db8::1' }, 3);
    const from = async (address: string | undefined) =>
      outcome(await ask(blocking, { bearer: GOOD, address }));
    expect(await from('2001:db8::2')).toBe('too_many_failures');
    expect(await from('2001:db8:0:1::1')).toBe('allow');
    await outcomes(blocking, { bearer: WRONG, address: undefined }, 3);
    expect(await from(undefined)).toBe('too_many_failures');
    expect(await from(HERE)).toBe('allow');
  });

  test('leaves public routes and preflights open', async () => {
    const { outcomes } = gate();
    await outcomes(blocking, { bearer: WRONG }, 3);
    expect(await outcomes(blocking, { path: '/open' }, 1)).toEqual(['allow']);
    const headers = { origin: 'https://a.com', 'access-control-request-method': 'GET' };
    expect(await outcomes(blocking, { method: 'OPTIONS', headers }, 1)).toEqual(['reply']);
  });

  test('a thousand failures at once: as many 401s as the rule takes', async () => {
    const { ask } = gate();
    const all = Array.from({ length: 1000 }, () => ask(blocking, { bearer: WRONG }));
    const counts = tally(await Promise.all(all));
    expect(counts).toEqual({ unknown_key: 3, too_many_failures: 997 });
  });

  test('refuses those too whose failure was being counted elsewhere when it began', async () => {
    const { takeLimits } = ports();
    const later: Ports['takeLimits'] = async (groups, nowMs) => takeLimits(groups, nowMs);
    const limits = [{ name: 'l', by: 'ip', on: 'refused', per_minute: 9 }] as const;
    const { ask } = gate({ takeLimits: later });
    const both = policy(spec([rule('ip', BLOCK_MS)], { routes: [{ limits }] }));
    const all = Array.from({ length: 20 }, () => ask(both, { bearer: WRONG }));
    const counts = tally(await Promise.all(all));
    expect(counts).toEqual({ unknown_key: 3, too_many_failures: 17 });
  });

  test('goes on over a reload, and ends where the new policy blocks nobody', async () => {
    const { outcomes } = gate();
    await outcomes(blocking, { bearer: WRONG }, 2);
    const reloaded = policy(spec([rule('ip', BLOCK_MS)], { product: 'other' }));
    await outcomes(reloaded, { bearer: WRONG }, 1);
    expect(await outcomes(reloaded, { bearer: GOOD }, 1)).toEqual(['too_many_failures']);
    expect(await outcomes(watched, { bearer: GOOD }, 1)).toEqual(['allow']);
  });

  test('beside a limit on: refused waits for what lasts longer', async () => {
    const limits = [{ name: 'l', by: 'ip', on: 'refused', per_minute: 3 }] as const;
    const both = policy(spec([rule('ip', BLOCK_MS)], { routes: [{ limits }] }));
    const { ask, outcomes } = gate();
    await outcomes(both, { bearer: WRONG }, 3);
    const minuteEndsMs = Math.ceil(NOW / 60_000) * 60_000;
    const refused = await ask(both, { bearer: GOOD });
    expect(refused).toMatchObject({ retryAtMs: minuteEndsMs, taken: { refused: true } });
    const longer = policy(spec([rule('ip', 120_000)], { routes: [{ limits }] }));
    const other = gate();
    await other.outcomes(longer, { bearer: WRONG }, 3);
    expect(await other.ask(longer, { bearer: GOOD })).toMatchObject({ retryAtMs: NOW + 120_000 });
  });

  test('counts no failure that a limit on: refused answered in place of a 401; that limit tells by itself, once', async () => {
    const limits = [{ name: 'l', by: 'ip', on: 'refused', per_minute: 2 }] as const;
    const both = policy(spec([rule('ip')], { routes: [{ limits }] }));
    const { ask } = gate();
    const all = Array.from({ length: 50 }, () => ask(both, { bearer: WRONG }));
    const decisions = await Promise.all(all);
    expect(decisions.flatMap((one) => one.reached ?? [])).toEqual([
      { by: 'ip', limit: 2, windowMs: 60_000 },
    ]);
  });
});

describe('a rule by key', () => {
  const blocking = policy(spec([rule('key', BLOCK_MS)]));

  test('counts 401s of a known key for its own state, from wherever they come', async () => {
    const { ask } = gate();
    const told = [];
    for (const at of [1, 2, 3, 4]) {
      told.push(await ask(blocking, { bearer: OLD, address: `203.0.113.${at}` }));
    }
    expect(told.map(outcome)).toEqual([
      'key_expired',
      'key_expired',
      'key_expired',
      'too_many_failures',
    ]);
    expect(told[2]?.reached).toEqual([{ by: 'key', limit: 3, windowMs: 60_000 }]);
    expect(told[3]).toMatchObject({ step: 'identify', key: { id: 'k1' }, retryAtMs: UNTIL_MS });
  });

  test('costs the address nothing once the key is refused, where its failures are limited', async () => {
    const limits = [{ name: 'l', by: 'ip', on: 'refused', per_minute: 9 }] as const;
    const both = policy(spec([rule('key', BLOCK_MS)], { routes: [{ limits }] }));
    const { calls, outcomes } = gate();
    await outcomes(both, { bearer: OLD }, 12);
    expect(calls.filter((call) => call === 'takeLimits')).toHaveLength(3);
    expect(await outcomes(both, { bearer: WRONG }, 1)).toEqual(['unknown_key']);
  });

  test('never refuses the secret that works', async () => {
    const { outcomes } = gate();
    await outcomes(blocking, { bearer: OLD }, 9);
    expect(await outcomes(blocking, { bearer: GOOD }, 1)).toEqual(['allow']);
  });

  test('counts no key that nobody has, whatever is sent', async () => {
    const { ask, outcomes } = gate();
    expect(new Set(await outcomes(blocking, { bearer: WRONG }, 9))).toEqual(
      new Set(['unknown_key']),
    );
    await outcomes(blocking, { bearer: 'k1' }, 9);
    await outcomes(blocking, { headers: { 'x-api-key': 'k1' } }, 9);
    expect(outcome(await ask(blocking, { bearer: OLD }))).toBe('key_expired');
  });

  test.each(['revoked', 'disabled'] as const)('counts a stored key that is %s', async (status) => {
    const key = compileKey({ id: 's', hash: `sha256:${'0'.repeat(64)}` });
    const { outcomes } = gate({ findKey: () => ({ key: { ...key, status } }) });
    const told = await outcomes(blocking, { bearer: WRONG }, 4);
    expect(told).toEqual([...Array(3).fill(`key_${status}`), 'too_many_failures']);
  });

  test('is counted beside the address, each to its own limit', async () => {
    const { ask, outcomes } = gate();
    const both = policy(spec([rule('ip'), rule('key')]));
    await outcomes(both, { bearer: WRONG }, 1);
    await outcomes(both, { bearer: OLD }, 1);
    const byAddress = await ask(both, { bearer: OLD });
    expect(byAddress.reached).toEqual([{ by: 'ip', limit: 3, windowMs: 60_000 }]);
    const byKey = await ask(both, { bearer: OLD });
    expect(byKey.reached).toEqual([{ by: 'key', limit: 3, windowMs: 60_000 }]);
  });
});
