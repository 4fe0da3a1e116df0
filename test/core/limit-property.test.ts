import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CounterState, LimitGroup } from '../../src/core/limit.ts';
import { compileFigures } from '../../src/core/plan.ts';
import type { WrittenFigures } from '../../src/core/policy.ts';
import { take } from '../../src/core/take.ts';
import { NOW } from './build.ts';

const LENGTHS_MS = {
  per_second: 1000,
  per_minute: 60_000,
  per_hour: 3_600_000,
  per_day: 86_400_000,
} as const;
/** How much of an ISO date says which window a moment is in. */
const DIGITS = { per_second: 19, per_minute: 16, per_hour: 13, per_day: 10, per_month: 7 } as const;
const WINDOW_KEYS = ['per_second', 'per_minute', 'per_hour', 'per_day', 'per_month'] as const;

type Admitted = { readonly atMs: number; readonly cost: number };

/** Whether a request fits, told from the log of all that was admitted before; slow and plain. */
function modelFits(
  written: WrittenFigures,
  log: readonly Admitted[],
  atMs: number,
  cost: number,
): boolean {
  const used = (digits: number) => {
    const window = new Date(atMs).toISOString().slice(0, digits);
    return log
      .filter((one) => new Date(one.atMs).toISOString().slice(0, digits) === window)
      .reduce((sum, one) => sum + one.cost, 0);
  };
  for (const key of WINDOW_KEYS) {
    const limit = written[key];
    if (limit !== undefined && used(DIGITS[key]) + cost > limit) return false;
  }
  const { quota } = written;
  if (quota && used(DIGITS[`per_${quota.per}`]) + cost > quota.requests) return false;
  return modelTokens(written, log, atMs) >= 1;
}

/** The tokens of a bucket that fills in the smallest window; exact in units of 1/length. */
function modelTokens(written: WrittenFigures, log: readonly Admitted[], atMs: number): number {
  const { burst } = written;
  const smallest = WINDOW_KEYS.find((key) => written[key] !== undefined);
  if (burst === undefined || smallest === undefined) return 1;
  const lengthMs = smallest === 'per_month' ? 2_592_000_000 : LENGTHS_MS[smallest];
  const limit = BigInt(written[smallest] ?? 0);
  const full = BigInt(burst) * BigInt(lengthMs);
  let units = full;
  let lastMs = log[0]?.atMs ?? atMs;
  const refill = (toMs: number) => {
    units += BigInt(toMs - lastMs) * limit;
    if (units > full) units = full;
    lastMs = toMs;
  };
  for (const one of log) {
    refill(one.atMs);
    units -= BigInt(lengthMs);
  }
  refill(atMs);
  return units >= BigInt(lengthMs) ? 1 : 0;
}

const limit = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined });
const figures: fc.Arbitrary<WrittenFigures> = fc
  .record({
    per_second: limit,
    per_minute: limit,
    per_hour: limit,
    per_day: limit,
    per_month: limit,
    burst: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    quota: fc.option(
      fc.record({
        requests: fc.integer({ min: 1, max: 20 }),
        per: fc.constantFrom('day' as const, 'month' as const),
      }),
      { nil: undefined },
    ),
  })
  .filter((one) => WINDOW_KEYS.some((key) => one[key] !== undefined));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 90_000_000 }) },
);
const cost = fc.integer({ min: 1, max: 3 });
const requests = fc.array(fc.tuple(step, cost), { maxLength: 60 });

test('a counter admits exactly what a log of the past admits', () => {
  fc.assert(
    fc.property(figures, requests, (written, asked) => {
      const compiled = compileFigures(written);
      const log: Admitted[] = [];
      let state: CounterState | undefined;
      let nowMs = NOW;
      for (const [stepMs, units] of asked) {
        nowMs += stepMs;
        const group: LimitGroup = { counter: 'c', subject: 's', figures: compiled, cost: units };
        const { taken, next } = take([state], [group], nowMs);
        expect(taken.refused).toBe(!modelFits(written, log, nowMs, units));
        if (!taken.refused) log.push({ atMs: nowMs, cost: units });
        state = next[0];
      }
    }),
    { numRuns: 1000 },
  );
});

