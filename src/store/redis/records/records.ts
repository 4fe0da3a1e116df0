import type {
  ListedKey,
  Page,
  PageRequest,
  RecordFilter,
  RecordName,
  Versioned,
} from '../../../core/record-store.ts';
import type { RecordKind, RecordOf } from '../../../core/records.ts';
import type { KeptRecords } from '../../assemble.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { type CommitOptions, createCommit } from './commit.ts';
import { listKeys } from './key-list.ts';
import { listOf, readAll, textOf, textsOf } from './read.ts';
import { fieldOf, holderOf, KEY_FIELDS, readKeptKey, readVersioned } from './records-layout.ts';

export type RedisRecords = Pick<
  KeptRecords,
  'get' | 'getKey' | 'getKeyByHash' | 'listKeys' | 'list' | 'existing' | 'commit'
>;
export type RedisRecordsOptions = Omit<CommitOptions, 'now'> & Partial<Pick<CommitOptions, 'now'>>;

/** How often a key may be rotated while it is looked for by a hash. */
const READS_MAX = 5;
const LIST_WITHIN_MS = 3000;
const LIST = readScript('list-records', 'master');

/** Makes the port to records and keys in Redis. */
export function createRedisRecords(
  link: RedisLink,
  keyspace: Keyspace,
  options: RedisRecordsOptions,
): RedisRecords {
  const commit = createCommit(link, keyspace, { now: Date.now, ...options });
  return {
    get: (kind, name) => getRecord({ link, keyspace }, kind, name),
    getKey: (id) => getKey({ link, keyspace }, id),
    getKeyByHash: (hash) => getKeyByHash({ link, keyspace }, hash),
    listKeys: (filter, page) => listKeys(link, keyspace, filter, page),
    list: (kind, filter, page) => listRecords({ link, keyspace }, kind, { ...filter, ...page }),
    existing: (kind, ids) => existing({ link, keyspace }, kind, ids),
    commit,
  };
}

type Place = { readonly link: RedisLink; readonly keyspace: Keyspace };

async function getRecord<K extends RecordKind>(
  place: Place,
  kind: K,
  name: RecordName,
): Promise<Versioned<RecordOf[K]> | undefined> {
  if (kind === 'key') {
    const key = await getKey(place, name.id);
    return key && ({ record: key.record, version: key.version } as Versioned<RecordOf[K]>);
  }
  const field = fieldOf(kind, name);
  if (field === undefined) return undefined;
  const read = { read: 'HGET', key: place.keyspace.records(kind), args: [field] };
  const [reply] = await readAll(place.link, [read]);
  const text = textOf(reply);
  return text === undefined ? undefined : readVersioned(kind, field, text);
}

async function getKey({ link, keyspace }: Place, id: string): Promise<ListedKey | undefined> {
  if (!id.isWellFormed()) return undefined;
  const [reply] = await readAll(link, [{ read: 'HMGET', key: keyspace.key(id), args: KEY_FIELDS }]);
  return listed(id, reply);
}

function listed(id: string, reply: Parameters<typeof readKeptKey>[1]): ListedKey | undefined {
  const kept = readKeptKey(id, reply);
  if (!kept) return undefined;
  const { arrival: _, ...key } = kept;
  return key;
}

/** In two trips, because a script must name its keys before it runs: who holds the hash, then both together. */
async function getKeyByHash(
  { link, keyspace }: Place,
  hash: string,
): Promise<ListedKey | undefined> {
  const read = { read: 'HGET', key: keyspace.secrets, args: [hash] };
  let holder = holderOf(textOf((await readAll(link, [read]))[0]));
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    if (holder === undefined) return undefined;
    const ofKey = { read: 'HMGET', key: keyspace.key(holder), args: KEY_FIELDS };
    const [value, reply] = await readAll(link, [read, ofKey]);
    const standing = holderOf(textOf(value));
    if (standing === holder) return listed(holder, reply);
    holder = standing;
  }
  throw new Error('a key was changed again and again while it was read');
}

async function existing(
  { link, keyspace }: Place,
  kind: 'key' | 'workspace',
  ids: readonly string[],
): Promise<readonly string[]> {
  const asked = [...new Set(ids)].filter((id) => fieldOf('workspace', { id }) !== undefined);
  const reads = asked.map((id) =>
    kind === 'key'
      ? { read: 'HEXISTS', key: keyspace.key(id), args: ['v'] }
      : { read: 'HEXISTS', key: keyspace.records(kind), args: [`${id}\0${id}`] },
  );
  const replies = await readAll(link, reads);
  return asked.filter((_, at) => replies[at] === 1);
}

/** A page in the order of workspaces and ids; `after` is the field of the last item. */
async function listRecords<K extends Exclude<RecordKind, 'key'>>(
  { link, keyspace }: Place,
  kind: K,
  { workspace, limit, after }: RecordFilter & PageRequest,
): Promise<Page<Versioned<RecordOf[K]>>> {
  const ofOne = workspace === undefined ? undefined : (workspace ?? '');
  if (ofOne !== undefined && fieldOf('workspace', { id: ofOne }) === undefined)
    return { items: [] };
  const own = ofOne === undefined ? '' : `${ofOne}\0`;
  const first = own === '' ? '-' : `[${own}`;
  const reply = await link.runAside({
    script: LIST,
    keys: [keyspace.recordNames(kind), keyspace.records(kind)],
    args: [
      after?.startsWith(own) ? `(${after}` : first,
      ofOne === undefined ? '+' : `(${ofOne}\x01`,
      limit + 1,
    ],
    withinMs: LIST_WITHIN_MS,
  });
  const [fields, texts] = listOf(reply as Parameters<typeof listOf>[0]);
  const names = textsOf(fields).slice(0, limit);
  const values = listOf(texts);
  const items = names.map((field, at) => readVersioned(kind, field, textOf(values[at]) ?? ''));
  return listOf(fields).length > limit ? { items, next: names.at(-1) } : { items };
}
