import { afterAll, beforeAll, test, vi } from 'vitest';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { clusterFaults } from './fault-list.ts';
import { expectMostlyRedis, expectPromises, IN_FLIGHT } from './fault-promises.ts';
import { runFault } from './fault-run.ts';
import { startNodes } from './fault-worlds.ts';

/** Faults stay for this part of the time that the measurements give them. */
const PART = 0.75;
/** A busy machine takes its time to be well again. */
vi.setConfig({ testTimeout: 45_000 });

let there: Awaited<ReturnType<typeof startNodes>>;
let faults: ReturnType<typeof clusterFaults>;

beforeAll(async () => {
  there = await startNodes();
  faults = clusterFaults(
    there.cluster,
    there.world.families.map((one) => one.namespace),
    PART,
  );
});
afterAll(async () => there?.stop());

describeRedisServer('a Redis Cluster under load', () => {
  test('whose slots move (ASK, then MOVED) decides all the same, and charges each request once', async () => {
    const run = await runFault(there.world, faults.reshard);
    expectPromises(run);
    expectMostlyRedis(run.families.flatMap(({ shots }) => shots));
  });

  test('whose master gives way to its replica goes on within a second', async () => {
    const run = await runFault(there.world, faults.failover);
    expectPromises(run, { leftMost: IN_FLIGHT, mayForget: true });
  });

  test('whose master is killed goes on with the others, and with its replica once that took over', async () => {
    const run = await runFault(there.world, faults.kill);
    expectPromises(run, { leftMost: IN_FLIGHT, mayForget: true });
  });
});
