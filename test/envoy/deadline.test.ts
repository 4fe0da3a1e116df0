import { expect, test, vi } from 'vitest';
import type { LimitGroup, Receipt, Taken } from '../../src/core/limit.ts';
import { guardPorts, PortFailure, type Ports } from '../../src/core/ports.ts';
import { portsWithin } from '../../src/envoy/deadline.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { NOW, ports as soundPorts } from '../core/build.ts';

const SOON_MS = 1;
const LONG_MS = 60_000;
const GROUP: LimitGroup = {
  counter: 'one',
  subject: 'one',
  cost: 3,
  figures: {
    windows: [{ slot: 1, limit: 10, policy: '10/minute', label: 'minute', quota: false }],
  },
};

/** Limits that are really counted, and told of when the test says so. */
function slowLimits(more: Partial<Ports> = {}) {
  const store = openMemoryStore({ maxSubjects: 10 });
  const told = Promise.withResolvers<void>();
  const settled: Receipt[] = [];
  const settleLimits: Ports['settleLimits'] = (receipt, cost) => {
    settled.push(receipt);
    return store.settleLimits(receipt, cost);
  };
  const takeLimits: Ports['takeLimits'] = async (groups, nowMs) => {
    const taken = await store.takeLimits(groups, nowMs);
    await told.promise;
    return taken;
  };
  return {
    ports: guardPorts({ ...soundPorts(), takeLimits, settleLimits, ...more }),
    tell: () => told.resolve(),
    settled,
    remaining: async () => (await store.readLimits([GROUP], NOW))[0]?.remaining,
  };
}

test('limits that are taken after the budget are given back', async () => {
  const { ports, tell, settled, remaining } = slowLimits();
  const taking = portsWithin(ports, SOON_MS).takeLimits([GROUP], NOW);
  await expect(taking).rejects.toThrow(PortFailure);
  expect([await remaining(), settled]).toEqual([7, []]);
  tell();
  await vi.waitUntil(() => settled.length > 0);
  expect(await remaining()).toBe(10);
  expect(settled).toHaveLength(1);
});

test('limits that are taken within the budget stay taken', async () => {
  const { ports, tell, settled, remaining } = slowLimits();
  const taking = portsWithin(ports, LONG_MS).takeLimits([GROUP], NOW);
  tell();
  expect(await taking).toMatchObject({ refused: false });
  expect([await remaining(), settled]).toEqual([7, []]);
});

test('of a refusal that comes too late nothing is given back', async () => {
  const refused = Promise.withResolvers<Taken>();
  const { ports, settled } = slowLimits({ takeLimits: () => refused.promise });
  await expect(portsWithin(ports, SOON_MS).takeLimits([GROUP], NOW)).rejects.toThrow(PortFailure);
  refused.resolve({ usages: [], refused: true });
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toEqual([]);
});

test.each([
  [
    'throws',
    () => {
      throw new Error('gone');
    },
  ],
  ['rejects', () => Promise.reject(new Error('gone'))],
])('a store that %s when it is given back to harms nobody', async (_how, settle) => {
  const unhandled: unknown[] = [];
  const hear = (cause: unknown) => unhandled.push(cause);
  process.on('unhandledRejection', hear);
  const settleLimits = vi.fn(settle);
  const { ports, tell } = slowLimits({ settleLimits });
  await expect(portsWithin(ports, SOON_MS).takeLimits([GROUP], NOW)).rejects.toThrow(PortFailure);
  tell();
  await vi.waitUntil(() => settleLimits.mock.calls.length > 0);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', hear);
  expect(unhandled).toEqual([]);
});

test('an answer at hand is handed on as it is', () => {
  const taken: Taken = { usages: [], refused: false };
  const { ports } = slowLimits({ takeLimits: () => taken });
  expect(portsWithin(ports, SOON_MS).takeLimits([GROUP], NOW)).toBe(taken);
});