test('groups are admitted together exactly when each would be alone', () => {
  fc.assert(
    fc.property(figures, figures, requests, (one, other, asked) => {
      const written = [one, other];
      const compiled = written.map((each) => compileFigures(each));
      const log: Admitted[] = [];
      let states: readonly (CounterState | undefined)[] = [undefined, undefined];
      let nowMs = NOW;
      for (const [stepMs, units] of asked) {
        nowMs += stepMs;
        const groups = compiled.map((each, at) => ({
          counter: `c${at}`,
          subject: 's',
          figures: each,
          cost: units,
        }));
        const { taken, next } = take(states, groups, nowMs);
        const fits = written.every((each) => modelFits(each, log, nowMs, units));
        expect(taken.refused).toBe(!fits);
        if (taken.refused) expect(next).toEqual(states);
        else log.push({ atMs: nowMs, cost: units });
        states = next;
      }
    }),
    { numRuns: 500 },
  );
});

test('in any interval a bucket admits at most its size and what it refilled', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 8 }),
      fc.array(step, { maxLength: 120 }),
      (perMinute, burst, steps) => {
        const compiled = {
          windows: [],
          bucket: compileFigures({ per_minute: perMinute, burst }).bucket,
        };
        const admitted: number[] = [];
        let state: CounterState | undefined;
        let nowMs = NOW;
        for (const stepMs of steps) {
          nowMs += stepMs;
          const { taken, next } = take(
            [state],
            [{ counter: 'c', subject: 's', figures: compiled, cost: 1 }],
            nowMs,
          );
          if (!taken.refused) admitted.push(nowMs);
          state = next[0];
        }
        for (const [first, fromMs] of admitted.entries()) {
          for (let last = first; last < admitted.length; last += 1) {
            const lengthMs = (admitted[last] ?? 0) - fromMs;
            const most = burst + (perMinute * lengthMs) / 60_000;
            expect(last - first + 1).toBeLessThanOrEqual(most + 1e-9);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a refused request fits at the time it is told, and not a millisecond before', () => {
  fc.assert(
    fc.property(figures, requests, (written, asked) => {
      const compiled = compileFigures(written);
      let state: CounterState | undefined;
      let nowMs = NOW;
      for (const [stepMs, units] of asked) {
        nowMs += stepMs;
        const groups = [{ counter: 'c', subject: 's', figures: compiled, cost: units }];
        const { taken, next } = take([state], groups, nowMs);
        const isPossible = compiled.windows.every((window) => units <= window.limit);
        if (taken.refused && isPossible) {
          const retryAtMs = Math.max(...taken.usages.map((one) => one.retryAtMs ?? 0));
          expect(retryAtMs).toBeGreaterThan(nowMs);
          expect(take([state], groups, retryAtMs - 1).taken.refused).toBe(true);
          expect(take([state], groups, retryAtMs).taken.refused).toBe(false);
        }
        state = next[0];
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever the clock does, a window never holds more than its limit', () => {
  const jumps = fc.array(fc.integer({ min: -200_000, max: 200_000 }), { maxLength: 80 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), jumps, (perMinute, steps) => {
      const groups = [
        { counter: 'c', subject: 's', figures: compileFigures({ per_minute: perMinute }), cost: 1 },
      ];
      const counts = new Map<number, number>();
      let state: CounterState | undefined;
      let nowMs = NOW;
      for (const jumpMs of steps) {
        nowMs += jumpMs;
        const { taken, next } = take([state], groups, nowMs);
        state = next[0];
        if (taken.refused) continue;
        const startMs = (taken.usages[0]?.resetAtMs ?? 0) - 60_000;
        counts.set(startMs, (counts.get(startMs) ?? 0) + 1);
      }
      for (const count of counts.values()) expect(count).toBeLessThanOrEqual(perMinute);
    }),
  );
});
