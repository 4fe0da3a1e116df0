import type {
  KeptAnswer,
  Page,
  PageRequest,
  RecordFilter,
  RecordName,
  Versioned,
} from '../../core/record-store.ts';
import type { RecordKind, RecordOf } from '../../core/records.ts';
import { workspaceOf } from '../stored-record.ts';
import { numberOf, readVersioned, textOf } from './rows.ts';
import type { Sql } from './sql.ts';

/** Any record by its name. */
export function getRecord<K extends RecordKind>(
  sql: Sql,
  kind: K,
  name: RecordName,
): Versioned<RecordOf[K]> | undefined {
  const found =
    kind === 'key'
      ? sql.get('SELECT id, version, record FROM key WHERE id = ?', [name.id])
      : sql.get(
          'SELECT id, version, record FROM record WHERE kind = ? AND workspace = ? AND id = ?',
          [kind, workspaceOf(kind, name), name.id],
        );
  return found && readVersioned(kind, found);
}

/** A page of records in the order of their workspaces and ids. */
export function listRecords<K extends Exclude<RecordKind, 'key'>>(
  sql: Sql,
  kind: K,
  { workspace }: RecordFilter,
  { limit, after }: PageRequest,
): Page<Versioned<RecordOf[K]>> {
  const [lastWorkspace, lastId] = after === undefined ? ['', ''] : placeOf(after);
  const rows = sql.all(
    workspace === undefined ? RECORDS_OF_ALL : RECORDS_OF_WORKSPACE,
    workspace === undefined
      ? [kind, lastWorkspace, lastId, limit + 1]
      : [kind, workspace ?? '', lastId, limit + 1],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const items = page.map((row) => readVersioned(kind, row));
  if (!last || rows.length <= limit) return { items };
  return { items, next: `${textOf(last, 'workspace')}\n${textOf(last, 'id')}` };
}

export const RECORDS_OF_ALL = `SELECT workspace, id, version, record FROM record
  WHERE kind = ? AND (workspace, id) > (?, ?) ORDER BY workspace, id LIMIT ?`;
export const RECORDS_OF_WORKSPACE = `SELECT workspace, id, version, record FROM record
  WHERE kind = ? AND workspace = ? AND id > ? ORDER BY id LIMIT ?`;

/** The place that a page names; a text that no page named is some place, too. */
function placeOf(after: string): readonly [workspace: string, id: string] {
  const [workspace = '', id = ''] = after.split('\n');
  return [workspace, id];
}

export function findAnswer(sql: Sql, id: string, nowMs: number): KeptAnswer | undefined {
  const found = sql.get(
    'SELECT body_digest, sealed, expires_ms FROM answer WHERE id = ? AND expires_ms > ?',
    [id, nowMs],
  );
  const sealed = found?.['sealed'];
  if (!found || !(sealed instanceof Uint8Array)) return undefined;
  return {
    id,
    bodyDigest: textOf(found, 'body_digest'),
    sealed,
    expiresAtMs: numberOf(found, 'expires_ms'),
  };
}

export function getSetting(sql: Sql, name: string): string | undefined {
  const found = sql.get('SELECT value FROM setting WHERE name = ?', [name]);
  return found && textOf(found, 'value');
}

export function putSetting(sql: Sql, name: string, value: string): void {
  sql.run('INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)', [name, value]);
}
