import type { StoredKey } from '../../../core/records.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Op } from './apply.ts';
import { type KeptKey, type Places, placesOf } from './records-layout.ts';

/** A key before and after a commit. */
export type KeyChange = {
  readonly id: string;
  readonly before: KeptKey | undefined;
  readonly after: KeptKey | undefined;
};

/**
 * The operations that make of a key what it is after a commit, in its hash and its indexes; the hashes of its secrets
 * are not among them. Its last use stays, unless it is another key of the same id.
 */
export function keyOps(keyspace: Keyspace, change: KeyChange): readonly Op[] {
  const { id, before, after } = change;
  if (before?.arrival === after?.arrival) {
    return after && before ? [putOp(keyspace, after), ...moveOps(keyspace, before, after)] : [];
  }
  return [
    ...(before ? removeOps(keyspace, id, before) : []),
    ...(after ? newOps(keyspace, after) : []),
  ];
}

function putOp(keyspace: Keyspace, { record, version, arrival }: KeptKey): Op {
  const args = ['v', version, 'r', JSON.stringify(record), 'a', arrival];
  return { write: 'HSET', key: keyspace.key(record.id), args };
}

function newOps(keyspace: Keyspace, key: KeptKey): readonly Op[] {
  const { record, arrival } = key;
  const places = placesOf(keyspace, record, arrival);
  return [
    { write: 'DEL', key: keyspace.key(record.id), args: [] },
    putOp(keyspace, key),
    ...[...places.scores].map(([name, score]) => addOp(name, score, record)),
    addOp(keyspace.keysSeen, places.createdMs, record),
    leastOp(keyspace.blocksBy('seen'), places.createdMs, places.block),
    ...endOps(keyspace, places),
    ...places.bits.map((name) => bitOp(name, arrival, 1)),
    ...places.values.map(([list, value]) => ({ write: 'ZADD', key: list, args: [0, value] })),
  ];
}

/** Only what differs: an update that leaves the indexed fields alone writes the hash and nothing else. */
function moveOps(keyspace: Keyspace, before: KeptKey, after: KeptKey): readonly Op[] {
  const { record, arrival } = after;
  const [old, now] = [before, after].map((key) => placesOf(keyspace, key.record, arrival));
  if (!old || !now) return [];
  const gone = [...old.scores.keys()].filter((name) => !now.scores.has(name));
  const moved = [...now.scores].filter(([name, score]) => old.scores.get(name) !== score);
  const cleared = old.bits.filter((name) => !now.bits.includes(name));
  const set = now.bits.filter((name) => !old.bits.includes(name));
  const isElsewhere = record.key_prefix !== before.record.key_prefix || cleared.length > 0;
  return [
    ...gone.map((name) => ({ write: 'ZREM', key: name, args: [record.id] })),
    ...moved.map(([name, score]) => addOp(name, score, record)),
    ...(old.endsMs === now.endsMs ? [] : endOps(keyspace, now)),
    ...cleared.map((name) => bitOp(name, arrival, 0)),
    ...set.map((name) => bitOp(name, arrival, 1)),
    ...(isElsewhere ? now.values : []).map(([list, value]) => {
      return { write: 'ZADD', key: list, args: [0, value] };
    }),
  ];
}

/** Everything that is kept of a key but its events. */
function removeOps(keyspace: Keyspace, id: string, { record, arrival }: KeptKey): readonly Op[] {
  const places = placesOf(keyspace, record, arrival);
  const hashes = [keyspace.key(id), keyspace.usage(id), keyspace.told(id)];
  const lists = [...places.scores.keys(), keyspace.keysSeen, keyspace.usageOldest];
  return [
    ...hashes.map((name) => ({ write: 'DEL', key: name, args: [] })),
    ...lists.map((name) => ({ write: 'ZREM', key: name, args: [id] })),
    ...places.bits.map((name) => bitOp(name, arrival, 0)),
  ];
}

function addOp(name: string, score: number, { id }: StoredKey): Op {
  return { write: 'ZADD', key: name, args: [score, id] };
}

function endOps(keyspace: Keyspace, { endsMs, block }: Places): readonly Op[] {
  return endsMs === undefined ? [] : [leastOp(keyspace.blocksBy('expires_at'), endsMs, block)];
}

function leastOp(name: string, timeMs: number, block: number): Op {
  return { write: 'ZADD', key: name, args: ['LT', timeMs, block] };
}

function bitOp(name: string, arrival: number, bit: 0 | 1): Op {
  return { write: 'SETBIT', key: name, args: [arrival, bit] };
}
