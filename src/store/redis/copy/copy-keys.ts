import type { ItemOf, StoredItem } from '../../../core/store-copy.ts';
import type { Keyspace } from '../keyspace.ts';
import { apply, type Op } from '../records/apply.ts';
import { keyOps } from '../records/commit-key.ts';
import { readAll, textOf } from '../records/read.ts';
import {
  KEY_FIELDS,
  type KeptKey,
  placesOf,
  readKeptKey,
  writeHolder,
} from '../records/records-layout.ts';
import { keyConditions } from '../records/standing.ts';
import type { CopyPlace } from './copy-place.ts';
import { another } from './copy-records.ts';

type KeyItem = ItemOf<'key'>;

const ATTEMPTS_MAX = 5;

/** Adds keys that are not there, with the number of their arrival; throws where one stands as another. */
export async function restoreKeys(
  { link, keyspace }: CopyPlace,
  items: readonly KeyItem[],
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const replies = await readAll(
      link,
      items.map(({ record }) => ({
        read: 'HMGET',
        key: keyspace.key(record.id),
        args: KEY_FIELDS,
      })),
    );
    const missing = items.filter((item, at) => {
      return !isSame(item, readKeptKey(item.record.id, replies[at]));
    });
    if (missing.length === 0) return;
    const conditions = missing.flatMap(({ record }) =>
      keyConditions(keyspace.key(record.id), undefined),
    );
    const ops = joined(missing.flatMap((item) => putOps(keyspace, item)));
    if (!('failed' in (await apply(link, keyspace, { conditions, ops })))) return;
  }
  throw new Error('keys changed each time that they were about to be written');
}

/** Keys that are made later go on counting after these. */
export async function raiseArrivals(
  { link, keyspace }: CopyPlace,
  items: readonly StoredItem[],
): Promise<void> {
  const key = keyspace.arrivals;
  const highest = items.reduce(
    (most, item) => (item.kind === 'key' ? Math.max(most, item.arrival) : most),
    0,
  );
  for (let attempt = 1; highest > 0 && attempt <= ATTEMPTS_MAX; attempt += 1) {
    const newest = textOf((await readAll(link, [{ read: 'GET', key }]))[0]);
    if (Number(newest ?? 0) >= highest) return;
    const conditions = [{ read: 'GET' as const, key, args: [], is: newest }];
    const ops = [{ write: 'SET', key, args: [highest] }];
    await apply(link, keyspace, { conditions, ops });
  }
}

function isSame({ record, version, arrival }: KeyItem, standing: KeptKey | undefined): boolean {
  if (!standing) return false;
  if (standing.version !== version || standing.arrival !== arrival) throw another('key', record.id);
  return true;
}

function putOps(keyspace: Keyspace, item: KeyItem): readonly Op[] {
  const { record, lastUsedAtMs } = item;
  const holders = record.secrets.map(({ hash, until }) => ({
    write: 'HSET',
    key: keyspace.secrets,
    args: [hash, writeHolder(until, record.id)],
  }));
  const used = lastUsedAtMs === undefined ? [] : usedOps(keyspace, item, lastUsedAtMs);
  return [
    ...keyOps(keyspace, { id: record.id, before: undefined, after: item }),
    ...holders,
    ...used,
  ];
}

/** As a use writes it: the first may be older than the key, by the clock of another machine. */
function usedOps(keyspace: Keyspace, { record, arrival }: KeyItem, lastMs: number): readonly Op[] {
  const { block } = placesOf(keyspace, record, arrival);
  return [
    { write: 'HSET', key: keyspace.key(record.id), args: ['u', lastMs] },
    { write: 'ZADD', key: keyspace.keysSeen, args: [lastMs, record.id] },
    { write: 'ZADD', key: keyspace.blocksBy('seen'), args: ['LT', lastMs, block] },
  ];
}

/** Joins what is added to one sorted set or hash: of new keys no operation undoes another. */
function joined(ops: readonly Op[]): readonly Op[] {
  const groups = new Map<string, { write: string; key: string; args: (string | number)[] }>();
  for (const [at, { write, key, args }] of ops.entries()) {
    const flags = args[0] === 'LT' ? 1 : 0;
    const isJoined = write === 'ZADD' || write === 'HSET';
    const name = isJoined ? `${write} ${flags} ${key}` : String(at);
    const group = groups.get(name);
    if (group) group.args.push(...args.slice(flags));
    else groups.set(name, { write, key, args: [...args] });
  }
  return [...groups.values()];
}
