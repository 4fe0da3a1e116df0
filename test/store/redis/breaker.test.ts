import { beforeEach, expect, it } from 'vitest';
import { type Breaker, createBreaker } from '../../../src/store/redis/link/breaker.ts';

let nowMs: number;
let breaker: Breaker;

beforeEach(() => {
  nowMs = 1000;
  breaker = createBreaker(() => nowMs);
});

function close(): void {
  breaker.probing();
  breaker.probed(true);
}

function fail(times: number): readonly boolean[] {
  return Array.from({ length: times }, () => breaker.failed());
}

it('begins open', () => {
  expect(breaker.state()).toBe('open');
  expect(breaker.sinceMs()).toBe(1000);
});

it('is half open while it is tried, and closed once that succeeded', () => {
  breaker.probing();
  expect(breaker.state()).toBe('half_open');
  nowMs = 2000;
  expect(breaker.probed(true)).toBe(true);
  expect(breaker.state()).toBe('closed');
  expect(breaker.sinceMs()).toBe(2000);
});

it('stays open, since the same moment, when a trial fails', () => {
  nowMs = 2000;
  breaker.probing();
  expect(breaker.probed(false)).toBe(false);
  expect(breaker.state()).toBe('open');
  expect(breaker.sinceMs()).toBe(1000);
});

it('opens after five failures in a row, and says so once', () => {
  close();
  expect(fail(7)).toEqual([false, false, false, false, true, false, false]);
  expect(breaker.state()).toBe('open');
});

it('stays closed when calls are answered in between', () => {
  close();
  for (let turn = 0; turn < 10; turn += 1) {
    expect(fail(4)).not.toContain(true);
    breaker.passed();
  }
  expect(breaker.state()).toBe('closed');
});

it('opens at once when the connection is gone, and says whether it was closed', () => {
  expect(breaker.open()).toBe(false);
  close();
  expect(breaker.open()).toBe(true);
  expect(breaker.open()).toBe(false);
});

it('is not closed by an answer, nor by a trial of a connection that is gone', () => {
  breaker.passed();
  expect(breaker.state()).toBe('open');
  breaker.probing();
  breaker.open();
  expect(breaker.probed(true)).toBe(false);
  expect(breaker.state()).toBe('open');
});

it('tells who waits that it is closed', async () => {
  const closed = breaker.closed();
  close();
  await closed;
  await breaker.closed();
});
