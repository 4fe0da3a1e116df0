import type { Conflict, Write } from '../../../core/record-store.ts';
import type { StoredKey } from '../../../core/records.ts';
import { userName } from '../../gate-records.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Condition, Op } from './apply.ts';
import { keyOps } from './commit-key.ts';
import { holderOf, readVersioned, writeHolder, writeVersioned } from './records-layout.ts';
import { fieldOfWrite, type RecordWrite, type Standing } from './standing.ts';

/** What a commit does, by what stands now: it may be done as long as the conditions hold. */
export type Plan = {
  readonly conditions: readonly Condition[];
  readonly ops: readonly Op[];
  readonly changes: readonly { readonly kind: string; readonly name: string }[];
};

/** What is there after the writes so far; what a write changed stands in a map, everything else in `standing`. */
type Draft = {
  readonly standing: Standing;
  readonly keys: Map<string, ReturnType<Standing['key']>>;
  readonly secrets: Map<string, string | undefined>;
  readonly slugs: Map<string, string | undefined>;
  /** By kind and field. */
  readonly records: Map<string, Kept>;
  readonly changes: Map<string, { readonly kind: string; readonly name: string }>;
  readonly nextArrival: () => number;
};
export type Kept = {
  readonly kind: string;
  readonly field: string;
  readonly text: string | undefined;
};
type Obstacle = Conflict['conflict'] | undefined;

/** Plans writes, each of which sees those before it; or tells what stands in their way. Throws where a record is broken. */
export function planWrites(
  keyspace: Keyspace,
  writes: readonly Write[],
  standing: Standing,
): Plan | Conflict {
  let arrival = standing.firstArrival;
  const draft: Draft = {
    standing,
    keys: new Map(),
    secrets: new Map(),
    slugs: new Map(),
    records: new Map(),
    changes: new Map(),
    nextArrival: () => arrival++,
  };
  for (const [at, write] of writes.entries()) {
    const conflict = write.kind === 'key' ? draftKey(draft, write) : draftRecord(draft, write);
    if (conflict) return { conflict, at };
  }
  const changes = [...draft.changes.values()];
  return { conditions: standing.conditions, ops: opsOf(keyspace, draft), changes };
}

function tell(draft: Draft, kind: string, name: string): void {
  draft.changes.set(`${kind}\0${name}`, { kind, name });
}

type KeyWrite = Extract<Write, { readonly kind: 'key' }>;

function draftKey(draft: Draft, write: KeyWrite): Obstacle {
  const { id } = 'put' in write ? write.put : 'remove' in write ? write.remove : write.require;
  const before = draft.keys.has(id) ? draft.keys.get(id) : draft.standing.key(id);
  if ((before?.version ?? 0) !== write.expected) return 'version';
  if ('require' in write) return undefined;
  if ('put' in write && holdsTaken(draft, write.put)) return 'hash';
  moveSecrets(draft, before?.record, 'put' in write ? write.put : undefined);
  if ('remove' in write) draft.keys.set(id, undefined);
  if ('put' in write) {
    const arrival = before?.arrival ?? draft.nextArrival();
    draft.keys.set(id, { ...before, record: write.put, version: write.expected + 1, arrival });
  }
  return undefined;
}

function moveSecrets(
  draft: Draft,
  before: StoredKey | undefined,
  after: StoredKey | undefined,
): void {
  const old = before?.secrets ?? [];
  const secrets = after?.secrets ?? [];
  for (const { hash } of old) draft.secrets.set(hash, undefined);
  for (const { hash, until } of secrets) {
    draft.secrets.set(hash, writeHolder(until, after?.id ?? ''));
  }
  for (const { hash } of [...old, ...secrets]) tell(draft, 'key', hash);
}

/** Whether a secret of a key is that of another, or twice its own. */
function holdsTaken(draft: Draft, { id, secrets }: StoredKey): boolean {
  const hashes = secrets.map(({ hash }) => hash);
  const isOthers = (hash: string): boolean => {
    const value = draft.secrets.has(hash) ? draft.secrets.get(hash) : draft.standing.secret(hash);
    const holder = holderOf(value);
    return holder !== undefined && holder !== id;
  };
  return new Set(hashes).size < hashes.length || hashes.some(isOthers);
}

function draftRecord(draft: Draft, write: RecordWrite): Obstacle {
  const { kind } = write;
  const field = fieldOfWrite(write);
  const before = recordAt(draft, kind, field);
  const version = before === undefined ? 0 : readVersioned(kind, field, before).version;
  if (version !== write.expected) return 'version';
  if ('require' in write) return undefined;
  if (kind === 'workspace' && !moveSlug(draft, write, before)) return 'slug';
  const text = 'put' in write ? writeVersioned(version + 1, write.put) : undefined;
  if (before !== undefined || text !== undefined) {
    draft.records.set(`${kind}\0${field}`, { kind, field, text });
  }
  const [workspace = '', id = ''] = field.split('\0');
  if (kind === 'workspace') tell(draft, kind, id);
  if (kind === 'user') tell(draft, kind, userName({ workspace, id }));
  if (kind === 'role') tell(draft, kind, workspace);
  return undefined;
}

function recordAt(draft: Draft, kind: RecordWrite['kind'], field: string): string | undefined {
  const drafted = draft.records.get(`${kind}\0${field}`);
  return drafted ? drafted.text : draft.standing.record(kind, field);
}

/** Gives a workspace its slug, and its old one back; false where another has it. */
function moveSlug(
  draft: Draft,
  write: Extract<Write, { readonly kind: 'workspace' }>,
  before: string | undefined,
): boolean {
  const id = 'put' in write ? write.put.id : 'remove' in write ? write.remove.id : '';
  const slug = 'put' in write ? write.put.slug : undefined;
  const { slugs, standing } = draft;
  if (slug !== undefined) {
    const holder = slugs.has(slug) ? slugs.get(slug) : standing.slug(slug);
    if (holder !== undefined && holder !== id) return false;
  }
  const old = before && readVersioned('workspace', `${id}\0${id}`, before).record.slug;
  if (old !== undefined) slugs.set(old, undefined);
  if (slug !== undefined) slugs.set(slug, id);
  return true;
}

function opsOf(keyspace: Keyspace, draft: Draft): readonly Op[] {
  const { keys, secrets, slugs, records, standing } = draft;
  return [
    ...[...keys].flatMap(([id, after]) =>
      keyOps(keyspace, { id, before: standing.key(id), after }),
    ),
    ...[...secrets].map(([hash, value]) => fieldOp(keyspace.secrets, hash, value)),
    ...[...slugs].map(([slug, id]) => fieldOp(keyspace.slugs, slug, id)),
    ...[...records.values()].flatMap((kept) => recordOps(keyspace, kept)),
  ];
}

/** Writes a record that is no key, or removes it. */
export function recordOps(keyspace: Keyspace, { kind, field, text }: Kept): readonly Op[] {
  const names = keyspace.recordNames(kind);
  return [
    fieldOp(keyspace.records(kind), field, text),
    text === undefined
      ? { write: 'ZREM', key: names, args: [field] }
      : { write: 'ZADD', key: names, args: [0, field] },
  ];
}

function fieldOp(key: string, field: string, value: string | undefined): Op {
  return value === undefined
    ? { write: 'HDEL', key, args: [field] }
    : { write: 'HSET', key, args: [field, value] };
}
