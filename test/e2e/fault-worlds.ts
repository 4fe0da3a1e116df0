import type { FailureMode } from '../../src/store/redis/options.ts';
import { type RedisCluster, startCluster } from '../redis-harness/cluster.ts';
import { type Proxy as Road, startProxy } from '../redis-harness/proxy.ts';
import { type RedisServer, startRedis } from '../redis-harness/redis.ts';
import { type SentinelGroup, startSentinel } from '../redis-harness/sentinel.ts';
import { type FamilyPlan, type Masters, startWorld, type World } from './fault-world.ts';

type Stop = () => Promise<unknown>;

/** A world and what it stands on. */
export type Stage<T> = T & { readonly world: World; readonly stop: () => Promise<void> };

/** How long the Postern with a way of its own remembers. */
export const SHORT_STALE_MS = 2000;

/** Two Posterns that count themselves, one by a way that can be cut; one that refuses, and one that lets all through. */
export async function startSingle(
  limits?: object,
): Promise<Stage<{ readonly redis: RedisServer; readonly road: Road }>> {
  const redis = await startRedis({ persistence: 'aof' });
  const road = await startProxy(redis.port);
  const store = { urls: redis.url };
  const own = { urls: `redis://127.0.0.1:${road.port}` };
  const members = [
    { name: 'local-1', store },
    { name: 'local-2', store: own, maxStaleMs: SHORT_STALE_MS },
  ];
  const counting: FamilyPlan = { mode: 'local', members, limits };
  const plans = [counting, alone('deny', store), alone('allow', store)];
  return stage({ redis, road }, { plans, masters: async () => [redis] }, [road.close, redis.stop]);
}

/** Two Posterns that count themselves and one that refuses, on a master that sentinels watch. */
export async function startSentinels(): Promise<Stage<{ readonly group: SentinelGroup }>> {
  const group = await startSentinel();
  const plans = pairAndOne({ urls: group.urls, sentinel: group.name });
  return stage({ group }, { plans, masters: async () => [await group.master()] }, [group.stop]);
}

/** The same on a Cluster of three masters, each with a replica. */
export async function startNodes(): Promise<Stage<{ readonly cluster: RedisCluster }>> {
  const cluster = await startCluster();
  const masters = async () => {
    await cluster.untilOk();
    const roles = await Promise.all(cluster.nodes.map((node) => node.cli('ROLE')));
    return cluster.nodes.filter((_, at) => String(roles[at]).startsWith('master'));
  };
  await cluster.untilOk();
  return stage({ cluster }, { plans: pairAndOne(cluster.urls), masters }, [cluster.stop]);
}

function pairAndOne(store: object): readonly FamilyPlan[] {
  const members = ['local-1', 'local-2'].map((name) => ({ name, store }));
  return [{ mode: 'local', members }, alone('deny', store)];
}

function alone(mode: FailureMode, store: object): FamilyPlan {
  return { mode, members: [{ name: mode, store }] };
}

type Start = { readonly plans: readonly FamilyPlan[]; readonly masters: Masters };

async function stage<T>(
  parts: T,
  { plans, masters }: Start,
  stops: readonly Stop[],
): Promise<Stage<T>> {
  const stopParts = async () => {
    for (const stop of stops) await stop();
  };
  try {
    const world = await startWorld(plans, masters);
    const stop = async () => {
      await world.stop();
      await stopParts();
    };
    return { ...parts, world, stop };
  } catch (cause) {
    await stopParts();
    throw cause;
  }
}
