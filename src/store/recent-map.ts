import { randomInt } from 'node:crypto';

/** A map of bounded size that forgets what was longest not put. */
export type RecentMap<V> = {
  readonly get: (key: string) => V | undefined;
  readonly put: (key: string, value: V) => void;
  /** Entries held now, and entries forgotten because there were too many. */
  readonly counts: () => { readonly held: number; readonly forgotten: number };
};

/**
 * A large `Map` stops the process while it grows, and whoever asks for its first key after many removals
 * walks over all that was removed: so there are many small ones, and each forgets several entries at once.
 */
const SHARDS = 64;
const SHARDED_FROM = 64 * 256;
const FORGOTTEN_AT_ONCE = 1 / 64;

/** Makes a map of at most `max` entries; a small one forgets exactly, a large one within one part in 64. */
export function createRecentMap<V>(max: number): RecentMap<V> {
  const count = max < SHARDED_FROM ? 1 : SHARDS;
  const shards = Array.from({ length: count }, () => new Map<string, V>());
  const shardMax = Math.floor(max / count);
  const batch = Math.max(1, Math.floor(shardMax * FORGOTTEN_AT_ONCE));
  // Unknown outside, so that nobody can choose names that push others out of their shard.
  const seed = randomInt(2 ** 31);
  let forgotten = 0;
  const shardOf = (key: string) => shards[hashOf(key, seed) % count] ?? new Map<string, V>();
  return {
    get: (key) => shardOf(key).get(key),
    put(key, value) {
      const shard = shardOf(key);
      shard.delete(key);
      shard.set(key, value);
      if (shard.size > shardMax) forgotten += forget(shard, batch);
    },
    counts: () => ({ held: shards.reduce((sum, { size }) => sum + size, 0), forgotten }),
  };
}

/** Forgets the first entries, which were put before all others; the answer is how many. */
function forget(shard: Map<string, unknown>, count: number): number {
  let done = 0;
  for (const key of shard.keys()) {
    if (done === count) break;
    shard.delete(key);
    done += 1;
  }
  return done;
}

/** FNV-1a over UTF-16 code units, its high bits folded into the low ones. */
function hashOf(text: string, seed: number): number {
  let hash = seed ^ 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
