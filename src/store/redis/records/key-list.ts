import type { KeyFilter, ListedKey, Page, PageRequest } from '../../../core/record-store.ts';
import { timeOf } from '../../stored-record.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { keyPaths } from './key-paths.ts';
import { type Met, type Place, walk } from './key-walk.ts';
import { chooseWays } from './key-ways.ts';
import { readAll } from './read.ts';
import { KEY_FIELDS, readKeptKey } from './records-layout.ts';

/**
 * A page of keys, the newest first; `next` is the arrival of its last key. Reads by the smallest index of those that
 * the filter names, in slices. A key that changes meanwhile is shown as it is, if the filter still means it: then a page
 * may hold less than its limit. A place that no page named is the beginning.
 */
export async function listKeys(
  link: RedisLink,
  keyspace: Keyspace,
  filter: KeyFilter,
  page: PageRequest,
): Promise<Page<ListedKey>> {
  const place = { link, keyspace };
  const below = placeOf(page.after);
  const met = new Map<number, Met>();
  const paths = await keyPaths(link, keyspace, filter);
  for (const way of await chooseWays(link, keyspace, paths)) {
    const found = await walk(place, way, { below, wanted: page.limit + 1 });
    for (const one of found) met.set(one.arrival, one);
  }
  const sorted = [...met.values()].toSorted((one, other) => other.arrival - one.arrival);
  const shown = sorted.slice(0, page.limit);
  const keys = await readKeys(place, shown);
  const items = keys.filter((key) => isMeant(filter, key));
  const next = sorted.length > page.limit ? shown.at(-1)?.arrival : undefined;
  return next === undefined ? { items } : { items, next: String(next) };
}

function placeOf(after: string | undefined): number {
  const arrival = /^\d{1,16}$/.test(after ?? '') ? Number(after) : 0;
  return arrival > 0 ? arrival : Number.POSITIVE_INFINITY;
}

async function readKeys({ link, keyspace }: Place, met: readonly Met[]) {
  const reads = met.map(({ id }) => ({ read: 'HMGET', key: keyspace.key(id), args: KEY_FIELDS }));
  const replies = await readAll(link, reads);
  return met.flatMap(({ id, arrival }, at): readonly ListedKey[] => {
    const kept = readKeptKey(id, replies[at]);
    if (kept?.arrival !== arrival) return [];
    const { arrival: _, ...key } = kept;
    return [key];
  });
}

/** What a filter means. */
function isMeant(filter: KeyFilter, { record, lastUsedAtMs }: ListedKey): boolean {
  const { workspace, kind, owner, environment, prefix, unusedSinceMs } = filter;
  const seenMs = () => lastUsedAtMs ?? timeOf(record.created_at, `key ${record.id}`);
  return (
    (workspace === undefined || (record.workspace_id ?? null) === workspace) &&
    (kind === undefined || record.kind === kind) &&
    (owner === undefined || record.owner === owner) &&
    (environment === undefined || record.environment === environment) &&
    (prefix === undefined || record.key_prefix.startsWith(prefix)) &&
    hasStatus(filter, record) &&
    (unusedSinceMs === undefined || seenMs() < unusedSinceMs)
  );
}

function hasStatus({ status, nowMs }: KeyFilter, record: ListedKey['record']): boolean {
  if (status !== 'active' && status !== 'expired') {
    return status === undefined || record.status === status;
  }
  const { expires_at } = record;
  const isOver = expires_at !== undefined && timeOf(expires_at, `key ${record.id}`) <= nowMs;
  return record.status === 'active' && isOver === (status === 'expired');
}
