import { randomInt } from 'node:crypto';

/** A map of bounded size that forgets what was longest not put. */
export type RecentMap<V> = {
  readonly get: (key: string) => V | undefined;
  readonly put: (key: string, value: V) => void;
  readonly remove: (key: string) => void;
  readonly clear: () => void;
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
/** An entry moves to the end only after this part of its shard was put since: each move costs garbage. */
const MOVED_AFTER = 1 / 8;

/** Makes a map of at most `max` entries; a small one forgets exactly, a large one within one part in 64. */
export function createRecentMap<V>(max: number): RecentMap<V> {
  const count = max < SHARDED_FROM ? 1 : SHARDS;
  const shards = Array.from({ length: count }, () => createShard<V>());
  const shardMax = Math.floor(max / count);
  const batch = Math.max(1, Math.floor(shardMax * FORGOTTEN_AT_ONCE));
  const slack = count === 1 ? 0 : Math.floor(shardMax * MOVED_AFTER);
  // Unknown outside, so that nobody can choose names that push others out of their shard.
  const seed = randomInt(2 ** 31);
  let forgotten = 0;
  const shardOf = (key: string) => shards[hashOf(key, seed) % count] ?? createShard<V>();
  return {
    get: (key) => shardOf(key).entries.get(key)?.value,
    put(key, value) {
      const shard = shardOf(key);
      putEntry(shard, { key, value, slack });
      if (shard.entries.size > shardMax) forgotten += forget(shard.entries, batch);
    },
    remove: (key) => void shardOf(key).entries.delete(key),
    clear() {
      for (const { entries } of shards) entries.clear();
    },
    counts: () => ({ held: shards.reduce((sum, { entries }) => sum + entries.size, 0), forgotten }),
  };
}

type Entry<V> = { readonly key: string; value: V; putAt: number };
type Shard<V> = { readonly entries: Map<string, Entry<V>>; puts: number };

function createShard<V>(): Shard<V> {
  return { entries: new Map(), puts: 0 };
}

/** Puts an entry last; one that was put a short while ago keeps its place, and always its key. */
function putEntry<V>(
  shard: Shard<V>,
  { key, value, slack }: { readonly key: string; readonly value: V; readonly slack: number },
): void {
  shard.puts += 1;
  const held = shard.entries.get(key);
  if (!held) {
    shard.entries.set(key, { key, value, putAt: shard.puts });
    return;
  }
  held.value = value;
  if (shard.puts - held.putAt <= slack) return;
  held.putAt = shard.puts;
  shard.entries.delete(key);
  shard.entries.set(held.key, held);
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

/** FNV-1a over UTF-16 code units, its high bits folded into the low ones; 32 bits. */
export function hashOf(text: string, seed: number): number {
  let hash = seed ^ 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
