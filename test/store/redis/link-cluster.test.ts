import { afterAll, beforeAll, expect, it } from 'vitest';
import { slotOf } from '../../../src/store/redis/link/slots.ts';
import { type RedisCluster, startCluster } from '../../redis-harness/cluster.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { countCall, keyspace, type OpenedLink, openLink, startLoad } from './link-calls.ts';

const BUDGET_MS = 150;
const KEYS = Array.from({ length: 60 }, (_, number) => keyspace.counter(`subject-${number}`, 'c'));

describeRedisServer('a link to a Cluster', () => {
  let cluster: RedisCluster;
  let link: OpenedLink;

  beforeAll(async () => {
    // Else the other masters refuse everything until a replica has taken over.
    cluster = await startCluster({ config: ['cluster-require-full-coverage no'] });
    await cluster.untilOk();
    link = await openLink(cluster.urls.slice(0, 2), { cluster: true });
  });
  afterAll(async () => {
    await link.close();
    await cluster.stop();
  });

  const portOf = (node: string) => Number(node.split(':').at(-1));
  const sickPorts = () =>
    link.nodes().flatMap(({ node, breaker }) => (breaker === 'closed' ? [] : [portOf(node)]));
  const count = async () => {
    const counts = await Promise.all(
      KEYS.map(async (key) => {
        const master = await cluster.masterOf(slotOf(key));
        return Number(await master.cli('GET', key));
      }),
    );
    return counts.reduce((sum, one) => sum + one, 0);
  };
  const isWell = () =>
    waitFor('all nodes serve', () => link.nodes().length > 0 && sickPorts().length === 0);

  it('connects to the masters, and to no other', async () => {
    await isWell();
    const masters = await Promise.all([0, 8000, 16_000].map((slot) => cluster.masterOf(slot)));
    const ports = link.nodes().map(({ node }) => portOf(node));
    expect(ports.sort()).toEqual(masters.map(({ port }) => port).sort());
    expect(KEYS.every((key) => link.redisNowMs(key) !== undefined)).toBe(true);
  });

  it('follows slots that move under load, and counts each call once', async () => {
    const before = await count();
    const to = await cluster.masterOf(slotOf(KEYS[0] ?? ''));
    const owners = await Promise.all(KEYS.map((key) => cluster.masterOf(slotOf(key))));
    const others = KEYS.map(slotOf).filter((_, index) => owners[index] !== to);
    const load = startLoad(link, KEYS, 1000);
    await cluster.reshard([...new Set(others)].slice(0, 12), to, async () => {
      const { answered } = load;
      await waitFor('calls are answered', () => load.answered > answered + KEYS.length);
    });
    const { answered } = load;
    await waitFor('calls are answered', () => load.answered > answered + KEYS.length);
    await load.stop();
    expect(load).toMatchObject({ rejected: 0, refused: 0, countedLate: 0 });
    expect(await count()).toBe(before + load.answered);
  });

  it('goes on with the other masters while one is stopped', async () => {
    await isWell();
    const sick = await cluster.masterOf(slotOf(KEYS[0] ?? ''));
    const owners = await Promise.all(KEYS.map((key) => cluster.masterOf(slotOf(key))));
    const others = KEYS.filter((_, index) => owners[index] !== sick);
    const own = KEYS.filter((_, index) => owners[index] === sick);
    const healthy = startLoad(link, others, 1000);
    const hurt = startLoad(link, own);
    await waitFor('calls are answered', () => hurt.answered > 0);
    await sick.pause();
    await waitFor('its breaker opens', () => sickPorts().includes(sick.port));
    expect(sickPorts()).toEqual([sick.port]);
    await waitFor('a replica takes over', async () => {
      const { answered } = hurt;
      await waitFor('calls are answered', () => hurt.answered > answered + 20);
      return !link.nodes().some(({ node }) => portOf(node) === sick.port);
    });
    await Promise.all([healthy.stop(), hurt.stop()]);
    sick.resume();
    await cluster.untilOk();
    expect(healthy.rejected).toBe(0);
    expect(hurt.slowestMs).toBeLessThan(BUDGET_MS);
  });

  it('follows a failover that was asked for', async () => {
    await isWell();
    const load = startLoad(link, KEYS, 1000);
    const old = await cluster.masterOf(slotOf(KEYS[0] ?? ''));
    await cluster.failOver(old);
    await waitFor('it is left', () => !link.nodes().some(({ node }) => portOf(node) === old.port));
    await isWell();
    await load.stop();
    for (const key of KEYS) await link.run(countCall(key, 1000));
  });

  it('waits for the replica of the node that has the records', async () => {
    await link.runAside(countCall(keyspace.stamp, 1000));
    expect(await link.isReplicated(3000)).toBe(true);
  });

  it('hears messages of every node, also after the one it listens to is gone', async () => {
    const heard: (string | undefined)[] = [];
    await link.subscribe('cluster-channel', (message) => heard.push(message));
    const publish = async (message: string) => {
      await cluster.nodes
        .find((node) => node.isRunning())
        ?.cli('PUBLISH', 'cluster-channel', message);
    };
    await publish('first');
    await waitFor('the message is heard', () => heard.includes('first'));
    for (const node of cluster.nodes) await node.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await waitFor('the gap is told', () => heard.filter((one) => one === undefined).length > 1);
    await publish('second');
    await waitFor('the message is heard', () => heard.includes('second'));
  });
});
