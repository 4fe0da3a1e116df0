import { expect, test } from 'vitest';
import type { Alert } from '../../../src/core/alert.ts';
import type { Policy } from '../../../src/core/policy.ts';
import type { UsageHour } from '../../../src/core/record-store.ts';
import { createUsageWatch } from '../../../src/observe/alerts/usage-watch.ts';
import { NOW } from '../../core/build.ts';
import { alertPolicy, answer, WITH_KEY } from './checks.ts';

const HOUR_MS = 3_600_000;
const THIS_HOUR_MS = NOW - (NOW % HOUR_MS);
const RULES = 'alerts: { unusual: { factor: 2, at_least: 20 } }';
const QUIET: readonly UsageHour[] = [
  { startMs: THIS_HOUR_MS - 30 * HOUR_MS, requests: 4, refusals: {} },
];

/** A watch over a store of so many hours, and a clock that the test moves. */
function open(policy: Policy, hours: readonly UsageHour[] = QUIET) {
  const raised: Alert[] = [];
  const failures: unknown[] = [];
  const clock = { nowMs: NOW };
  const store = { hours, reads: 0, read: [] as string[], failure: undefined as Error | undefined };
  const watch = createUsageWatch({
    policy: () => policy,
    usageOf: async (keyId) => {
      store.reads += 1;
      store.read.push(keyId);
      if (store.failure) throw store.failure;
      return store.hours;
    },
    raise: (alert) => raised.push(alert),
    now: () => clock.nowMs,
    onFailure: (cause) => failures.push(cause),
  });
  const use = async (times: number, asked = WITH_KEY) => {
    const answered = await answer(policy, asked, { nowMs: clock.nowMs });
    for (let at = 0; at < times; at += 1) watch.note(answered);
  };
  return { ...watch, use, raised, failures, clock, store };
}

test('a key far above its history is told of once in an hour, with both figures', async () => {
  const watch = open(await alertPolicy(RULES));
  await watch.use(25);
  await watch.turn();
  await watch.use(25);
  await watch.turn();
  expect(watch.raised).toEqual([
    {
      name: 'unusual_requests',
      timeMs: NOW,
      subject: 'key-1',
      workspace: 'acme',
      keyId: 'key-1',
      facts: { in_hour: '25', busiest_hour: '4' },
    },
  ]);
});

test('refusals are told of by themselves', async () => {
  const busy = [{ startMs: THIS_HOUR_MS - 30 * HOUR_MS, requests: 500, refusals: {} }];
  const watch = open(await alertPolicy(`${RULES}\nblocks: [{ key: key-1 }]`), busy);
  await watch.use(25);
  await watch.turn();
  expect(watch.raised.map(({ name }) => name)).toEqual(['unusual_refusals']);
});

test('of more keys than are read in a turn each is read once before any is read again', async () => {
  const policy = await alertPolicy(RULES);
  const watch = open(policy);
  const answered = await answer(policy);
  const keys = Array.from({ length: 60 }, (_, at) => `key-${at}`);
  for (const key_id of keys)
    for (let at = 0; at < 5; at += 1)
      watch.note({ ...answered, facts: { ...answered.facts, key_id } });
  await watch.turn();
  watch.clock.nowMs += 600_000;
  await watch.turn();
  expect(watch.store.read.slice(0, 60)).toEqual(keys);
});

test('a key that is hardly used costs no look into the store', async () => {
  const watch = open(await alertPolicy(RULES));
  await watch.use(1);
  await watch.turn();
  expect(watch.store.reads).toBe(0);
});

test('a history is read once in ten minutes, and what came since is added to it', async () => {
  const policy = await alertPolicy(RULES);
  const watch = open(policy, [...QUIET, { startMs: THIS_HOUR_MS, requests: 15, refusals: {} }]);
  await watch.use(3);
  await watch.turn();
  expect(watch.raised).toEqual([]);
  await watch.use(4);
  await watch.turn();
  expect([watch.store.reads, watch.raised]).toEqual([1, []]);
  await watch.use(1);
  await watch.turn();
  expect(watch.raised.map(({ facts }) => facts['in_hour'])).toEqual(['20']);
  watch.clock.nowMs += 600_000;
  await watch.turn();
  expect(watch.store.reads).toBe(2);
});

test('a new hour begins at zero', async () => {
  const watch = open(await alertPolicy(RULES));
  await watch.use(15);
  watch.clock.nowMs += HOUR_MS;
  await watch.use(15);
  await watch.turn();
  expect(watch.raised).toEqual([]);
});

test('a store that fails is asked again at the next turn', async () => {
  const watch = open(await alertPolicy(RULES));
  await watch.use(25);
  watch.store.failure = new Error('down');
  await watch.turn();
  expect([watch.raised, watch.failures]).toEqual([[], [watch.store.failure]]);
  watch.store.failure = undefined;
  await watch.turn();
  expect(watch.raised).toHaveLength(1);
});

test('nothing is counted where the policy does not ask', async () => {
  const watch = open(await alertPolicy('alerts: { unusual: false }'));
  await watch.use(5000);
  await watch.turn();
  expect([watch.store.reads, watch.raised]).toEqual([0, []]);
});
