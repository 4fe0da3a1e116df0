import { expect, test } from 'vitest';
import type { CounterState, LimitGroup } from '../../src/core/limit.ts';
import { compileFigures } from '../../src/core/plan.ts';
import type { WrittenFigures } from '../../src/core/policy.ts';
import { peek, take } from '../../src/core/take.ts';
import { NOW } from './build.ts';

const group = (written: WrittenFigures, cost = 1): LimitGroup => ({
  counter: 'c',
  subject: 's',
  figures: compileFigures(written),
  cost,
});

test('nobody has taken anything: all is left', () => {
  const usages = peek([undefined], [group({ per_minute: 3, per_day: 9, burst: 2 }, 2)], NOW);
  expect(usages.map(({ policy, remaining }) => [policy, remaining])).toEqual([
    ['3/minute', 3],
    ['9/day', 9],
    ['3/minute', 2],
  ]);
  expect(usages.every(({ retryAtMs }) => retryAtMs === undefined)).toBe(true);
});

test('what is told is what the next request meets', () => {
  const one = group({ per_minute: 3, burst: 2 });
  let state: CounterState | undefined;
  for (let at = 0; at < 5; at += 1) {
    const before = peek([state], [one], NOW);
    const { taken, next } = take([state], [one], NOW);
    expect(before.some(({ retryAtMs }) => retryAtMs !== undefined)).toBe(taken.refused);
    if (taken.refused) expect(before).toEqual(taken.usages);
    else
      expect(before.map(({ remaining }) => remaining - 1)).toEqual(
        taken.usages.map((usage) => usage.remaining),
      );
    state = next[0];
  }
});

test('each group is told by its own state, in order', () => {
  const { next } = take([undefined], [group({ per_minute: 3 })], NOW);
  const usages = peek(
    [...next, undefined],
    [group({ per_minute: 3 }), group({ per_minute: 5 })],
    NOW,
  );
  expect(usages.map(({ remaining }) => remaining)).toEqual([2, 5]);
});
