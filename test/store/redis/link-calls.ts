import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKeyspace } from '../../../src/store/redis/keyspace.ts';
import type { Call, RedisLink } from '../../../src/store/redis/link/link.ts';
import { type LinkOptions, openRedisLink } from '../../../src/store/redis/link/open-link.ts';
import type { RedisSettings } from '../../../src/store/redis/options.ts';
import type { Script } from '../../../src/store/redis/script.ts';

const NAMESPACE = 'link';
export const keyspace = createKeyspace(NAMESPACE);

export function scriptOf(name: string, text: string): Script {
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Counts, unless its deadline (the only argument) is over; answers whether it did, Redis' clock, and the count. */
const COUNT = scriptOf(
  'count',
  `local time = redis.call('TIME')
   local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
   if tonumber(now) > tonumber(ARGV[1]) then return {'late', now} end
   return {'counted', now, tostring(redis.call('INCR', KEYS[1]))}`,
);

export function countCall(key: string, withinMs = 50): Call {
  return {
    script: COUNT,
    keys: [key],
    args: [''],
    withinMs,
    timed: { deadlineArg: 0, timeOf: (reply) => Number(wordsOf(reply)[1]) },
  };
}

export function wordsOf(reply: unknown): readonly string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

export type OpenedLink = RedisLink & { readonly failures: readonly string[] };

export async function openLink(
  urls: readonly string[],
  more: Partial<RedisSettings & LinkOptions> = {},
): Promise<OpenedLink> {
  const failures: string[] = [];
  const settings = { urls, cluster: false, namespace: NAMESPACE, ...more };
  const link = await openRedisLink(settings, {
    probe: (number) => countCall(keyspace.probe(number)),
    recordsKey: keyspace.stamp,
    onFailure: (cause) => failures.push(String(cause)),
    ...more,
  });
  return { ...link, failures };
}

/** What became of calls that were made at a steady pace, whatever became of those before. */
export type Load = {
  answered: number;
  /** Said by Redis that the deadline was over. */
  refused: number;
  rejected: number;
  /** Answered after the caller had given up, but counted in time. */
  countedLate: number;
  /** Not settled yet. */
  open: number;
  slowestMs: number;
  readonly stop: () => Promise<void>;
};

/** Calls `count` on these keys in turn, every 2 ms, until it is stopped. */
export function startLoad(link: RedisLink, keys: readonly string[], withinMs = 50): Load {
  let isStopped = false;
  const load: Load = {
    answered: 0,
    refused: 0,
    rejected: 0,
    countedLate: 0,
    open: 0,
    slowestMs: 0,
    stop: async () => {
      isStopped = true;
      await going;
    },
  };
  const going = (async () => {
    const calls: Promise<void>[] = [];
    for (let turn = 0; !isStopped; turn += 1) {
      calls.push(callOnce(link, keys[turn % keys.length] ?? '', { load, withinMs }));
      await sleep(2);
    }
    await Promise.all(calls);
  })();
  return load;
}

async function callOnce(
  link: RedisLink,
  key: string,
  { load, withinMs }: { load: Load; withinMs: number },
): Promise<void> {
  const startMs = performance.now();
  const onLate = (reply: unknown) => {
    if (wordsOf(reply)[0] === 'counted') load.countedLate += 1;
  };
  load.open += 1;
  try {
    const reply = await link.run({ ...countCall(key, withinMs), onLate });
    if (wordsOf(reply)[0] === 'counted') load.answered += 1;
    else load.refused += 1;
  } catch {
    load.rejected += 1;
  }
  load.open -= 1;
  load.slowestMs = Math.max(load.slowestMs, performance.now() - startMs);
}
