import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LimitGroup, Taken } from '../../../src/core/limit.ts';
import { limitHeaders } from '../../../src/core/limit-headers.ts';
import { windowAt } from '../../../src/core/take.ts';
import { createCounters } from '../../../src/store/counters.ts';
import {
  type DegradableLimits,
  type FailureOptions,
  type Limits,
  withFailureMode,
} from '../../../src/store/redis/limits/degraded.ts';
import { RedisDown } from '../../../src/store/redis/link/link.ts';
import { NOW } from '../../core/build.ts';
import { group } from '../contract-limits.ts';

const MINUTE = 1;

/** A store of counters that answers later, as one over a network does, and fails on demand. */
function openShared() {
  const counters = createCounters(1000);
  const shared = { cause: undefined as Error | undefined, limits: undefined as unknown as Limits };
  const trip = async <T>(ask: () => T): Promise<Awaited<T>> => {
    await undefined;
    if (shared.cause) throw shared.cause;
    return await ask();
  };
  shared.limits = {
    takeLimits: (groups, nowMs) => trip(() => counters.takeLimits(groups, nowMs)),
    settleLimits: (receipt, cost) => trip(() => counters.settleLimits(receipt, cost)),
    readLimits: (groups, nowMs) => trip(() => counters.readLimits(groups, nowMs)),
  };
  return shared;
}

function open(options: Partial<FailureOptions> = {}) {
  const shared = openShared();
  const clock = { ms: 0 };
  const causes: unknown[] = [];
  const limits = withFailureMode(shared.limits, {
    mode: 'local',
    replicas: () => 4,
    maxSubjects: 100,
    now: () => clock.ms,
    onFailure: (cause) => causes.push(cause),
    ...options,
  });
  return { shared, limits, clock, causes };
}

const DOWN = new RedisDown('it is away');

async function admitted(limits: Limits, asked: LimitGroup, times: number, nowMs = NOW) {
  let count = 0;
  for (let at = 0; at < times; at += 1) {
    if (!(await limits.takeLimits([asked], nowMs)).refused) count += 1;
  }
  return count;
}

describe('local', () => {
  test.each([
    ['a part of the limit', { per_minute: 100 }, 4, 25],
    ['rounded down', { per_minute: 103 }, 4, 25],
    ['one at least', { per_minute: 3 }, 4, 1],
    ['all of it where nobody shares it', { per_minute: 100 }, 1, 100],
    ['all of it where the count is unknown', { per_minute: 100 }, Number.NaN, 100],
    ['nothing of a limit of nothing', { per_minute: 0 }, 4, 0],
    ['a part of the bucket', { per_minute: 100, burst: 20 }, 4, 5],
    ['one of a small bucket', { per_minute: 100, burst: 2 }, 4, 1],
  ] as const)('a process admits %s', async (_, written, replicas, want) => {
    const { limits, shared } = open({ replicas: () => replicas });
    shared.cause = DOWN;
    expect(await admitted(limits, group(written), 200)).toBe(want);
  });

  test('a bucket refills at exactly one part of the rate', async () => {
    const { limits, shared } = open();
    shared.cause = DOWN;
    const asked = group({ per_second: 2, burst: 8 });
    const rateOnly = { ...asked, figures: { ...asked.figures, windows: [] } };
    expect(await admitted(limits, rateOnly, 50)).toBe(2);
    expect(await admitted(limits, rateOnly, 50, NOW + 1999)).toBe(0);
    expect(await admitted(limits, rateOnly, 50, NOW + 2000)).toBe(1);
  });

  test('headers name the limit of the plan, and what this process will still admit', async () => {
    const { limits, shared } = open();
    shared.cause = DOWN;
    const asked = group({ per_minute: 100, burst: 40 });
    const taken = await limits.takeLimits([asked], NOW);
    const minuteEndMs = windowAt(MINUTE, NOW).endMs;
    expect(taken.usages).toMatchObject([
      { limit: 100, policy: '100/minute', remaining: 24, resetAtMs: minuteEndMs },
      { limit: 100, burst: 40, policy: '100/minute', remaining: 9 },
    ]);
    const headers = new Map(limitHeaders({ legacy: true, ietf: true }, taken, NOW));
    expect(headers.get('x-ratelimit-limit')).toBe('100');
    expect(headers.get('x-ratelimit-remaining')).toBe('24');
    expect(headers.get('ratelimit-policy')).toBe('"minute";q=100;w=60, "burst";q=40;w=24');
    expect(await limits.readLimits([asked], NOW)).toMatchObject([
      { limit: 100, remaining: 24 },
      { burst: 40, remaining: 9 },
    ]);
  });

  test('groups are taken together or not at all', async () => {
    const { limits, shared } = open();
    shared.cause = DOWN;
    const wide = group({ per_day: 40 }, 'wide');
    const narrow = group({ per_minute: 4 }, 'narrow');
    const refused = [];
    for (let at = 0; at < 3; at += 1)
      refused.push((await limits.takeLimits([wide, narrow], NOW)).refused);
    expect(refused).toEqual([false, true, true]);
    expect(await limits.readLimits([wide], NOW)).toMatchObject([{ remaining: 9 }]);
  });

  test('an outage within the same window goes on counting where the last one ended', async () => {
    const { limits, shared } = open();
    const asked = group({ per_minute: 100 });
    shared.cause = DOWN;
    expect(await admitted(limits, asked, 20)).toBe(20);
    shared.cause = undefined;
    expect(await admitted(limits, asked, 10)).toBe(10);
    shared.cause = DOWN;
    expect(await admitted(limits, asked, 20)).toBe(5);
    expect(await admitted(limits, asked, 50, NOW + 60_000)).toBe(25);
  });

  test('when replicas join, the share of the window becomes smaller', async () => {
    let replicas = 2;
    const { limits, shared } = open({ replicas: () => replicas });
    shared.cause = DOWN;
    const asked = group({ per_minute: 100 });
    expect(await admitted(limits, asked, 20)).toBe(20);
    replicas = 4;
    expect(await admitted(limits, asked, 20)).toBe(5);
  });

  test("windows go by Redis' clock as long as it is known", async () => {
    let redisNowMs: number | undefined = NOW + 60_000;
    const { limits, shared } = open({ redisNowMs: () => redisNowMs });
    shared.cause = DOWN;
    const taken = await limits.takeLimits([group({ per_minute: 100 })], NOW);
    expect(taken.receipt?.takenAtMs).toBe(NOW + 60_000);
    redisNowMs = undefined;
    const unknown = await limits.takeLimits([group({ per_minute: 100 }, 'other')], NOW);
    expect(unknown.receipt?.takenAtMs).toBe(NOW);
  });
});

