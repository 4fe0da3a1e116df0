import { describe, expect, test } from 'vitest';
import { subjectOfCounter } from '../../src/core/charge.ts';
import { check } from '../../src/core/check.ts';
import { type LimitGroup, NO_LIMITS } from '../../src/core/limit.ts';
import { limitHeaders } from '../../src/core/limit-headers.ts';
import { guardPorts, PortFailure, type Ports } from '../../src/core/ports.ts';
import {
  failureBook,
  NOW,
  outcome,
  type PolicySpec,
  policy,
  ports,
  type RequestSpec,
  rawKey,
  request,
  token,
} from './build.ts';
import { failureGate as gate, tally } from './build-failures.ts';

const GOOD = rawKey();
const OLD = rawKey('pst_', 2);
const WRONG = rawKey('pst_', 9);
const HERE = '203.0.113.9';
const ELSEWHERE = '203.0.113.10';
const MINUTE_ENDS_MS = Math.ceil(NOW / 60_000) * 60_000;

const spec = (route: PolicySpec['routes'][number] = {}): PolicySpec => ({
  keys: [{ raw: GOOD }, { raw: OLD, expires_at: '2020-01-01T00:00:00Z' }],
  issuers: [{ name: 'id' }],
  routes: [
    {
      name: 'r',
      access: ['api_key', 'jwt'],
      limits: [{ name: 'bad', by: 'ip', on: 'refused', per_minute: 3 }],
      ...route,
    },
  ],
});

const repeated = (text: string, times: number) => Array<string>(times).fill(text);

