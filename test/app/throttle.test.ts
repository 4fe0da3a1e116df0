import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createThrottle } from '../../src/app/throttle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A throttle of one call a second, and what it told. */
function open() {
  const told: [string, number][] = [];
  const throttle = createThrottle(1000);
  const call = (text: string) => throttle(text, (untold) => told.push([text, untold]));
  return { told, call };
}

test('what is said again and again is told once in a while, with how often it was not', () => {
  const { told, call } = open();
  for (let at = 0; at < 25; at += 1) {
    call('down');
    vi.advanceTimersByTime(100);
  }
  expect(told).toEqual([
    ['down', 0],
    ['down', 9],
    ['down', 9],
  ]);
});

test('one text does not hide another', () => {
  const { told, call } = open();
  for (const text of ['down', 'down', 'late', 'down']) call(text);
  expect(told).toEqual([
    ['down', 0],
    ['late', 0],
  ]);
});

test('texts without end are told, and not all remembered', () => {
  const { told, call } = open();
  for (let at = 0; at < 100; at += 1) call(String(at));
  call('99');
  expect(told).toHaveLength(100);
});
