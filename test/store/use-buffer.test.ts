import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SummedUse } from '../../src/store/batch.ts';
import { USE_WRITE_MS } from '../../src/store/store.ts';
import { createUseBuffer } from '../../src/store/use-buffer.ts';
import { NOW } from '../core/build.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const TURNS = 10;
const OPTIONS = { partSize: 100_000, uses: { least: 1000, turns: TURNS } };

function openBuffer() {
  const turns: (readonly SummedUse[])[] = [];
  const write = async ({ uses }: { readonly uses: readonly SummedUse[] }) => void turns.push(uses);
  return { turns, buffer: createUseBuffer(write, OPTIONS) };
}

test('a few keys are written in the next turn, their uses summed', async () => {
  const { turns, buffer } = openBuffer();
  for (const at of [1, 3, 2]) buffer.recordUse({ keyId: 'a', nowMs: NOW + at });
  buffer.recordUse({ keyId: 'a', nowMs: NOW, reason: 'rate_limited' });
  await vi.advanceTimersByTimeAsync(USE_WRITE_MS);
  const [[use] = []] = turns;
  expect(turns).toHaveLength(1);
  expect(use?.lastMs).toBe(NOW + 3);
  expect(use?.counts.map(({ reason, count }) => [reason, count])).toEqual([
    ['', 3],
    ['rate_limited', 1],
  ]);
});

test('many keys are written in turns, who waits longest first, and none waits longer than told', async () => {
  const { turns, buffer } = openBuffer();
  const keys = 20_000;
  for (let at = 0; at < keys; at += 1) buffer.recordUse({ keyId: `k${at}`, nowMs: NOW });
  await vi.advanceTimersByTimeAsync(USE_WRITE_MS);
  expect(new Set(turns[0]?.map(({ keyId }) => keyId)).has('k0')).toBe(true);
  expect(turns[0]).toHaveLength(keys / TURNS);
  // One that is used again meanwhile keeps its place.
  buffer.recordUse({ keyId: `k${keys - 1}`, nowMs: NOW + 1 });
  await vi.advanceTimersByTimeAsync(USE_WRITE_MS * (TURNS - 1));
  const written = turns.flat();
  expect(written).toHaveLength(keys);
  expect(written.find(({ keyId }) => keyId === `k${keys - 1}`)?.lastMs).toBe(NOW + 1);
});

test('a flush writes all, and what could not be written is written later', async () => {
  let isBroken = true;
  const written: SummedUse[] = [];
  const write = async ({ uses }: { readonly uses: readonly SummedUse[] }) => {
    if (isBroken) throw new Error('the disk is full');
    written.push(...uses);
  };
  const buffer = createUseBuffer(write, { ...OPTIONS, partSize: 2 });
  for (const keyId of ['a', 'b', 'c']) buffer.recordUse({ keyId, nowMs: NOW });
  await expect(buffer.flush()).rejects.toThrow('the disk is full');
  buffer.recordUse({ keyId: 'a', nowMs: NOW + 1 });
  isBroken = false;
  await buffer.flush();
  expect(written.map(({ keyId, counts }) => [keyId, counts[0]?.count])).toEqual([
    ['a', 2],
    ['b', 1],
    ['c', 1],
  ]);
});
