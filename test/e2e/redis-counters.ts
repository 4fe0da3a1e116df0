import { once } from 'node:events';
import { Cluster, Redis } from 'ioredis';
import { waitFor } from '../redis-harness/wait.ts';
import { fromMost } from './redis-storm.ts';

/** What the limits of one namespace hold in Redis, read without the code under test; older counters are left out. */
export type Counters = {
  /** What each counter holds, the units in its first window, from many to few; those that hold none are left out. */
  readonly counts: () => Promise<readonly number[]>;
  /** Waits until they hold just this. */
  readonly until: (expected: readonly number[]) => Promise<void>;
  /** In how many slots of a Cluster they stand; one on a single Redis. */
  readonly slots: () => Promise<number>;
  readonly close: () => void;
};

/** Opens a reader of the counters that are made from now on; several URLs are those of a Cluster. */
export async function openCounters(
  urls: string | readonly string[],
  namespace: string,
): Promise<Counters> {
  const { client, masters } = typeof urls === 'string' ? openOne(urls) : openMany(urls);
  if (client.status !== 'ready') await once(client, 'ready');
  const allNames = async (): Promise<readonly string[]> => {
    const found = await Promise.all(masters().map((node) => node.keys(`${namespace}:{*`)));
    return found.flat().filter((name) => !name.includes('{probe-'));
  };
  const older = new Set(await allNames());
  const names = async () => (await allNames()).filter((name) => !older.has(name));
  const counts = async (): Promise<readonly number[]> => {
    const texts = await Promise.all((await names()).map((name) => client.get(name)));
    return fromMost(texts.map((text) => (text === null ? 0 : firstCount(text))));
  };
  return {
    counts,
    until: async (expected) => {
      let last = '';
      const isReached = async () => {
        last = String(await counts());
        return last === String(expected);
      };
      await waitFor(`the counters hold ${expected}`, isReached).catch((cause) => {
        throw new Error(`the counters hold ${last}, not ${expected}`, { cause });
      });
    },
    slots: async () => {
      if (typeof urls === 'string') return 1;
      const slots = (await names()).map((name) => client.call('CLUSTER', ['KEYSLOT', name]));
      return new Set(await Promise.all(slots)).size;
    },
    close: () => client.disconnect(),
  };
}

function openOne(url: string) {
  const client = new Redis(url, { protocol: 2 });
  return { client, masters: () => [client] };
}

function openMany(urls: readonly string[]) {
  const client = new Cluster([...urls], { redisOptions: { protocol: 2 } });
  return { client, masters: () => client.nodes('master') };
}

/** A counter is a list of numbers: slot, start and count of each window come first. */
function firstCount(text: string): number {
  const count = Number(text.split(',')[2]);
  if (!Number.isSafeInteger(count)) throw new Error(`a counter holds ${text}`);
  return count;
}
