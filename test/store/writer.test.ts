import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWriter } from '../../src/store/writer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const EVERY_MS = 1000;

/** A buffer of numbers, and the parts that were written; it fails as often as it is told. */
function openBuffer(partSize = 2) {
  const state = { waiting: [] as number[], written: [] as (readonly number[])[], failing: 0 };
  const failures: unknown[] = [];
  const writer = createWriter<number>(
    {
      take: () => state.waiting.splice(0),
      async write(items) {
        await Promise.resolve();
        if (state.failing > 0) {
          state.failing -= 1;
          throw new Error('full');
        }
        state.written.push(items);
      },
      restore: (items) => void state.waiting.unshift(...items),
    },
    { everyMs: EVERY_MS, partSize, onFailure: (cause) => failures.push(cause) },
  );
  const add = (...items: readonly number[]) => {
    state.waiting.push(...items);
    writer.wake();
  };
  return { state, writer, failures, add };
}

test('what is buffered is written within the time, in parts and in order', async () => {
  const { state, add } = openBuffer();
  add(1, 2, 3);
  await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
  expect(state.written).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(state.written).toEqual([[1, 2], [3]]);
});

test('no timer runs while nothing waits', async () => {
  const { add } = openBuffer();
  expect(vi.getTimerCount()).toBe(0);
  add(1);
  add(2);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  expect(vi.getTimerCount()).toBe(0);
});

test('what could not be written is told, kept and tried again, and written once', async () => {
  const { state, writer, failures, add } = openBuffer();
  state.failing = 1;
  add(1, 2, 3);
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  expect([state.written, state.waiting, failures.length]).toEqual([[], [1, 2, 3], 1]);
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  expect(state.written).toEqual([[1, 2], [3]]);
  expect(writer.failures()).toBe(1);
});

test('a flush writes what came during the one before', async () => {
  const { state, writer, add } = openBuffer();
  add(1);
  const first = writer.flush();
  add(2);
  await writer.flush();
  await first;
  expect(state.written.flat()).toEqual([1, 2]);
});

test('a flush that fails rejects, and the next one is a new one', async () => {
  const { state, writer, add } = openBuffer();
  state.failing = 1;
  add(1);
  await expect(writer.flush()).rejects.toThrow('full');
  await writer.flush();
  expect(state.written).toEqual([[1]]);
});

test('a writer that was stopped wakes no more', async () => {
  const { writer, add } = openBuffer();
  add(1);
  writer.stop();
  add(2);
  expect(vi.getTimerCount()).toBe(0);
});
