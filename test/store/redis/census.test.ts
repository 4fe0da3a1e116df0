import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCensus } from '../../../src/store/redis/gate/census.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a process tells of itself once a second', () => {
  const census = createCensus('one');
  const told = Array.from({ length: 9 }, () => {
    const [instance] = census.args();
    vi.advanceTimersByTime(250);
    return instance;
  });
  expect(told).toEqual(['one', '', '', '', 'one', '', '', '', 'one']);
});

test('a process alone counts itself, also before it was counted', () => {
  const census = createCensus('one');
  expect(census.count()).toBe(1);
  census.learn(null);
  census.learn('0');
  expect(census.count()).toBe(1);
});

test('more processes are believed at once, fewer only after ten counts', () => {
  const census = createCensus('one');
  census.learn('2');
  census.learn('4');
  for (let count = 1; count < 10; count += 1) {
    census.learn('1');
    expect(census.count()).toBe(4);
  }
  census.learn('1');
  expect(census.count()).toBe(1);
});