describe('the other modes', () => {
  test('allow admits without figures, and so without headers', async () => {
    const { limits, shared } = open({ mode: 'allow' });
    shared.cause = DOWN;
    const asked = group({ per_minute: 1 });
    expect(await admitted(limits, asked, 50)).toBe(50);
    const taken = await limits.takeLimits([asked], NOW);
    expect(taken).toEqual({ usages: [], refused: false });
    expect(limitHeaders({ legacy: true, ietf: true }, taken, NOW)).toEqual([]);
    expect(await limits.readLimits([asked], NOW)).toEqual([]);
  });

  test.each([
    ['a limit of nothing', { per_minute: 0 }, 1],
    ['a cost above the limit', { per_minute: 2 }, 3],
  ] as const)('allow still refuses %s', async (_, written, cost) => {
    const { limits, shared } = open({ mode: 'allow' });
    shared.cause = DOWN;
    expect(await limits.takeLimits([group(written, 'c', cost)], NOW)).toMatchObject({
      refused: true,
    });
  });

  test('deny hands the failure on, and is not called degraded', async () => {
    const { limits, shared } = open({ mode: 'deny' });
    shared.cause = DOWN;
    const asked = [group({ per_minute: 1 })];
    await expect(limits.takeLimits(asked, NOW)).rejects.toBe(DOWN);
    await expect(limits.readLimits(asked, NOW)).rejects.toBe(DOWN);
    expect(limits.isDegraded()).toBe(false);
  });
});

describe('what failed', () => {
  test.each([
    ['a rejection', DOWN],
    ['one subject alone', new Error('WRONGTYPE Operation against a key')],
  ])('%s is answered by the mode', async (_, cause) => {
    const { limits, shared, causes } = open();
    shared.cause = cause;
    expect(await admitted(limits, group({ per_minute: 100 }), 50)).toBe(25);
    expect(causes).toContain(cause);
    shared.cause = undefined;
    expect(await admitted(limits, group({ per_minute: 100 }), 200)).toBe(100);
  });

  test('so is a store that throws at once', () => {
    const thrown: Limits = {
      takeLimits: () => {
        throw DOWN;
      },
      settleLimits: () => {
        throw DOWN;
      },
      readLimits: () => {
        throw DOWN;
      },
    };
    const limits = withFailureMode(thrown, {
      mode: 'local',
      replicas: () => 2,
      maxSubjects: 10,
      now: () => 0,
    });
    const asked = [group({ per_minute: 4 })];
    const taken = limits.takeLimits(asked, NOW);
    expect(taken).toMatchObject({ refused: false, usages: [{ remaining: 1 }] });
    expect(limits.readLimits(asked, NOW)).toMatchObject([{ remaining: 1 }]);
    expect(limits.settleLimits({ groups: asked, takenAtMs: NOW }, 0)).toBeUndefined();
  });

  test('a spell without the store begins once, and ends when the store answers a second later', async () => {
    const { limits, shared, clock, causes } = open();
    const asked = group({ per_minute: 100 });
    expect(limits.isDegraded()).toBe(false);
    shared.cause = DOWN;
    clock.ms = 100;
    await admitted(limits, asked, 3);
    expect(limits.isDegraded()).toBe(true);
    expect(causes).toEqual([DOWN, DOWN, DOWN]);
    shared.cause = undefined;
    clock.ms = 1099;
    await admitted(limits, asked, 1);
    expect(limits.isDegraded()).toBe(true);
    clock.ms = 1100;
    await admitted(limits, asked, 1);
    expect(limits.isDegraded()).toBe(false);
  });

  test('a spell without requests ends when a probe is answered', async () => {
    const { limits, shared, clock } = open();
    shared.cause = DOWN;
    await admitted(limits, group({ per_minute: 100 }), 1);
    expect(limits.isDegraded()).toBe(true);
    clock.ms = 5000;
    limits.answered();
    expect(limits.isDegraded()).toBe(false);
  });
});

