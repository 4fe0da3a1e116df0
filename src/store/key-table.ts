import type { KeyHash } from '../core/api-key.ts';

/** Texts by the hash of a key, for a million and more of them. */
export type KeyTable = {
  readonly put: (hash: KeyHash, text: string) => void;
  /** The text of a hash; undefined when it has none. O(1). */
  readonly find: (hash: KeyHash) => string | undefined;
  readonly size: () => number;
};

const SHARDS = 256;
const START_SLOTS = 16;
const START_BYTES = 4096;
const DIGEST_BYTES = 32;
const FILLED_AT_MOST = 0.75;

/**
 * Makes a table whose content is two buffers for each of 256 parts: objects for a million keys would be a
 * heap that the collector has to walk, at the cost of a third of all checks. Parts keep growing short.
 */
export function createKeyTable(): KeyTable {
  const shards = Array.from({ length: SHARDS }, createShard);
  const digest = Buffer.alloc(DIGEST_BYTES);
  const shardOf = (hash: KeyHash): Shard => {
    digest.write(hash, 'hex');
    return shards[digest[0] ?? 0] ?? createShard();
  };
  return {
    put: (hash, text) => putText(shardOf(hash), digest, text),
    find(hash) {
      const shard = shardOf(hash);
      const slot = slotOf(shard, digest);
      const start = shard.starts[slot] ?? 0;
      return start === 0 ? undefined : shard.texts.toString('utf8', start, shard.ends[slot]);
    },
    size: () => shards.reduce((sum, { count }) => sum + count, 0),
  };
}

/** Open addressing with linear probing; a slot whose `start` is 0 is free, so texts begin at 1. */
type Shard = {
  count: number;
  digests: Buffer;
  starts: Uint32Array;
  ends: Uint32Array;
  texts: Buffer;
  used: number;
};

function createShard(): Shard {
  return {
    count: 0,
    ...createSlots(START_SLOTS),
    texts: Buffer.allocUnsafeSlow(START_BYTES),
    used: 1,
  };
}

function createSlots(slots: number) {
  return {
    digests: Buffer.alloc(slots * DIGEST_BYTES),
    starts: new Uint32Array(slots),
    ends: new Uint32Array(slots),
  };
}

/** The slot that holds a digest, or the free one where it belongs. SHA-256 spreads by itself. */
function slotOf(shard: Shard, digest: Buffer): number {
  const mask = shard.starts.length - 1;
  let slot = digest.readUInt32LE(1) & mask;
  while (shard.starts[slot] !== 0) {
    const at = slot * DIGEST_BYTES;
    if (digest.compare(shard.digests, at, at + DIGEST_BYTES) === 0) return slot;
    slot = (slot + 1) & mask;
  }
  return slot;
}

function putText(shard: Shard, digest: Buffer, text: string): void {
  if (shard.count + 1 > shard.starts.length * FILLED_AT_MOST) growSlots(shard);
  const length = Buffer.byteLength(text);
  if (shard.used + length > shard.texts.length) growTexts(shard, length);
  const slot = slotOf(shard, digest);
  if (shard.starts[slot] === 0) shard.count += 1;
  digest.copy(shard.digests, slot * DIGEST_BYTES);
  shard.texts.write(text, shard.used);
  shard.starts[slot] = shard.used;
  shard.used += length;
  shard.ends[slot] = shard.used;
}

function growSlots(shard: Shard): void {
  const { digests, starts, ends } = shard;
  Object.assign(shard, createSlots(starts.length * 2));
  for (let slot = 0; slot < starts.length; slot += 1) {
    const start = starts[slot] ?? 0;
    if (start === 0) continue;
    const digest = digests.subarray(slot * DIGEST_BYTES, (slot + 1) * DIGEST_BYTES);
    const place = slotOf(shard, digest);
    digest.copy(shard.digests, place * DIGEST_BYTES);
    shard.starts[place] = start;
    shard.ends[place] = ends[slot] ?? start;
  }
}

function growTexts(shard: Shard, length: number): void {
  const larger = Buffer.allocUnsafeSlow(Math.max(shard.texts.length * 2, shard.used + length));
  shard.texts.copy(larger, 0, 0, shard.used);
  shard.texts = larger;
}