describe('a limit on: refused', () => {
  const limited = policy(spec());

  test('lets so many 401s leave in a window, then refuses until it ends', async () => {
    const { ask, outcomes } = gate();
    const told = await outcomes(limited, { bearer: WRONG }, 5);
    expect(told).toEqual([...repeated('unknown_key', 3), ...repeated('too_many_failures', 2)]);
    const late = await ask(limited, { bearer: WRONG }, MINUTE_ENDS_MS - 1);
    expect(late).toMatchObject({ reason: 'too_many_failures', retryAtMs: MINUTE_ENDS_MS });
    expect(outcome(await ask(limited, { bearer: WRONG }, MINUTE_ENDS_MS))).toBe('unknown_key');
  });

  test('refuses a good credential too, before any is looked at, and without a trip', async () => {
    const { ask, calls, outcomes } = gate();
    await outcomes(limited, { bearer: WRONG }, 3);
    calls.length = 0;
    const refused = await ask(limited, { bearer: GOOD });
    expect(refused).toMatchObject({ reason: 'too_many_failures', step: 'admit' });
    expect(refused.principal).toBeUndefined();
    expect(calls).toEqual([]);
    expect(outcome(await ask(limited, { bearer: GOOD, address: ELSEWHERE }))).toBe('allow');
    expect(outcome(await ask(limited, { bearer: GOOD }, MINUTE_ENDS_MS))).toBe('allow');
  });

  test('costs a good credential nothing, not even a trip', async () => {
    const { calls, outcomes } = gate();
    expect(await outcomes(limited, { bearer: GOOD }, 9)).toEqual(repeated('allow', 9));
    expect(calls).not.toContain('takeLimits');
  });

  test('says in the headers of its refusals which limit it is, and in no others', async () => {
    const { ask } = gate();
    const both = { legacy: true, ietf: true };
    const first = await ask(limited, { bearer: WRONG });
    expect(limitHeaders(both, first.taken, NOW)).toEqual([]);
    await ask(limited, { bearer: WRONG });
    await ask(limited, { bearer: WRONG });
    const expected = {
      'x-ratelimit-limit': '3',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(MINUTE_ENDS_MS / 1000),
      'x-ratelimit-policy': '3/minute',
      'ratelimit-policy': '"bad-minute";q=3;w=60',
      ratelimit: '"bad-minute";r=0;t=30',
    };
    const held = await ask(limited, { bearer: WRONG });
    expect(Object.fromEntries(limitHeaders(both, held.taken, NOW))).toEqual(expected);
  });

  test.each<[string, RequestSpec, PolicySpec['routes'][number]?]>([
    ['a malformed credential', { headers: { 'x-api-key': 'a b' } }],
    ['two credentials', { bearer: WRONG, headers: { 'x-api-key': WRONG } }],
    ['a lacking scope', { bearer: GOOD }, { scopes: ['a:b'] }],
    ['an address that is not allowed', { bearer: WRONG }, { ips: ['192.0.2.1'] }],
    [
      'a preflight',
      {
        method: 'OPTIONS',
        headers: { origin: 'https://a.com', 'access-control-request-method': 'GET' },
      },
      { cors: { origins: ['a.com'] } },
    ],
  ])('does not count %s', async (_name, asked, route) => {
    const { calls, outcomes } = gate();
    await outcomes(policy(spec(route)), asked, 5);
    expect(calls).not.toContain('takeLimits');
  });

  test.each<[string, RequestSpec]>([
    ['no credential', {}],
    ['an unknown key', { bearer: WRONG }],
    ['an expired key', { bearer: OLD }],
    ['a token that is refused', { bearer: token('id', { refuse: 'token_expired' }) }],
  ])('counts %s, whatever came before', async (_name, asked) => {
    const { ask, outcomes } = gate();
    await outcomes(limited, { bearer: WRONG }, 2);
    expect(outcome(await ask(limited, asked))).not.toBe('too_many_failures');
    expect(outcome(await ask(limited, asked))).toBe('too_many_failures');
  });

  test('answers preflights of a source that it holds back', async () => {
    const { ask, outcomes } = gate();
    const open = policy(spec({ cors: { origins: ['a.com'] } }));
    await outcomes(open, { bearer: WRONG }, 4);
    const headers = { origin: 'https://a.com', 'access-control-request-method': 'GET' };
    expect(outcome(await ask(open, { method: 'OPTIONS', headers }))).toBe('reply');
    const page = { bearer: GOOD, headers: { origin: 'https://a.com' } };
    expect(await ask(open, page)).toMatchObject({ corsOrigin: 'https://a.com' });
  });

  test('counts an IPv6 address by its /64, and all that is unknown as one', async () => {
    const { ask, outcomes } = gate();
    await outcomes(limited, { bearer: WRONG, address: '2001:db8::1' }, 3);
    const from = async (address: string | undefined) =>
      outcome(await ask(limited, { bearer: WRONG, address }));
    expect(await from('2001:db8::ffff:1')).toBe('too_many_failures');
    expect(await from('2001:db8:0:1::1')).toBe('unknown_key');
    await outcomes(limited, { bearer: WRONG, address: undefined }, 3);
    expect(await from(undefined)).toBe('too_many_failures');
    expect(await from(HERE)).toBe('unknown_key');
  });

  test('is of its route alone', async () => {
    const two = policy({
      ...spec(),
      routes: [
        { name: 'a', path: '/a', limits: [{ name: 'l', by: 'ip', on: 'refused', per_minute: 2 }] },
        { name: 'b', path: '/b', limits: [{ name: 'l', by: 'ip', on: 'refused', per_minute: 2 }] },
        { name: 'c', path: '/c' },
      ],
    });
    const { outcomes } = gate();
    await outcomes(two, { path: '/a', bearer: WRONG }, 3);
    expect(await outcomes(two, { path: '/a', bearer: GOOD }, 1)).toEqual(['too_many_failures']);
    expect(await outcomes(two, { path: '/b', bearer: GOOD }, 1)).toEqual(['allow']);
    expect(await outcomes(two, { path: '/c', bearer: GOOD }, 1)).toEqual(['allow']);
  });

  test('has a counter of its own, taken exactly, which tells its subject', async () => {
    const taken: LimitGroup[] = [];
    const takeLimits: Ports['takeLimits'] = (groups) => {
      taken.push(...groups);
      return NO_LIMITS;
    };
    await gate({ takeLimits }).ask(limited, { bearer: WRONG, address: '2001:db8:a0a::1' });
    const [group] = taken;
    expect(taken).toHaveLength(1);
    expect(group).toMatchObject({ cost: 1, isExact: true });
    expect(group?.counter.startsWith('postern\nroute:r\nbad:refused\nip\n')).toBe(true);
    expect(subjectOfCounter(group?.counter ?? '')).toBe(group?.subject);
  });

  test('takes one unit for each failure, whatever the route costs', async () => {
    const { outcomes } = gate();
    const told = await outcomes(policy(spec({ cost: 3 })), { bearer: WRONG }, 4);
    expect(told.filter((one) => one === 'unknown_key')).toHaveLength(3);
  });

  test('holds by every window and by its bucket', async () => {
    const limits = (more: object) =>
      policy(spec({ limits: [{ name: 'l', by: 'ip', on: 'refused', ...more }] }));
    const byHour = gate();
    const hourly = limits({ per_minute: 9, per_hour: 2 });
    await byHour.outcomes(hourly, { bearer: WRONG }, 2);
    const hourEndsMs = Math.ceil(NOW / 3_600_000) * 3_600_000;
    expect(await byHour.ask(hourly, { bearer: GOOD }, MINUTE_ENDS_MS)).toMatchObject({
      reason: 'too_many_failures',
      retryAtMs: hourEndsMs,
    });
    const byBucket = gate();
    const burst = limits({ per_minute: 60, burst: 2 });
    expect(await byBucket.outcomes(burst, { bearer: WRONG }, 3)).toEqual([
      ...repeated('unknown_key', 2),
      'too_many_failures',
    ]);
    expect(outcome(await byBucket.ask(burst, { bearer: GOOD }, NOW + 999))).toBe(
      'too_many_failures',
    );
    expect(outcome(await byBucket.ask(burst, { bearer: GOOD }, NOW + 1000))).toBe('allow');
  });

  test('that a reload raised or took away holds nobody; the store goes on counting', async () => {
    const { ask, outcomes } = gate();
    await outcomes(limited, { bearer: WRONG }, 4);
    expect(outcome(await ask(policy(spec()), { bearer: GOOD }))).toBe('too_many_failures');
    const raised = policy(
      spec({ limits: [{ name: 'bad', by: 'ip', on: 'refused', per_minute: 4 }] }),
    );
    expect(await outcomes(raised, { bearer: GOOD }, 1)).toEqual(['allow']);
    expect(await outcomes(raised, { bearer: WRONG }, 2)).toEqual([
      'unknown_key',
      'too_many_failures',
    ]);
    expect(await outcomes(policy(spec({ limits: [] })), { bearer: GOOD }, 1)).toEqual(['allow']);
  });

  test('a thousand failures at once against a limit of a hundred: a hundred 401s', async () => {
    const { ask } = gate();
    const hundred = policy(
      spec({ limits: [{ name: 'l', by: 'ip', on: 'refused', per_minute: 100 }] }),
    );
    const all = Array.from({ length: 1000 }, () => ask(hundred, { bearer: WRONG }));
    const counts = tally(await Promise.all(all));
    expect(counts).toEqual({ unknown_key: 100, too_many_failures: 900 });
  });

  test('is exact over processes, each of which learns with its next failure', async () => {
    const { takeLimits } = ports();
    const [one, two] = [gate({ takeLimits }), gate({ takeLimits })];
    await one.outcomes(limited, { bearer: WRONG }, 3);
    expect(await two.outcomes(limited, { bearer: GOOD }, 1)).toEqual(['allow']);
    expect(await two.outcomes(limited, { bearer: WRONG }, 1)).toEqual(['too_many_failures']);
    expect(await two.outcomes(limited, { bearer: GOOD }, 1)).toEqual(['too_many_failures']);
  });

  test('of a store that fails rejects, so that no failure is told apart uncounted', async () => {
    const takeLimits = () => Promise.reject(new Error('down'));
    const broken = guardPorts(ports({ failures: failureBook(), takeLimits }));
    const ask = (bearer: string) => check(broken, limited, request({ bearer }), NOW);
    await expect(ask(WRONG)).rejects.toThrow(PortFailure);
    expect(outcome(await ask(GOOD))).toBe('allow');
  });

  test('counts beside the limits that count what is let in', async () => {
    const { calls, outcomes } = gate();
    const both = policy(
      spec({
        limits: [
          { name: 'all', by: 'ip', per_minute: 2 },
          { name: 'bad', by: 'ip', on: 'refused', per_minute: 2 },
        ],
      }),
    );
    expect(await outcomes(both, { bearer: WRONG }, 1)).toEqual(['unknown_key']);
    expect(await outcomes(both, { bearer: GOOD }, 3)).toEqual(['allow', 'allow', 'rate_limited']);
    expect(await outcomes(both, { bearer: WRONG }, 2)).toEqual([
      'unknown_key',
      'too_many_failures',
    ]);
    expect(calls.filter((call) => call === 'takeLimits')).toHaveLength(5);
  });
});
