import { describe, expect, test } from 'vitest';
import {
  bindingUsage,
  type CounterState,
  judgeTaken,
  type LimitGroup,
  WINDOWS,
} from '../../src/core/limit.ts';
import { compileFigures, compilePlan, overridePlan } from '../../src/core/plan.ts';
import type { WrittenFigures } from '../../src/core/policy.ts';
import type { TakeLimits } from '../../src/core/ports.ts';
import { settle, take, windowAt } from '../../src/core/take.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { NOW } from './build.ts';

const group = (written: WrittenFigures, cost = 1, counter = 'c'): LimitGroup => ({
  counter,
  subject: counter,
  figures: compileFigures(written),
  cost,
});

/** Takes one after the other from a store; answers how each ended. */
function taker(): (groups: readonly LimitGroup[], nowMs?: number) => ReturnType<typeof answerOf> {
  const { takeLimits } = openMemoryStore({ maxSubjects: 1000 });
  return (groups, nowMs = NOW) => answerOf(takeLimits, groups, nowMs);
}

function answerOf(takeLimits: TakeLimits, groups: readonly LimitGroup[], nowMs: number) {
  const taken = takeLimits(groups, nowMs);
  if (taken instanceof Promise) throw new Error('the memory store answers at once');
  const binding = bindingUsage(taken);
  return { refused: taken.refused, reason: judgeTaken(taken)?.reason, binding, taken };
}

const at = (iso: string) => Date.parse(iso);

