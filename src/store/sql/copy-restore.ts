import type { RecordKind, RecordOf } from '../../core/records.ts';
import { type ItemOf, type StoredItem, UNFINISHED_SETTING } from '../../core/store-copy.ts';
import { HOUR_MS } from '../batch.ts';
import { workspaceOf } from '../stored-record.ts';
import { writeKey } from './commit-key.ts';
import { restoreEvent } from './event-write.ts';
import { getSetting, putSetting } from './record-list.ts';
import { numberOf } from './rows.ts';
import type { Sql } from './sql.ts';

/** Adds items that are not there, all of them or nothing. Throws where a record stands that is another. */
export function restoreItems(sql: Sql, items: readonly StoredItem[]): void {
  sql.transaction(() => {
    for (const item of items) restoreItem(sql, item);
  });
}

export function isUnfinished(sql: Sql): boolean {
  return getSetting(sql, UNFINISHED_SETTING) !== undefined;
}

export function beginCopy(sql: Sql): void {
  putSetting(sql, UNFINISHED_SETTING, 'yes');
}

/** The number of a change is left out, so that whoever follows them drops its whole cache. */
export function finishCopy(sql: Sql): void {
  sql.transaction(() => {
    sql.run('DELETE FROM setting WHERE name = ?', [UNFINISHED_SETTING]);
    sql.run(
      `INSERT INTO change (seq, kind, name) VALUES ((SELECT coalesce(max(seq), 0) + 2 FROM change), 'copy', '')`,
    );
  });
}

function restoreItem(sql: Sql, item: StoredItem): void {
  switch (item.kind) {
    case 'key':
      restoreKey(sql, item);
      break;
    case 'workspace':
    case 'role':
    case 'user':
    case 'team':
      restoreRecord(sql, item.kind, item);
      break;
    case 'setting':
      putSetting(sql, item.name, item.value);
      break;
    case 'notice':
      restoreNotice(sql, item);
      break;
    case 'counter':
      restoreCounter(sql, item);
      break;
    case 'usage':
      restoreUsage(sql, item);
      break;
    case 'event':
      restoreEvent(sql, item.event, item.isTold);
      break;
    case 'answer':
      restoreAnswer(sql, item);
      break;
  }
}

function restoreKey(sql: Sql, { record, version, arrival, lastUsedAtMs }: ItemOf<'key'>): void {
  const found = sql.get('SELECT row, version FROM key WHERE id = ?', [record.id]);
  if (found) {
    if (found['row'] !== arrival || found['version'] !== version) throw another('key', record.id);
    return;
  }
  const write = { key: record, row: undefined, arrival, version, change: () => undefined };
  if (writeKey(sql, write)) throw new Error(`another key has a secret of key ${record.id}`);
  if (lastUsedAtMs === undefined) return;
  const hour = Math.floor(lastUsedAtMs / HOUR_MS);
  sql.run('UPDATE key_use SET used = 1, seen_ms = ?, seen_hour = ? WHERE row = ?', [
    lastUsedAtMs,
    hour,
    arrival,
  ]);
}

type Kept<K extends Exclude<RecordKind, 'key'>> = {
  readonly record: RecordOf[K];
  readonly version: number;
};

function restoreRecord<K extends Exclude<RecordKind, 'key'>>(
  sql: Sql,
  kind: K,
  { record, version }: Kept<K>,
): void {
  const { id } = record;
  const workspace = workspaceOf(kind, {
    workspace: 'workspace_id' in record ? record.workspace_id : undefined,
    id,
  });
  const found = sql.get('SELECT version FROM record WHERE kind = ? AND workspace = ? AND id = ?', [
    kind,
    workspace,
    id,
  ]);
  if (found) {
    if (numberOf(found, 'version') !== version) throw another(kind, id);
    return;
  }
  const slug = 'slug' in record ? (record.slug ?? null) : null;
  sql.run(
    'INSERT INTO record (kind, workspace, id, version, slug, record) VALUES (?, ?, ?, ?, ?, ?)',
    [kind, workspace, id, version, slug, JSON.stringify(record)],
  );
}

function restoreNotice(sql: Sql, { keyId, notice, mark }: ItemOf<'notice'>): void {
  sql.run(
    'INSERT OR IGNORE INTO notice (key_row, notice, mark) SELECT row, ?, ? FROM key WHERE id = ?',
    [notice, mark, keyId],
  );
}

function restoreCounter(sql: Sql, item: ItemOf<'counter'>): void {
  if (!('counter' in item)) throw new Error('a counter without a name cannot be kept in a file');
  for (const { slot, startMs, count } of item.windows) {
    sql.run('INSERT OR IGNORE INTO counter (name, slot, start_ms, count) VALUES (?, ?, ?, ?)', [
      item.counter,
      slot,
      startMs,
      count,
    ]);
  }
}

function restoreUsage(sql: Sql, { keyId, hour, reason, count }: ItemOf<'usage'>): void {
  sql.run('INSERT OR IGNORE INTO usage (key_id, hour, reason, count) VALUES (?, ?, ?, ?)', [
    keyId,
    hour,
    reason,
    count,
  ]);
}

function restoreAnswer(sql: Sql, { answer }: ItemOf<'answer'>): void {
  sql.run(
    'INSERT OR IGNORE INTO answer (id, body_digest, sealed, expires_ms) VALUES (?, ?, ?, ?)',
    [answer.id, answer.bodyDigest, answer.sealed, answer.expiresAtMs],
  );
}

function another(kind: RecordKind, id: string): Error {
  return new Error(
    `${kind} ${id} stands there in another version: the store that is copied was changed, so begin anew with an empty one`,
  );
}
