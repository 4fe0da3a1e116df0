import { expect, it } from 'vitest';
import { createRedisClock } from '../../../src/store/redis/link/redis-clock.ts';

/** Redis' clock is this much ahead of `performance.now()`. */
const OFFSET_MS = 1_700_000_000_000;

it('is unknown before the first answer, and after it was forgotten', () => {
  const clock = createRedisClock();
  expect(clock.earliestMs(0)).toBeUndefined();
  clock.observe(OFFSET_MS, 0, 1);
  clock.forget();
  expect(clock.earliestMs(1)).toBeUndefined();
});

it('is never ahead, whenever in a trip Redis looked at its clock', () => {
  for (const onTheWayMs of [0, 3, 10]) {
    const clock = createRedisClock();
    clock.observe(OFFSET_MS + 100 + onTheWayMs, 100, 110);
    expect(clock.earliestMs(200)).toBeLessThanOrEqual(OFFSET_MS + 200);
    expect(clock.earliestMs(200)).toBeGreaterThanOrEqual(OFFSET_MS + 200 - 10.1);
  }
});

it('is as narrow as the narrowest answer, also after a slow one', () => {
  const clock = createRedisClock();
  clock.observe(OFFSET_MS + 10, 0, 40);
  clock.observe(OFFSET_MS + 101, 100, 101);
  clock.observe(OFFSET_MS + 210, 200, 300);
  expect(clock.earliestMs(300)).toBeGreaterThan(OFFSET_MS + 299);
  expect(clock.earliestMs(300)).toBeLessThanOrEqual(OFFSET_MS + 300);
});

it.each([
  ['forward', 3_600_000],
  ['back', -3_600_000],
  ['forward a little', 60],
  ['back a little', -60],
])('follows a clock that was set %s, by one answer', (_, jumpMs) => {
  const clock = createRedisClock();
  clock.observe(OFFSET_MS + 100, 100, 101);
  clock.observe(OFFSET_MS + jumpMs + 200, 200, 201);
  expect(clock.earliestMs(300)).toBeLessThanOrEqual(OFFSET_MS + jumpMs + 300);
  expect(clock.earliestMs(300)).toBeGreaterThan(OFFSET_MS + jumpMs + 298);
});

it('is never ahead of a clock that drifts, over a day without an answer', () => {
  const clock = createRedisClock();
  clock.observe(OFFSET_MS + 100, 100, 101);
  const dayMs = 86_400_000;
  expect(clock.earliestMs(dayMs)).toBeLessThanOrEqual(OFFSET_MS + dayMs * (1 - 0.000_15));
});

it('follows a clock that drifts', () => {
  const clock = createRedisClock();
  for (let atMs = 0; atMs < 3_600_000; atMs += 1000) {
    const redisMs = Math.floor(OFFSET_MS + atMs * 1.0001);
    clock.observe(redisMs, atMs, atMs + 2);
    const earliestMs = clock.earliestMs(atMs + 2) ?? 0;
    expect(earliestMs).toBeLessThanOrEqual(OFFSET_MS + (atMs + 2) * 1.0001);
    expect(earliestMs).toBeGreaterThan(redisMs - 3);
  }
});
