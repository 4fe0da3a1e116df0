import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { findRedis } from '../../scripts/lib/redis.ts';
import { startCluster } from './cluster.ts';
import type { Stage } from './cluster-changes.ts';
import { startProxy } from './proxy.ts';
import { type RedisServerOptions, startRedis } from './redis.ts';
import { startSentinel } from './sentinel.ts';
import {
  describeCluster,
  describeRedis,
  describeRedisServer,
  redisClusterUrls,
  redisUrl,
  sharedClusterIsUp,
} from './shared.ts';
import { waitFor } from './wait.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(options?: RedisServerOptions) {
  const server = await startRedis(options);
  endings.push(server.stop);
  return server;
}

/** A client that tells at once what is wrong, as Postern's does. */
async function openClient(port: number, user = ''): Promise<Redis> {
  const client = new Redis(`redis://${user}@127.0.0.1:${port}`, {
    protocol: 2,
    lazyConnect: true,
    retryStrategy: () => null,
  });
  client.on('error', () => undefined);
  endings.push(() => client.disconnect());
  await client.connect();
  return client;
}

/** Whether a promise is still open after some time. */
async function isOpenAfter(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const late = new Promise<'late'>((resolve) => setTimeout(resolve, ms, 'late'));
  return (await Promise.race([promise.catch(() => undefined), late])) === 'late';
}

describe('finding Redis', () => {
  afterEach(() => void vi.unstubAllEnvs());

  test('takes what REDIS_SERVER_BIN names before what is in PATH', () => {
    vi.stubEnv('REDIS_SERVER_BIN', process.execPath);
    expect(findRedis()).toBe(process.execPath);
  });

  test('refuses a REDIS_SERVER_BIN that is not there', () => {
    vi.stubEnv('REDIS_SERVER_BIN', '/nowhere/redis-server');
    expect(findRedis).toThrow('REDIS_SERVER_BIN is /nowhere/redis-server');
  });

  test('finds none where PATH has none', () => {
    vi.stubEnv('REDIS_SERVER_BIN', '');
    vi.stubEnv('PATH', import.meta.dirname);
    expect(findRedis()).toBeUndefined();
  });
});

describeRedis('the shared server', () => {
  test('answers', async () => {
    const client = new Redis(redisUrl, { protocol: 2 });
    endings.push(() => client.disconnect());
    expect(await client.ping()).toBe('PONG');
  });
});

describeCluster('the shared cluster', () => {
  test('has three masters and three replicas, and serves all slots', async () => {
    await sharedClusterIsUp();
    expect(redisClusterUrls).toHaveLength(6);
  });
});

