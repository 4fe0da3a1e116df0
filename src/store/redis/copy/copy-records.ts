import type { RecordKind } from '../../../core/records.ts';
import type { ItemOf } from '../../../core/store-copy.ts';
import type { Keyspace } from '../keyspace.ts';
import { apply, type Op } from '../records/apply.ts';
import { recordOps } from '../records/commit-plan.ts';
import { readAll, textOf } from '../records/read.ts';
import { fieldOf, readVersioned, writeVersioned } from '../records/records-layout.ts';
import type { CopyPlace } from './copy-place.ts';

type RecordItem = ItemOf<'workspace' | 'role' | 'user' | 'team'>;

const ATTEMPTS_MAX = 5;

/** Adds records that are not there; throws where one stands in another version. */
export async function restoreRecords(
  { link, keyspace }: CopyPlace,
  items: readonly RecordItem[],
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const reads = items.map((item) => ({
      read: 'HGET' as const,
      key: keyspace.records(item.kind),
      args: [nameOf(item)],
    }));
    const standing = (await readAll(link, reads)).map(textOf);
    const missing = items.filter((item, at) => !isSame(item, standing[at]));
    if (missing.length === 0) return;
    const conditions = reads
      .filter((_, at) => standing[at] === undefined)
      .map((read) => ({ ...read, is: undefined }));
    const ops = missing.flatMap((item) => putOps(keyspace, item));
    if (!('failed' in (await apply(link, keyspace, { conditions, ops })))) return;
  }
  throw new Error('records changed each time that they were about to be written');
}

function putOps(keyspace: Keyspace, item: RecordItem): readonly Op[] {
  const { kind, record, version } = item;
  const slug = kind === 'workspace' ? record.slug : undefined;
  return [
    ...recordOps(keyspace, {
      kind,
      field: nameOf(item),
      text: writeVersioned(version, record),
    }),
    ...(slug === undefined
      ? []
      : [{ write: 'HSET', key: keyspace.slugs, args: [slug, record.id] }]),
  ];
}

function isSame(item: RecordItem, standing: string | undefined): boolean {
  if (standing === undefined) return false;
  const { version } = readVersioned(item.kind, nameOf(item), standing);
  if (version !== item.version) throw another(item.kind, item.record.id);
  return true;
}

function nameOf({ kind, record }: RecordItem): string {
  const workspace = 'workspace_id' in record ? record.workspace_id : undefined;
  const field = fieldOf(kind, { workspace, id: record.id });
  if (field === undefined) throw new Error(`a ${kind} has a name that Redis cannot keep`);
  return field;
}

/** A record that is another than the one to add. */
export function another(kind: RecordKind, id: string): Error {
  return new Error(
    `${kind} ${id} stands there in another version: the store that is copied was changed, so begin anew with an empty one`,
  );
}
