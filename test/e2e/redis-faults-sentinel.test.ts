import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { sentinelFaults } from './fault-list.ts';
import { expectPromises, IN_FLIGHT } from './fault-promises.ts';
import { runFault } from './fault-run.ts';
import { startSentinels } from './fault-worlds.ts';

/** A busy machine takes its time to be well again. */
vi.setConfig({ testTimeout: 45_000 });

let there: Awaited<ReturnType<typeof startSentinels>>;

beforeAll(async () => {
  there = await startSentinels();
});
afterAll(async () => there?.stop());

describeRedisServer('a Redis with sentinels under load', () => {
  test('whose master is replaced while it runs is left by all for the next one', async () => {
    const run = await runFault(there.world, sentinelFaults(there.group).failover);
    expectPromises(run, { leftMost: IN_FLIGHT, mayForget: true });
    const { port } = await there.group.master();
    for (const { breakers } of run.after.values()) {
      expect(breakers).toEqual({ [`127.0.0.1:${port}`]: 'closed' });
    }
  });
});
