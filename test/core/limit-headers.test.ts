import { describe, expect, test } from 'vitest';
import { NO_LIMITS } from '../../src/core/limit.ts';
import { limitHeaders, retryAfterSeconds } from '../../src/core/limit-headers.ts';
import { compileFigures } from '../../src/core/plan.ts';
import type { WrittenFigures } from '../../src/core/policy.ts';
import { take } from '../../src/core/take.ts';
import { NOW } from './build.ts';

const BOTH = { legacy: true, ietf: true };
const MINUTE_END = Date.parse('2026-08-15T12:31:00Z') / 1000;
const DAY_END = Date.parse('2026-08-16T00:00:00Z') / 1000;
const MONTH_END = Date.parse('2026-09-01T00:00:00Z') / 1000;
const NOW_S = NOW / 1000;

/** How a counter stands after some requests at the fixed moment. */
function takenAfter(written: WrittenFigures, count: number, cost = 1, atMs = NOW) {
  const groups = [{ counter: 'c', subject: 's', figures: compileFigures(written), cost }];
  let outcome = take([undefined], groups, NOW);
  for (let left = count - 1; left > 1; left -= 1) outcome = take(outcome.next, groups, NOW);
  return count > 1 ? take(outcome.next, groups, atMs).taken : outcome.taken;
}
const headersOf = (...args: Parameters<typeof takenAfter>) =>
  Object.fromEntries(limitHeaders(BOTH, takenAfter(...args), args[3] ?? NOW));

describe('the headers of an allow', () => {
  test('one window', () => {
    expect(headersOf({ per_minute: 300 }, 1)).toEqual({
      'x-ratelimit-limit': '300',
      'x-ratelimit-remaining': '299',
      'x-ratelimit-reset': String(MINUTE_END),
      'x-ratelimit-policy': '300/minute',
      'ratelimit-policy': '"minute";q=300;w=60',
      ratelimit: '"minute";r=299;t=30',
    });
  });

  test('several windows, a bucket and a quota: the tightest window, and all of them', () => {
    const written = {
      per_minute: 300,
      per_day: 1000,
      burst: 60,
      quota: { requests: 3, per: 'month' },
    } as const;
    expect(headersOf(written, 1)).toEqual({
      'x-ratelimit-limit': '3',
      'x-ratelimit-remaining': '2',
      'x-ratelimit-reset': String(MONTH_END),
      'x-ratelimit-policy': '3/month',
      'ratelimit-policy':
        '"minute";q=300;w=60, "day";q=1000;w=86400, "quota";q=3;w=2678400, "burst";q=60;w=12',
      ratelimit: `"minute";r=299;t=30, "day";r=999;t=${Math.ceil(DAY_END - NOW_S)}, "quota";r=2;t=${Math.ceil(MONTH_END - NOW_S)}, "burst";r=59;t=1`,
    });
  });

  test('a bucket never shows, however little is left in it', () => {
    expect(headersOf({ per_minute: 300, burst: 1 }, 1)).toMatchObject({
      'x-ratelimit-limit': '300',
      'x-ratelimit-remaining': '299',
      'x-ratelimit-policy': '300/minute',
    });
  });

  test('a request of cost 5 takes 5', () => {
    expect(headersOf({ per_minute: 300, burst: 10 }, 1, 5)).toMatchObject({
      'x-ratelimit-remaining': '295',
      ratelimit: expect.stringContaining('"burst";r=9'),
    });
  });

  test('nothing without limits', () => {
    expect(limitHeaders(BOTH, NO_LIMITS, NOW)).toEqual([]);
    expect(limitHeaders(BOTH, undefined, NOW)).toEqual([]);
  });
});

describe('the headers of a refusal', () => {
  test('by a window', () => {
    const headers = headersOf({ per_minute: 2, per_day: 9 }, 3);
    expect(headers).toEqual({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(MINUTE_END),
      'x-ratelimit-policy': '2/minute',
      'ratelimit-policy': '"minute";q=2;w=60, "day";q=9;w=86400',
      ratelimit: `"minute";r=0;t=30, "day";r=7;t=${Math.ceil(DAY_END - NOW_S)}`,
    });
    expect(retryAfterSeconds(takenAfter({ per_minute: 2 }, 3), NOW)).toBe(30);
  });

  test('by the longest wait', () => {
    expect(headersOf({ per_minute: 1, per_day: 1 }, 2)).toMatchObject({
      'x-ratelimit-policy': '1/day',
      'x-ratelimit-reset': String(DAY_END),
    });
  });

  test('by a bucket: its window, nothing remaining, until one request fits again', () => {
    const written = { per_minute: 6, per_day: 100, burst: 2 };
    const taken = takenAfter(written, 3, 1, NOW + 2500);
    const headers = Object.fromEntries(limitHeaders(BOTH, taken, NOW + 2500));
    expect(headers).toMatchObject({
      'x-ratelimit-limit': '6',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Math.ceil((NOW + 10_000) / 1000)),
      'x-ratelimit-policy': '6/minute',
    });
    expect(headers['ratelimit']).toContain('"burst";r=0;t=8');
    expect(retryAfterSeconds(taken, NOW + 2500)).toBe(8);
  });

  test.each([
    ['one millisecond is one second', { per_second: 1 }, NOW - 250 + 999, 1],
    ['a whole second is one', { per_minute: 60, burst: 1 }, NOW, 1],
    ['a millisecond more is two', { per_minute: 30, burst: 1 }, NOW + 999, 2],
    ['and a millisecond later one', { per_minute: 30, burst: 1 }, NOW + 1000, 1],
    ['a bucket that refills fast', { per_second: 1000, burst: 1 }, NOW, 1],
  ])('retry-after is rounded up, and at least 1: %s', (_, written, atMs, expected) => {
    const taken = takenAfter(written, 2, 1, atMs);
    expect(taken.refused).toBe(true);
    expect(retryAfterSeconds(taken, atMs)).toBe(expected);
  });

  test('an allow has none', () => {
    expect(retryAfterSeconds(takenAfter({ per_minute: 2 }, 1), NOW)).toBeUndefined();
    expect(retryAfterSeconds(undefined, NOW)).toBeUndefined();
  });

  test('what is told is in the same words as what was promised: nothing is left and t is not after retry-after', () => {
    const taken = takenAfter({ per_minute: 2 }, 3);
    const { ratelimit = '' } = Object.fromEntries(limitHeaders(BOTH, taken, NOW));
    expect(Number(/t=(\d+)/.exec(ratelimit)?.[1])).toBeLessThanOrEqual(
      retryAfterSeconds(taken, NOW) ?? 0,
    );
  });
});

describe('families', () => {
  const names = (legacy: boolean, ietf: boolean) =>
    limitHeaders({ legacy, ietf }, takenAfter({ per_minute: 2 }, 1), NOW).map(([name]) => name);

  test('each is sent alone', () => {
    const old = [
      'x-ratelimit-limit',
      'x-ratelimit-remaining',
      'x-ratelimit-reset',
      'x-ratelimit-policy',
    ];
    expect(names(true, false)).toEqual(old);
    expect(names(false, true)).toEqual(['ratelimit-policy', 'ratelimit']);
    expect(names(false, false)).toEqual([]);
  });
});
