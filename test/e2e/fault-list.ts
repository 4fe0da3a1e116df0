import { setTimeout as sleep } from 'node:timers/promises';
import { slotOf } from '../../src/store/redis/link/slots.ts';
import type { RedisCluster } from '../redis-harness/cluster.ts';
import type { Proxy as Road } from '../redis-harness/proxy.ts';
import type { RedisServer } from '../redis-harness/redis.ts';
import type { SentinelGroup } from '../redis-harness/sentinel.ts';
import { createCounterNames } from './fault-policy.ts';
import type { Fault } from './fault-run.ts';

const FLUSHES = 20;
const FLUSH_EVERY_MS = 100;
const PAUSE_MS = 5000;

/** What can happen to one Redis; `part` of the time that it stays otherwise, where that is up to us. */
export function faultsOf(redis: RedisServer, part = 1) {
  return {
    flush: {
      name: 'SCRIPT FLUSH, ten a second',
      begin: async () => {
        for (let at = 0; at < FLUSHES * part; at += 1) {
          await redis.cli('SCRIPT', 'FLUSH');
          await sleep(FLUSH_EVERY_MS);
        }
      },
      staysMs: FLUSHES * FLUSH_EVERY_MS * part,
    },
    pause: {
      name: `CLIENT PAUSE ${PAUSE_MS}`,
      begin: () => redis.cli('CLIENT', 'PAUSE', PAUSE_MS, 'ALL'),
      staysMs: PAUSE_MS,
    },
    stop: {
      name: 'SIGSTOP, then SIGCONT',
      begin: redis.pause,
      end: async () => redis.resume(),
      // Longer than a connection is silent before it is given up: what was sent over it is then read, and nobody hears.
      staysMs: 2500,
    },
    kill: {
      name: 'kill -9, then a restart',
      begin: redis.kill,
      end: redis.restart,
      staysMs: 3000 * part,
    },
    memory: {
      name: 'no memory left (OOM)',
      begin: () => redis.cli('CONFIG', 'SET', 'maxmemory', 1),
      end: () => redis.cli('CONFIG', 'SET', 'maxmemory', 0),
      staysMs: 3000 * part,
    },
  } as const satisfies { readonly [name: string]: Fault };
}

const SPOIL = `redis.call('RENAME', KEYS[1], KEYS[2]) redis.call('RPUSH', KEYS[1], 'x')`;

/** A counter of the hot subject that holds something else, in each namespace; then it is as it was. */
export function wrongType(redis: RedisServer, namespaces: readonly string[]): Fault {
  const namesOf = (user: string) =>
    namespaces.map((one) => createCounterNames(one).ofUser('hot', 'hot', user));
  return {
    name: 'a key of the wrong type',
    begin: async ({ hotUser }) => {
      for (const key of namesOf(hotUser)) {
        await redis.cli('EVAL', SPOIL, 2, key, `${key}:aside`);
      }
    },
    end: async ({ hotUser }) => {
      for (const key of namesOf(hotUser)) await redis.cli('RENAME', `${key}:aside`, key);
    },
    staysMs: 2000,
  };
}

/** The network between one Postern and Redis is cut: silent, or with connections refused. */
export function cutOff(road: Road, how: 'cut' | 'refuse', staysMs: number): Fault {
  const names = { cut: 'its network is cut', refuse: 'its connections are refused' };
  return {
    name: `one Postern: ${names[how]}`,
    begin: async () => road[how](),
    end: road.heal,
    staysMs,
  };
}

/** Every piece takes so long in each direction: calls reach Redis in time, and answers come too late. */
export function slowDown(road: Road, ms: number, part = 1): Fault {
  return {
    name: `one Postern: its network takes ${2 * ms} ms`,
    begin: async () => road.delay(ms),
    end: road.heal,
    staysMs: 3000 * part,
  };
}

/** What can happen to the master of a Sentinel group. */
export function sentinelFaults(group: SentinelGroup) {
  let old: RedisServer | undefined;
  const struck = async (strike: (master: RedisServer) => Promise<void>) => {
    old = await group.master();
    await strike(old);
  };
  const before = group.untilOk;
  return {
    failover: {
      name: 'Sentinel: a failover',
      before,
      begin: group.failOver,
      staysMs: 2000,
    },
    kill: {
      name: 'Sentinel: kill -9 of the master',
      before,
      begin: () => struck((master) => master.kill()),
      end: async () => old?.restart(),
      staysMs: 6000,
    },
    stop: {
      name: 'Sentinel: SIGSTOP of the master',
      before,
      begin: () => struck((master) => master.pause()),
      end: async () => old?.resume(),
      staysMs: 6000,
    },
  } as const satisfies { readonly [name: string]: Fault };
}

/** How long a move of slots stands still at each of its stages. */
const STAGE_MS = 500;
const OTHER_SLOTS = [5, 6000, 7000, 12_000, 16_000];

/** What can happen to the Cluster, where it hurts: at the records of the first namespace, and at the hot subject. */
export function clusterFaults(cluster: RedisCluster, namespaces: readonly string[], part = 1) {
  const records = slotOf(`{${namespaces[0]}}`);
  let old: RedisServer | undefined;
  const before = cluster.untilOk;
  return {
    reshard: {
      name: 'Cluster: slots move (ASK, then MOVED)',
      before,
      begin: async ({ hotUser }) => {
        const hot = namespaces.map((one) =>
          slotOf(createCounterNames(one).ofUser('hot', 'hot', hotUser)),
        );
        const masters = await Promise.all([records, ...hot].slice(0, 2).map(cluster.masterOf));
        const others = await Promise.all(OTHER_SLOTS.map(cluster.masterOf));
        const to = others.find((node) => !masters.includes(node));
        if (!to) throw new Error('there is no third master');
        const slots = [...new Set([records, ...hot, ...OTHER_SLOTS])];
        const owners = await Promise.all(slots.map(cluster.masterOf));
        const moved = slots.filter((_, at) => owners[at] !== to);
        await cluster.reshard(moved, to, () => sleep(STAGE_MS));
      },
      staysMs: 0,
    },
    failover: {
      name: 'Cluster: a failover of the node with the records',
      before,
      begin: async () => cluster.failOver(await cluster.masterOf(records)),
      staysMs: 1000,
    },
    kill: {
      name: 'Cluster: kill -9 of the node with the records',
      before,
      begin: async () => {
        old = await cluster.masterOf(records);
        await old.kill();
      },
      end: async () => old?.restart(),
      staysMs: 6000 * part,
    },
  } as const satisfies { readonly [name: string]: Fault };
}
