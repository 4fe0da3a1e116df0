import { type Connections, connect, disconnect } from './connect.ts';
import { inTime } from './in-time.ts';
import { RedisDown } from './link.ts';
import type { RedisNode } from './node.ts';
import { connectionFailure } from './redis-error.ts';
import { readAddress, readSlotRanges, type SlotRange } from './slots.ts';

const WITHIN_MS = 500;

/**
 * Asks which master has which slots: a node that serves, or where none of them answers the addresses of the
 * configuration. Rejects with a `RedisDown` that says why the last one did not tell.
 */
export async function askLayout(
  nodes: readonly RedisNode[],
  connections: Connections,
): Promise<readonly SlotRange[]> {
  const serving = shuffled(nodes.filter((node) => node.isUp()));
  const asks = [
    ...serving.map((node) => ({ address: node.name(), ask: () => askNode(node) })),
    ...shuffled(connections.addresses).map((address) => ({
      address,
      ask: () => askAddress(connections, address),
    })),
  ];
  let failure = new RedisDown('a Cluster without addresses');
  for (const { address, ask } of asks) {
    try {
      const ranges = readSlotRanges(await ask(), readAddress(address).host);
      // A node that belongs to no Cluster yet, or has forgotten it, knows of none.
      if (ranges && ranges.length > 0) return ranges;
      failure = new RedisDown(`Redis at ${address} does not tell which slots are where`);
    } catch (cause) {
      failure = connectionFailure(cause, address);
    }
  }
  throw failure;
}

function askNode(node: RedisNode): Promise<unknown> {
  return inTime(node.aside.send('cluster', ['SLOTS']), WITHIN_MS);
}

async function askAddress(connections: Connections, address: string): Promise<unknown> {
  const redis = connections.make('layout', address);
  try {
    const ready = new Promise((resolve, reject) => {
      redis.once('ready', resolve);
      redis.on('error', reject);
    });
    connect(redis);
    await inTime(ready, WITHIN_MS);
    return await inTime(redis.cluster('SLOTS'), WITHIN_MS);
  } finally {
    disconnect(redis);
  }
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