describe('windows are those of UTC', () => {
  test.each([
    ['second', '2026-08-15T12:30:30.250Z', '2026-08-15T12:30:30Z', '2026-08-15T12:30:31Z'],
    ['minute', '2026-08-15T12:30:30.250Z', '2026-08-15T12:30:00Z', '2026-08-15T12:31:00Z'],
    ['hour', '2026-08-15T12:30:30.250Z', '2026-08-15T12:00:00Z', '2026-08-15T13:00:00Z'],
    ['day', '2026-08-15T12:30:30.250Z', '2026-08-15T00:00:00Z', '2026-08-16T00:00:00Z'],
    ['month', '2026-08-15T12:30:30.250Z', '2026-08-01T00:00:00Z', '2026-09-01T00:00:00Z'],
    ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['month', '2028-02-29T12:00:00Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
    ['month', '2026-02-01T00:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['day', '2026-08-16T00:00:00Z', '2026-08-16T00:00:00Z', '2026-08-17T00:00:00Z'],
    ['quota_day', '2026-08-15T23:59:59.999Z', '2026-08-15T00:00:00Z', '2026-08-16T00:00:00Z'],
    ['quota_month', '2026-08-31T23:59:59.999Z', '2026-08-01T00:00:00Z', '2026-09-01T00:00:00Z'],
  ] as const)('the %s of %s', (name, moment, start, end) => {
    expect(windowAt(WINDOWS.indexOf(name), at(moment))).toEqual({
      startMs: at(start),
      endMs: at(end),
    });
  });
});

describe('never more than the limit in a window', () => {
  test.each([
    ['per_second', '2026-08-15T12:30:30.999Z', '2026-08-15T12:30:31Z'],
    ['per_minute', '2026-08-15T12:30:59.999Z', '2026-08-15T12:31:00Z'],
    ['per_hour', '2026-08-15T12:59:59.999Z', '2026-08-15T13:00:00Z'],
    ['per_day', '2026-08-15T23:59:59.999Z', '2026-08-16T00:00:00Z'],
    ['per_month', '2026-08-31T23:59:59.999Z', '2026-09-01T00:00:00Z'],
  ] as const)('%s: 3 until %s, and again from %s', (key, last, first) => {
    const ask = taker();
    const groups = [group({ [key]: 3 })];
    const outcomes = [NOW, NOW, at(last), at(last)].map((ms) => ask(groups, ms).refused);
    expect(outcomes).toEqual([false, false, false, true]);
    expect(ask(groups, at(first)).refused).toBe(false);
  });

  test('a limit of 0 admits nothing', () => {
    expect(taker()([group({ per_minute: 0 })]).refused).toBe(true);
    expect(taker()([group({ per_minute: 0, burst: 5 })]).refused).toBe(true);
    expect(taker()([group({ per_minute: 5, burst: 0 })]).refused).toBe(true);
  });

  test('a thousand requests against a hundred give a hundred', () => {
    for (const written of [
      { per_minute: 100 },
      { per_day: 1000, burst: 100 },
      { quota: { requests: 100, per: 'month' } },
    ] as const) {
      const ask = taker();
      const allowed = Array.from({ length: 1000 }, () => ask([group(written)])).filter(
        (one) => !one.refused,
      );
      expect(allowed).toHaveLength(100);
    }
  });
});

describe('quota', () => {
  test.each(['day', 'month'] as const)('of a %s is refused as quota_exhausted', (per) => {
    const ask = taker();
    const groups = [group({ quota: { requests: 2, per } })];
    expect([ask(groups), ask(groups), ask(groups)].map((one) => one.reason)).toEqual([
      undefined,
      undefined,
      'quota_exhausted',
    ]);
    expect(ask(groups).binding).toMatchObject({ policy: `2/${per}`, remaining: 0, limit: 2 });
  });

  test('counts apart from the window of the same length', () => {
    const ask = taker();
    const groups = [group({ per_day: 5, quota: { requests: 3, per: 'day' } })];
    for (let count = 0; count < 3; count += 1) expect(ask(groups).refused).toBe(false);
    expect(ask(groups)).toMatchObject({ refused: true, reason: 'quota_exhausted' });
  });

  test('the longest wait says whether it is the rate or the quota', () => {
    const both = (per_minute: number, requests: number) => [
      group({ per_minute, quota: { requests, per: 'month' } }),
    ];
    const rate = taker();
    rate(both(1, 9));
    expect(rate(both(1, 9)).reason).toBe('rate_limited');
    const quota = taker();
    quota(both(1, 1));
    expect(quota(both(1, 1))).toMatchObject({
      reason: 'quota_exhausted',
      binding: { retryAtMs: at('2026-09-01') },
    });
  });
});

describe('burst', () => {
  test('admits its size at once and then one for each share of the smallest window', () => {
    const ask = taker();
    const groups = [group({ per_minute: 60, per_day: 1000, burst: 3 })];
    const offsets = [0, 0, 0, 0, 999, 1000, 1000, 1999, 2000, 5000, 5000, 5000, 5000];
    const outcomes = offsets.map((offset) => ask(groups, NOW + offset).refused);
    expect(outcomes).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
      true,
      true,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  test('is told by its window, with nothing remaining, until one request fits again', () => {
    const ask = taker();
    const groups = [group({ per_minute: 60, burst: 1 })];
    ask(groups);
    expect(ask(groups, NOW + 400)).toMatchObject({
      reason: 'rate_limited',
      binding: { label: 'burst', limit: 60, policy: '60/minute', retryAtMs: NOW + 1000 },
    });
  });

  test('counts requests, whatever their cost', () => {
    const ask = taker();
    const groups = [group({ per_minute: 600, burst: 3 }, 50)];
    expect([1, 2, 3, 4].map(() => ask(groups).refused)).toEqual([false, false, false, true]);
    expect(ask(groups).taken.usages.find((one) => one.label === 'minute')?.remaining).toBe(450);
  });

  test('refills by the smallest window, be it a month of 30 days', () => {
    const ask = taker();
    const groups = [group({ per_month: 30, burst: 1 })];
    ask(groups);
    const day = 86_400_000;
    expect(ask(groups, NOW + day - 1).refused).toBe(true);
    expect(ask(groups, NOW + day).refused).toBe(false);
  });
});

describe('all limits are taken together, all or nothing', () => {
  test('a refused request is charged to none', () => {
    const ask = taker();
    const wide = group({ per_minute: 10, burst: 10 }, 1, 'wide');
    const narrow = group({ per_minute: 1 }, 1, 'narrow');
    expect(ask([wide, narrow]).refused).toBe(false);
    for (let count = 0; count < 50; count += 1) {
      expect(ask([wide, narrow]).refused).toBe(true);
      expect(ask([narrow, wide]).refused).toBe(true);
    }
    const usages = ask([wide]).taken.usages.map((one) => [one.label, one.remaining]);
    expect(usages).toEqual([
      ['minute', 8],
      ['burst', 8],
    ]);
  });

  test('within one counter too: the day is not charged when the minute refuses', () => {
    const ask = taker();
    const groups = [
      group({ per_minute: 2, per_day: 100, burst: 50, quota: { requests: 100, per: 'month' } }),
    ];
    for (let count = 0; count < 20; count += 1) ask(groups);
    const next = ask(groups, NOW + 60_000).taken.usages;
    expect(next.map((one) => [one.label, one.remaining])).toEqual([
      ['minute', 1],
      ['day', 97],
      ['quota', 97],
      ['burst', 49],
    ]);
  });

  test('a receipt is given for what was charged only', () => {
    const ask = taker();
    const groups = [group({ per_minute: 1 })];
    expect(ask(groups).taken.receipt).toMatchObject({ groups, takenAtMs: NOW });
    expect(ask(groups).taken.receipt).toBeUndefined();
  });
});

describe('cost', () => {
  test('is taken from each window, and what does not fit whole is refused', () => {
    const ask = taker();
    const groups = [group({ per_minute: 12, per_day: 100 }, 5)];
    expect(ask(groups).binding).toMatchObject({ label: 'minute', remaining: 7 });
    expect(ask(groups).binding).toMatchObject({ label: 'minute', remaining: 2 });
    expect(ask(groups)).toMatchObject({ refused: true, binding: { label: 'minute', limit: 12 } });
    expect(ask([group({ per_minute: 12, per_day: 100 }, 2)]).refused).toBe(false);
  });

  test('a cost of 0 is counted by no window', () => {
    const ask = taker();
    for (let count = 0; count < 5; count += 1)
      expect(ask([group({ per_minute: 1 }, 0)]).refused).toBe(false);
    expect(ask([group({ per_minute: 1 })]).refused).toBe(false);
  });
});

describe('what the client is told', () => {
  test('on an allow the window with the fewest units remaining, never a bucket', () => {
    const ask = taker();
    const groups = [group({ per_minute: 10, per_day: 8, burst: 2 })];
    expect(ask(groups).binding).toMatchObject({
      label: 'day',
      remaining: 7,
      resetAtMs: at('2026-08-16'),
    });
  });

  test('on a refusal the longest wait of those that refused', () => {
    const ask = taker();
    const groups = [group({ per_minute: 1, per_hour: 1, per_day: 5, burst: 9 })];
    ask(groups);
    expect(ask(groups).binding).toMatchObject({
      label: 'hour',
      remaining: 0,
      retryAtMs: at('2026-08-15T13:00:00Z'),
      resetAtMs: at('2026-08-15T13:00:00Z'),
    });
  });
});

describe('a clock that is set back', () => {
  test('opens no window again', () => {
    const ask = taker();
    const groups = [group({ per_minute: 1 })];
    ask(groups);
    expect(ask(groups, NOW - 60_000).refused).toBe(true);
    expect(ask(groups, NOW - 86_400_000 * 40).refused).toBe(true);
    expect(ask(groups, at('2026-08-15T12:31:00Z')).refused).toBe(false);
  });

  test('empties no bucket', () => {
    const ask = taker();
    const groups = [group({ per_minute: 60, burst: 2 })];
    ask(groups);
    expect(ask(groups, NOW - 30_000).refused).toBe(false);
  });

  test('fills no bucket', () => {
    const ask = taker();
    const groups = [group({ per_minute: 60, burst: 2 })];
    ask(groups);
    ask(groups);
    expect(ask(groups, NOW - 30_000).refused).toBe(true);
    expect(ask(groups, NOW + 999).refused).toBe(true);
    expect(ask(groups, NOW + 1000).refused).toBe(false);
  });
});

describe('settling a cost', () => {
  const charged = (cost: number) => {
    const groups = [group({ per_minute: 100, per_day: 100, burst: 2 }, cost)];
    return { groups, state: take([undefined], groups, NOW).next[0] as CounterState };
  };
  const remaining = (state: CounterState, nowMs = NOW) =>
    take([state], [group({ per_minute: 100, per_day: 100, burst: 2 }, 0)], nowMs).taken.usages.map(
      (one) => one.remaining,
    );

  test.each([
    ['more', 10, [90, 90, 0]],
    ['less', 2, [98, 98, 0]],
    ['nothing, and the bucket has its request back', 0, [100, 100, 1]],
  ])('charges %s', (_, to, expected) => {
    const { state } = charged(5);
    expect(remaining(settle(state, { from: 5, to, takenAtMs: NOW }))).toEqual(expected);
  });

  test('leaves a window that began since alone', () => {
    const later = NOW + 60_000;
    const { state, groups } = charged(5);
    const next = take([state], groups, later).next[0] as CounterState;
    const settled = settle(next, { from: 5, to: 1, takenAtMs: NOW });
    expect(settled.windows.map((one) => one.count)).toEqual([5, 6]);
  });
});

describe('a change of figures', () => {
  test('keeps what was counted', () => {
    const ask = taker();
    const before = group({ per_minute: 5, burst: 5 });
    for (let count = 0; count < 5; count += 1) ask([before]);
    expect(ask([group({ per_minute: 6, burst: 6 })]).refused).toBe(false);
    expect(ask([group({ per_minute: 6, burst: 6 })]).refused).toBe(true);
    expect(ask([group({ per_minute: 3, burst: 3 })]).refused).toBe(true);
    expect(ask([group({ per_minute: 3, per_hour: 9, burst: 3 })]).refused).toBe(true);
  });

  test('a window taken away and given back has not forgotten', () => {
    const ask = taker();
    for (let count = 0; count < 3; count += 1) ask([group({ per_minute: 9, per_day: 3 })]);
    expect(ask([group({ per_minute: 9 })]).refused).toBe(false);
    expect(ask([group({ per_minute: 9, per_day: 3 })]).refused).toBe(true);
  });
});

describe('a plan', () => {
  const plan = compilePlan('p', {
    per_minute: 60,
    per_day: 100,
    burst: 10,
    jwt: { per_minute: 5 },
    anonymous: { per_minute: 1, per_day: 2, quota: { requests: 9, per: 'month' } },
  });
  const limits = (kind: 'api_key' | 'jwt' | 'anonymous', one = plan) =>
    one.figures[kind].windows.map((window) => window.policy);

  test('has its own figures for each kind of credential', () => {
    expect(limits('api_key')).toEqual(['60/minute', '100/day']);
    expect(limits('jwt')).toEqual(['5/minute', '100/day']);
    expect(limits('anonymous')).toEqual(['1/minute', '2/day', '9/month']);
    expect(plan.figures.jwt.bucket).toMatchObject({ size: 10, limit: 5, lengthMs: 60_000 });
  });

  test('gives way to the overrides of a workspace, for every kind of credential', () => {
    const over = overridePlan(plan, { per_minute: 600, per_hour: 7 });
    expect(over.name).toBe('p');
    expect(limits('api_key', over)).toEqual(['600/minute', '7/hour', '100/day']);
    expect(limits('jwt', over)).toEqual(['600/minute', '7/hour', '100/day']);
    expect(over.figures.api_key.bucket).toMatchObject({ size: 10, limit: 600 });
  });
});
