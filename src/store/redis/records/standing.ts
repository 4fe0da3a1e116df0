import type { RecordName, Write } from '../../../core/record-store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import type { Condition } from './apply.ts';
import { type Read, type Reply, readAll, textOf } from './read.ts';
import { fieldOf, KEY_FIELDS, type KeptKey, readKeptKey } from './records-layout.ts';

/** What stands now of all that writes name or need free, and the conditions that say so. */
export type Standing = {
  readonly key: (id: string) => KeptKey | undefined;
  /** The value by the hash of a secret; undefined when no key holds it. */
  readonly secret: (hash: string) => string | undefined;
  readonly slug: (slug: string) => string | undefined;
  readonly record: (kind: string, field: string) => string | undefined;
  /** New keys are numbered from here on; nobody else has these numbers. */
  readonly firstArrival: number;
  readonly conditions: readonly Condition[];
};

export type RecordWrite = Exclude<Write, { readonly kind: 'key' }>;

/** Reads what writes go by, in one trip. Throws where a record is broken, or a name cannot be kept. */
export async function readStanding(
  link: RedisLink,
  keyspace: Keyspace,
  writes: readonly Write[],
): Promise<Standing> {
  const { arrivals, secrets, slugs, records } = keyspace;
  const ids = distinct(writes.flatMap((write) => (write.kind === 'key' ? nameOf(write).id : [])));
  const fields = distinctReads(writes.flatMap((write) => fieldReads(write, keyspace)));
  const newKeys = writes.filter(isNewKey).length;
  const replies = await readAll(link, [
    { read: newKeys > 0 ? 'INCRBY' : 'GET', key: arrivals, args: newKeys > 0 ? [newKeys] : [] },
    ...ids.map((id) => ({ read: 'HMGET', key: keyspace.key(id), args: KEY_FIELDS })),
    ...fields,
  ]);
  const [newest, ...others] = replies;
  const keys = new Map(ids.map((id, at) => [id, readKeptKey(id, others[at])]));
  const found = new Map(
    fields.map(({ key, args: [field] }, at) => [`${key}\0${field}`, others[ids.length + at]]),
  );
  const standsAt = (key: string, field: string) => textOf(found.get(`${key}\0${field}`));
  return {
    key: (id) => keys.get(id),
    secret: (hash) => standsAt(secrets, hash),
    slug: (slug) => standsAt(slugs, slug),
    record: (kind, field) => standsAt(records(kind), field),
    firstArrival: Number(newest) - newKeys + 1,
    conditions: [
      ...[...keys].flatMap(([id, key]) => keyConditions(keyspace.key(id), key)),
      ...fields.map((read) => fieldCondition(read, found.get(`${read.key}\0${read.args[0]}`))),
    ],
  };
}

/** What says that a key stands as it was read. A key that was removed and made anew may have the same version, but not the same arrival. */
export function keyConditions(key: string, kept: KeptKey | undefined): readonly Condition[] {
  const stands = (field: string, is: number | undefined): Condition => {
    return { read: 'HGET', key, args: [field], is: is === undefined ? undefined : String(is) };
  };
  if (!kept) return [stands('v', undefined)];
  return [stands('v', kept.version), stands('a', kept.arrival)];
}

function fieldCondition({ key, args }: FieldRead, reply: Reply | undefined): Condition {
  return { read: 'HGET', key, args, is: textOf(reply) };
}

type FieldRead = Read & { readonly read: 'HGET'; readonly args: readonly [field: string] };

function fieldReads(write: Write, { secrets, slugs, records }: Keyspace): readonly FieldRead[] {
  const field = (key: string, name: string): FieldRead => ({ read: 'HGET', key, args: [name] });
  if (write.kind === 'key') {
    return 'put' in write ? write.put.secrets.map(({ hash }) => field(secrets, hash)) : [];
  }
  const slug = write.kind === 'workspace' && 'put' in write ? write.put.slug : undefined;
  return [
    field(records(write.kind), fieldOfWrite(write)),
    ...(slug === undefined ? [] : [field(slugs, slug)]),
  ];
}

/** The field of the record that is written; throws for a name that no record can have. */
export function fieldOfWrite(write: RecordWrite): string {
  const field = fieldOf(write.kind, nameOf(write));
  if (field === undefined) throw new Error(`a ${write.kind} has a name that cannot be kept`);
  return field;
}

function nameOf(write: Write): RecordName {
  if ('require' in write) return write.require;
  if ('remove' in write) return write.remove;
  const workspace = 'workspace_id' in write.put ? write.put.workspace_id : undefined;
  return { workspace, id: write.put.id };
}

function isNewKey(write: Write): boolean {
  return write.kind === 'key' && 'put' in write && write.expected === 0;
}

function distinct<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}

function distinctReads(reads: readonly FieldRead[]): readonly FieldRead[] {
  return [...new Map(reads.map((read) => [`${read.key}\0${read.args[0]}`, read])).values()];
}