describe('receipts', () => {
  const asked = group({ per_minute: 100 }, 'c', 5);
  const remaining = async (limits: DegradableLimits) =>
    (await limits.readLimits([asked], NOW)).map((usage) => usage.remaining);
  const receiptOf = ({ receipt }: Taken) => {
    if (!receipt) throw new Error('it was refused');
    return receipt;
  };

  test('one charged here is settled here, also when the store is back', async () => {
    const { limits, shared } = open();
    shared.cause = DOWN;
    const receipt = receiptOf(await limits.takeLimits([asked], NOW));
    shared.cause = undefined;
    await limits.settleLimits(receipt, 2);
    await limits.settleLimits({ ...receipt, groups: [{ ...asked, cost: 2 }] }, 1);
    expect(await remaining(limits)).toEqual([100]);
    shared.cause = DOWN;
    expect(await remaining(limits)).toEqual([24]);
  });

  test.each(['local', 'allow', 'deny'] as const)(
    'one charged in the store fails no request that settles it in an outage: %s',
    async (mode) => {
      const { limits, shared, causes } = open({ mode });
      const receipt = receiptOf(await limits.takeLimits([asked], NOW));
      shared.cause = DOWN;
      await limits.settleLimits(receipt, 0);
      expect(causes).toEqual([DOWN]);
      shared.cause = undefined;
      expect(await remaining(limits)).toEqual([95]);
      await limits.settleLimits(receipt, 0);
      expect(await remaining(limits)).toEqual([100]);
    },
  );
});

describe('several processes over one store', () => {
  const REPLICAS = 4;
  const openAll = (shared: { readonly limits: Limits }) =>
    Array.from({ length: REPLICAS }, () =>
      withFailureMode(shared.limits, {
        mode: 'local',
        replicas: () => REPLICAS,
        maxSubjects: 10,
        now: () => 0,
      }),
    );
  const step = fc.record({
    who: fc.nat({ max: REPLICAS - 1 }),
    times: fc.integer({ min: 1, max: 12 }),
    cost: fc.integer({ min: 1, max: 3 }),
    afterMs: fc.constantFrom(0, 0, 0, 1, 500, 20_000, 61_000),
    isAway: fc.boolean(),
  });

  /** The most units that were admitted in one window. */
  async function mostAdmitted(
    limit: number,
    steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
  ): Promise<number> {
    const shared = openShared();
    const processes = openAll(shared);
    const { figures } = group({ per_minute: limit });
    const units = new Map<number, number>();
    let nowMs = NOW;
    for (const { who, times, cost, afterMs, isAway } of steps) {
      nowMs += afterMs;
      shared.cause = isAway ? DOWN : undefined;
      const asked = { counter: 'c', subject: 'c', figures, cost };
      const count = await admitted(processes[who] ?? shared.limits, asked, times, nowMs);
      const { startMs } = windowAt(MINUTE, nowMs);
      units.set(startMs, (units.get(startMs) ?? 0) + count * cost);
    }
    return Math.max(0, ...units.values());
  }

  test('admit at most L + N * max(1, floor(L / N)) in a window, whatever outages fall into it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.array(step, { maxLength: 60 }),
        async (limit, steps) => {
          const share = limit === 0 ? 0 : Math.max(1, Math.floor(limit / REPLICAS));
          expect(await mostAdmitted(limit, steps)).toBeLessThanOrEqual(limit + REPLICAS * share);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('reach that bound when the store goes away after it admitted the whole limit', async () => {
    const shared = openShared();
    const processes = openAll(shared);
    const asked = group({ per_minute: 100 });
    let sum = 0;
    for (const cause of [undefined, DOWN, undefined, DOWN]) {
      shared.cause = cause;
      for (const limits of processes) sum += await admitted(limits, asked, 150);
    }
    expect(sum).toBe(200);
  });
});
