import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CounterState, LimitGroup } from '../../src/core/limit.ts';
import { compileFigures } from '../../src/core/plan.ts';
import type { WrittenFigures } from '../../src/core/policy.ts';
import { peek, settle, take } from '../../src/core/take.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import { DAY_MS, type OpenStore } from './build.ts';

export function group(written: WrittenFigures, counter = 'c', cost = 1): LimitGroup {
  return { counter, subject: counter, figures: compileFigures(written), cost };
}

/** What limits are taken from. */
export type LimitStore = Pick<Store, 'takeLimits' | 'settleLimits' | 'readLimits' | 'close'>;

/** Limits as `core/take.ts` has them, in one atomic step each. */
export function limitContract(open: () => Promise<LimitStore>): void {
  let store: LimitStore;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  test.each([
    [{ per_minute: 100 }],
    [{ per_day: 1000, burst: 100 }],
    [{ per_month: 100 }],
    [{ quota: { requests: 100, per: 'month' } }],
    [{ per_second: 900, quota: { requests: 100, per: 'day' } }],
  ] as const)('of a thousand requests at once, %j admits a hundred', async (written) => {
    const taken = await Promise.all(
      Array.from({ length: 1000 }, async () => store.takeLimits([group(written)], NOW)),
    );
    expect(taken.filter(({ refused }) => !refused)).toHaveLength(100);
  });

  test('groups are taken together or not at all', async () => {
    const wide = group({ per_day: 10 }, 'wide');
    const narrow = group({ per_minute: 1 }, 'narrow');
    const refused = [];
    for (let at = 0; at < 3; at += 1)
      refused.push((await store.takeLimits([wide, narrow], NOW)).refused);
    expect(refused).toEqual([false, true, true]);
    expect(await store.readLimits([wide], NOW)).toMatchObject([{ remaining: 9 }]);
  });

  test('a cost that is known later is settled', async () => {
    const ten = group({ per_day: 10, per_minute: 10 }, 'c', 5);
    const { receipt } = await store.takeLimits([ten], NOW);
    if (!receipt) throw new Error('it was refused');
    await store.settleLimits(receipt, 2);
    const figures = async (nowMs: number) =>
      (await store.readLimits([ten], nowMs)).map(({ remaining }) => remaining);
    expect(await figures(NOW)).toEqual([8, 8]);
    await store.settleLimits({ ...receipt, groups: [{ ...ten, cost: 2 }] }, 0);
    expect(await figures(NOW)).toEqual([10, 10]);
  });

  test('reading tells what stands before a request, and takes nothing', async () => {
    const three = group({ per_minute: 3, burst: 3 });
    for (let at = 0; at < 5; at += 1) {
      expect(await store.readLimits([three], NOW)).toMatchObject([
        { limit: 3, remaining: 3, retryAtMs: undefined },
        { burst: 3, remaining: 3 },
      ]);
    }
    for (let at = 0; at < 3; at += 1) await store.takeLimits([three], NOW);
    expect(await store.readLimits([three], NOW)).toMatchObject([
      { remaining: 0, retryAtMs: expect.any(Number) },
      { remaining: 0, retryAtMs: expect.any(Number) },
    ]);
  });

  const figures: fc.Arbitrary<WrittenFigures> = fc.constantFrom<WrittenFigures>(
    { per_second: 2, per_day: 9 },
    { per_minute: 3, burst: 2 },
    { per_month: 7 },
    { per_hour: 4, quota: { requests: 6, per: 'day' } },
  );
  const step = fc.record({
    afterMs: fc.constantFrom(0, 1, 400, 61_000, DAY_MS / 2, 20 * DAY_MS),
    counter: fc.constantFrom('a', 'b'),
    cost: fc.integer({ min: 1, max: 3 }),
    settled: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
  });

  test('whatever is asked, the answer is that of the pure function', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(figures, fc.array(step, { maxLength: 40 }), async (written, steps) => {
        run += 1;
        const model = new Map<string, CounterState | undefined>();
        let nowMs = NOW;
        for (const { afterMs, counter, cost, settled } of steps) {
          nowMs += afterMs;
          const one = group(written, `${run} ${counter}`, cost);
          const states = [model.get(counter)];
          expect(await store.readLimits([one], nowMs)).toEqual(peek(states, [one], nowMs));
          const { taken, next } = take(states, [one], nowMs);
          expect(await store.takeLimits([one], nowMs)).toEqual(taken);
          model.set(counter, next[0]);
          if (settled === undefined || !taken.receipt || !next[0]) continue;
          await store.settleLimits(taken.receipt, settled);
          model.set(counter, settle(next[0], { from: cost, to: settled, takenAtMs: nowMs }));
        }
      }),
      { numRuns: 60 },
    );
  });
}

/** Counters in this process are of a bounded number of subjects; those of a server are not. */
export function boundedLimitContract(open: OpenStore): void {
  test('no more subjects are held than allowed, and what was forgotten is counted', async () => {
    const small = await open({ maxSubjects: 3 });
    for (const counter of ['a', 'b', 'c', 'd']) {
      await small.takeLimits([group({ per_minute: 1 }, counter)], NOW);
    }
    expect(small.counts()).toMatchObject({ subjects: 3, forgotten: 1 });
    await small.close();
  });

  test('who is refused is not forgotten before those who came less lately', async () => {
    const small = await open({ maxSubjects: 2 });
    const ask = async (counter: string) =>
      (await small.takeLimits([group({ per_minute: 1 }, counter)], NOW)).refused;
    expect([await ask('a'), await ask('b'), await ask('a'), await ask('c')]).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(await ask('a')).toBe(true);
    await small.close();
  });
}
