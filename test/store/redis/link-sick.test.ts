import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Proxy as Network, startProxy } from '../../redis-harness/proxy.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { type Load, type OpenedLink, openLink, startLoad } from './link-calls.ts';

/** A whole decision may take this long; a call is given 50 ms, and a busy machine the rest. */
const BUDGET_MS = 150;
const KEY = 'link:{subject}:counter';

type Hurt = readonly [
  what: string,
  hurt: () => unknown,
  heal: () => unknown,
  fate: 'never run' | 'heard' | 'lost',
];

describeRedisServer('a link to a Redis that is hurt under load', () => {
  let server: RedisServer;
  let network: Network;
  let link: OpenedLink;
  let load: Load;

  beforeEach(async () => {
    server = await startRedis();
    network = await startProxy(server.port);
    link = await openLink([`redis://127.0.0.1:${network.port}`]);
    load = startLoad(link, [KEY]);
    await waitFor('calls are answered', () => load.answered > 20);
  });
  afterEach(async () => {
    await load.stop();
    await link.close();
    await network.close();
    await server.stop();
  });

  const isSick = () => link.nodes().every(({ breaker }) => breaker !== 'closed');
  const serves = async () => {
    const { answered } = load;
    await waitFor('calls are answered again', () => load.answered > answered + 50);
  };
  const counted = async () => Number(await server.cli('GET', KEY));

  /** [what happens, how it begins, how it ends, what becomes of calls whose caller gave up] */
  const HURTS: readonly Hurt[] = [
    ['it is stopped', () => server.pause(), () => server.resume(), 'never run'],
    ['its network is cut', () => network.cut(), () => network.heal(), 'heard'],
    ['its network refuses', () => network.refuse(), () => network.heal(), 'lost'],
    ['it is slow', () => network.delay(30), () => network.heal(), 'heard'],
    ['it is killed', () => server.kill(), () => server.restart(), 'lost'],
    [
      'it pauses its clients',
      () => server.cli('CLIENT', 'PAUSE', 1500),
      () => undefined,
      'never run',
    ],
    [
      'it becomes a replica',
      () => server.cli('REPLICAOF', '127.0.0.1', 1),
      () => server.cli('REPLICAOF', 'NO', 'ONE'),
      'lost',
    ],
  ];

  it.each(HURTS)('answers every call in time and serves again: %s', async (_, hurt, heal, fate) => {
    await hurt();
    await waitFor('the breaker opens', isSick);
    const { rejected } = load;
    await waitFor('calls are refused at once', () => load.rejected > rejected + 50);
    await heal();
    await serves();
    await load.stop();

    expect(load.open).toBe(0);
    expect(load.slowestMs).toBeLessThan(BUDGET_MS);
    const heard = load.answered + load.countedLate;
    if (fate !== 'lost') expect(await counted()).toBe(heard);
    if (fate === 'never run') expect(load.countedLate).toBe(0);
  });

  it('hears what was counted in time and answered late', async () => {
    network.delay(30);
    await waitFor('an answer comes late', () => load.countedLate > 0);
  });

  it('loses no call when Redis loses its scripts', async () => {
    for (let round = 0; round < 20; round += 1) {
      await server.cli('SCRIPT', 'FLUSH');
      const { answered } = load;
      await waitFor('calls are answered', () => load.answered > answered + 5);
    }
    await load.stop();
    expect(load.rejected).toBe(0);
    expect(await counted()).toBe(load.answered);
  });

  it('connects again by itself when Redis drops the connection', async () => {
    for (let round = 0; round < 5; round += 1) {
      await server.cli('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => undefined);
      await serves();
    }
    expect(load.slowestMs).toBeLessThan(BUDGET_MS);
  });
});