describeRedisServer('a server', () => {
  test('that is paused keeps its connections and answers nothing until it goes on', async () => {
    const server = await start();
    const client = await openClient(server.port);
    await server.pause();
    expect(server.isRunning()).toBe(false);
    const asked = client.ping();
    expect(await isOpenAfter(100, asked)).toBe(true);
    server.resume();
    expect(await asked).toBe('PONG');
  });

  test.each([
    ['none', null],
    ['aof', '1'],
  ] as const)(
    'that is killed is back on its port with persistence %s',
    async (persistence, kept) => {
      const server = await start({ persistence });
      const client = await openClient(server.port);
      await client.set('a', 1);
      const ended = new Promise((resolve) => client.once('end', resolve));
      await server.kill();
      await ended;
      await expect(openClient(server.port)).rejects.toThrow();
      await server.restart();
      expect(await (await openClient(server.port)).get('a')).toBe(kept);
    },
  );

  test('with users lets nobody else in', async () => {
    const server = await start({ users: ['postern on >secret ~* +@all'] });
    await expect(openClient(server.port)).rejects.toThrow();
    await expect(openClient(server.port, ':secret')).rejects.toThrow();
    const client = await openClient(server.port, 'postern:secret');
    expect(await client.ping()).toBe('PONG');
    expect(await server.cli('ACL', 'WHOAMI')).toBe('harness');
  });

  test('that cannot start says why', async () => {
    await expect(start({ config: ['maxmemory nonsense'] })).rejects.toThrow(/maxmemory/);
  });

  test('ends with the process that started it, and leaves nothing when it is stopped', async () => {
    const server = await startRedis();
    const module = JSON.stringify(join(import.meta.dirname, 'redis.ts'));
    const script = `import { startRedis } from ${module};
      console.log((await startRedis()).pid());
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    const [pid] = await once(child.stdout, 'data');
    await waitFor('the server is gone', () => isGone(Number(pid)));
    await server.stop();
    expect(existsSync(server.folder)).toBe(false);
    expect(isGone(server.pid())).toBe(true);
  });
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

describeRedisServer('a proxy', () => {
  async function startBoth() {
    const server = await start();
    const proxy = await startProxy(server.port);
    endings.push(proxy.close);
    return { server, proxy, client: await openClient(proxy.port) };
  }

  test('that is cut is silent in both directions, and brings what was sent once it is healed', async () => {
    const { client, proxy, server } = await startBoth();
    proxy.cut();
    const asked = client.incr('n');
    expect(await isOpenAfter(100, asked)).toBe(true);
    expect(await server.cli('GET', 'n')).toBeNull();
    const socket = connect(proxy.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('INCR n\r\n');
    await new Promise<void>((resolve) => socket.end(resolve));
    await proxy.heal();
    expect(await asked).toBe(1);
    await waitFor('the command of the closed connection came', async () => {
      return (await server.cli('GET', 'n')) === '2';
    });
  });

  test('that refuses resets what is open and lets nobody in until it is healed', async () => {
    const { client, proxy } = await startBoth();
    const ended = new Promise((resolve) => client.once('end', resolve));
    await proxy.refuse();
    await ended;
    await expect(openClient(proxy.port)).rejects.toThrow();
    await proxy.heal();
    expect(await (await openClient(proxy.port)).ping()).toBe('PONG');
  });

  test('that is slow holds each direction up', async () => {
    const { client, proxy } = await startBoth();
    proxy.delay(60);
    const startMs = performance.now();
    await client.ping();
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(110);
  });
});

describeRedisServer('a cluster', () => {
  test('moves slots and changes masters while it runs, and replaces one that was killed', async () => {
    const cluster = await startCluster();
    endings.push(cluster.stop);
    await cluster.untilOk();
    const [first] = cluster.nodes;
    if (!first) throw new Error('no node');
    const slot = Number(await first.cli('CLUSTER', 'KEYSLOT', '{a}'));
    const from = await cluster.masterOf(slot);
    const to = await cluster.masterOf((slot + 6000) % 16_384);
    await from.cli('MSET', '{a}1', 1, '{a}2', 2);
    const read = (...keys: readonly string[]) => from.cli('MGET', ...keys).catch(String);
    const answers: { [K in Stage]?: unknown } = {};
    await cluster.reshard([slot], to, async (stage) => {
      answers[stage] = [await read('{a}1', '{a}2'), await read('{a}new')];
    });
    const ask = expect.stringContaining('ASK');
    expect(answers).toEqual({
      open: [['1', '2'], ask],
      half: [expect.stringContaining('TRYAGAIN'), ask],
      moved: [ask, ask],
    });
    expect(await read('{a}1')).toContain(`MOVED ${slot} 127.0.0.1:${to.port}`);
    expect(await to.cli('MGET', '{a}1', '{a}2')).toEqual(['1', '2']);
    const next = await cluster.failOver(to);
    expect(await cluster.masterOf(slot)).toBe(next);
    await next.kill();
    await waitFor('another serves the slot', async () => (await cluster.masterOf(slot)) !== next);
    await next.restart();
    await cluster.untilOk();
    expect(await cluster.replicasOf(await cluster.masterOf(slot))).toEqual([next]);
  });
});

describeRedisServer('a group with sentinels', () => {
  test('has another master when it is told so, and when one was killed', async () => {
    const group = await startSentinel({ replicas: 2 });
    endings.push(group.stop);
    const first = await group.master();
    const second = await group.failOver();
    expect(second).not.toBe(first);
    await second.kill();
    await waitFor('another master', async () => (await group.master()) !== second);
    const third = await group.master();
    expect(await third.cli('SET', 'a', 1)).toBe('OK');
  });
});
