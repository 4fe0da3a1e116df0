import type { ListedKey, RecordName, Versioned } from '../../../core/record-store.ts';
import type { RecordKind, RecordOf, StoredKey } from '../../../core/records.ts';
import { brokenRecord, parseRecord, timeOf, workspaceOf } from '../../stored-record.ts';
import type { Keyspace } from '../keyspace.ts';
import { listOf, type Reply, textOf } from './read.ts';

/** Fields of a key's hash: version, record (JSON), number of its arrival, last use (epoch ms; absent when never used). */
export const KEY_FIELDS = ['v', 'r', 'a', 'u'] as const;

/** A key as it stands: two keys of one id, one after the other, differ in their arrival. */
export type KeptKey = ListedKey & { readonly arrival: number };

/** Reads the answer to an HMGET of `KEY_FIELDS`; undefined where there is no key. Throws with the name of a broken one. */
export function readKeptKey(id: string, reply: Reply | undefined): KeptKey | undefined {
  const [version, text, arrival, used] = listOf(reply).map(textOf);
  if (version === undefined && text === undefined) return undefined;
  const record = parseRecord('key', id, text ?? '');
  const kept = { record, version: Number(version), arrival: Number(arrival) };
  if (!isCount(kept.version) || !isCount(kept.arrival)) throw brokenRecord(`key ${id}`);
  return used === undefined ? kept : { ...kept, lastUsedAtMs: Number(used) };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/** As `block.lua` has it. */
const BLOCK_ARRIVALS = 512;

/** How many characters of a secret follow its prefix in `key_prefix`. */
export const SHOWN_CHARS = 2;

/**
 * Where a key stands beside its hash. An entry of a sorted set takes some 120 bytes, a bit of a bitmap next to nothing;
 * but a bitmap is as long as there were arrivals, whether few or many of its bits are set. So there are
 *
 * - sorted sets by arrival for what has many values: workspace, owner, the shown beginning of a secret; and of all keys;
 * - bitmaps, a bit for each arrival, for what has few: kind, status, environment, prefix;
 * - sorted sets by time, for ranges of it: end, creation and newest secret of active keys, last use of all;
 * - of end and last use also the least of each block of arrivals, or less: so that the newest keys before a time are
 *   found without the others. It is lowered by whoever lowers a time, and raised by a list that looked at the block.
 *
 * `values:prefix`, and of each prefix `values:key_prefix:<prefix>`, name the values that stand in an index; a value
 * that no key has any more may stay. `scores` and `bits` go by the name in Redis.
 */
export type Places = {
  readonly block: number;
  readonly endsMs: number | undefined;
  readonly bits: readonly string[];
  readonly scores: ReadonlyMap<string, number>;
  readonly values: readonly (readonly [list: string, value: string])[];
  readonly createdMs: number;
};

/** Where a key stands in the indexes. Throws where one of its times is malformed. */
export function placesOf(keyspace: Keyspace, key: StoredKey, arrival: number): Places {
  const { keysWith, keysBy, valuesOf } = keyspace;
  const { kind, status, prefix, key_prefix, environment, owner, workspace_id } = key;
  const time = (text: string) => timeOf(text, `key ${key.id}`);
  const createdMs = time(key.created_at);
  const rotatedMs = time(key.rotated_at);
  const scores = new Map([
    [keyspace.keys, arrival],
    [keysWith('workspace', workspace_id ?? ''), arrival],
    [keysWith('key_prefix', key_prefix), arrival],
  ]);
  if (owner !== undefined) scores.set(keysWith('owner', owner), arrival);
  if (status === 'active') {
    scores.set(keysBy('created_at'), createdMs);
    scores.set(keysBy('rotated_at'), rotatedMs);
  }
  const endsMs = key.expires_at === undefined ? undefined : time(key.expires_at);
  if (endsMs !== undefined && status === 'active') scores.set(keysBy('expires_at'), endsMs);
  return {
    block: Math.floor(arrival / BLOCK_ARRIVALS),
    endsMs: status === 'active' ? endsMs : undefined,
    bits: [
      keysWith('kind', kind),
      keysWith('status', status),
      keysWith('prefix', prefix),
      ...(environment === undefined ? [] : [keysWith('environment', environment)]),
    ],
    scores,
    values: [
      [valuesOf('prefix'), prefix],
      [valuesOf(shownUnder(prefix)), key_prefix],
    ],
    createdMs,
  };
}

/** The field whose values are the `key_prefix`es of one prefix. */
export function shownUnder(prefix: string): string {
  return `key_prefix:${prefix}`;
}

/** `<until ms or empty> <key id>`, as it stands by the hash of a secret. */
export function writeHolder(until: string | undefined, id: string): string {
  return `${until === undefined ? '' : timeOf(until, `key ${id}`)} ${id}`;
}

/** Reads what `writeHolder` wrote; throws where it is broken. */
export function readHolder(text: string): {
  readonly until: number | undefined;
  readonly id: string;
} {
  const space = text.indexOf(' ');
  const until = space > 0 ? Number(text.slice(0, space)) : undefined;
  const id = text.slice(space + 1);
  if (space < 0 || id === '' || (until !== undefined && !Number.isSafeInteger(until))) {
    throw new Error('a secret of a key in the store is broken');
  }
  return { until, id };
}

/** The id of the key that holds a secret. */
export function holderOf(value: string | undefined): string | undefined {
  return value?.slice(value.indexOf(' ') + 1);
}

/** The name of a record other than a key in `records` and `names`; undefined for one that no record can have. */
export function fieldOf(kind: RecordKind, name: RecordName): string | undefined {
  const workspace = workspaceOf(kind, name);
  return isName(workspace) && isName(name.id) ? `${workspace}\0${name.id}` : undefined;
}

/** Half a surrogate would become another letter on its way, and a NUL parts names. */
function isName(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

export function writeVersioned(version: number, record: unknown): string {
  return `${version} ${JSON.stringify(record)}`;
}

/** Reads what `writeVersioned` wrote under a field; throws with the name of a broken one. */
export function readVersioned<K extends RecordKind>(
  kind: K,
  field: string,
  text: string,
): Versioned<RecordOf[K]> {
  const id = field.slice(field.indexOf('\0') + 1);
  const space = text.indexOf(' ');
  const version = Number(text.slice(0, Math.max(space, 0)));
  if (!isCount(version)) throw brokenRecord(`${kind} ${id}`);
  return { record: parseRecord(kind, id, text.slice(space + 1)), version };
}
