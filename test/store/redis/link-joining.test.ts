import { afterAll, beforeAll, expect, it } from 'vitest';
import { slotOf } from '../../../src/store/redis/link/slots.ts';
import { type RedisCluster, startCluster } from '../../redis-harness/cluster.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { countCall, keyspace, type OpenedLink, openLink } from './link-calls.ts';

const KEY = keyspace.counter('subject', 'c');
const SLOT = slotOf(KEY);
/** Longer than the turns of a machine that is merely busy. */
const STANDSTILL_MS = 200;
/** Opening goes on without a Cluster after this. */
const OPEN_WITHIN_MS = 3000;

describeRedisServer('a node that joins a Cluster', () => {
  let cluster: RedisCluster;
  let joining: RedisServer;
  let link: OpenedLink;

  beforeAll(async () => {
    cluster = await startCluster({ masters: 1, replicas: 0 });
    await cluster.untilOk();
    joining = await startRedis({
      config: ['cluster-enabled yes', 'cluster-announce-ip 127.0.0.1'],
    });
    const [first] = cluster.nodes;
    if (!first) throw new Error('there is no node');
    await joining.cli('CLUSTER', 'MEET', '127.0.0.1', first.port, await busPortOf(first));
    await waitFor('the nodes know each other', async () => {
      const nodes = String(await first.cli('CLUSTER', 'NODES'));
      return nodes.includes(`:${joining.port}@`) && !nodes.includes('handshake');
    });
    link = await openLink(cluster.urls, { cluster: true });
  });
  afterAll(async () => {
    await link.close();
    await joining.stop();
    await cluster.stop();
  });

  it('is not believed before it knows the others', async () => {
    const lone = await startRedis({ config: ['cluster-enabled yes'] });
    // They are asked in any order.
    const urls = [...Array.from({ length: 8 }, () => lone.url), ...cluster.urls];
    const startMs = performance.now();
    const led = await openLink(urls, { cluster: true });
    try {
      await led.run(countCall(KEY, 1000));
      expect(performance.now() - startMs).toBeLessThan(OPEN_WITHIN_MS);
    } finally {
      await led.close();
      await lone.stop();
    }
  });

  it('is asked for its first slot while that is on its way, and holds up nothing', async () => {
    const [from] = cluster.nodes;
    const id = String(await joining.cli('CLUSTER', 'MYID'));
    await joining.cli(
      'CLUSTER',
      'SETSLOT',
      SLOT,
      'IMPORTING',
      String(await from?.cli('CLUSTER', 'MYID')),
    );
    await from?.cli('CLUSTER', 'SETSLOT', SLOT, 'MIGRATING', id);
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
    }, 5);
    try {
      await waitFor('it answers', async () => {
        const reply = await link.run(countCall(KEY, 200)).catch(() => undefined);
        return reply !== undefined;
      });
      // Several rounds of the prober.
      const endMs = performance.now() + 1000;
      await waitFor('some time is over', () => performance.now() > endMs);
    } finally {
      clearInterval(timer);
    }
    expect(
      Number(await link.run(countCall(KEY, 200)).then((reply) => (reply as string[])[2])),
    ).toBeGreaterThan(1);
    expect(longestMs).toBeLessThan(STANDSTILL_MS);
  });
});

async function busPortOf(node: RedisServer): Promise<number> {
  const line = String(await node.cli('CLUSTER', 'NODES'))
    .split('\n')
    .find((one) => one.includes('myself'));
  return Number(/@(\d+)/.exec(line ?? '')?.[1]);
}
