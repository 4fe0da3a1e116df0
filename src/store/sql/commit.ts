import type { Commit, Conflict, KeptAnswer, Notice, Write } from '../../core/record-store.ts';
import type { RecordKind } from '../../core/records.ts';
import { userName } from '../gate-records.ts';
import { workspaceOf } from '../stored-record.ts';
import { removeKey, writeKey } from './commit-key.ts';
import { insertEvents } from './event-write.ts';
import { numberOf } from './rows.ts';
import type { Sql } from './sql.ts';

/** Changes kept for other processes; one that lags further behind drops its whole cache. */
const CHANGES_KEPT = 100_000;
const TRIM_EVERY = 1000;

/** Writes all of a commit, or nothing and what stood in its way. `nowMs` tells which kept answers have ended. */
export function runCommit(sql: Sql, commit: Commit, nowMs: number): Conflict | undefined {
  const write = (): Conflict | undefined => {
    const { answer, notice } = commit;
    if (answer && !keepAnswer(sql, answer, nowMs)) return { conflict: 'answer', at: 0 };
    if (notice && !giveNotice(sql, notice)) return { conflict: 'notice', at: 0 };
    for (const [at, one] of commit.writes.entries()) {
      const conflict = runWrite(sql, one);
      if (conflict) return { conflict, at };
    }
    insertEvents(sql, commit.events);
    return undefined;
  };
  return sql.transaction(write, (conflict) => conflict === undefined);
}

function keepAnswer(sql: Sql, answer: KeptAnswer, nowMs: number): boolean {
  const { id, bodyDigest, sealed, expiresAtMs } = answer;
  if (sql.get('SELECT 1 FROM answer WHERE id = ? AND expires_ms > ?', [id, nowMs])) return false;
  sql.run(
    'INSERT OR REPLACE INTO answer (id, body_digest, sealed, expires_ms) VALUES (?, ?, ?, ?)',
    [id, bodyDigest, sealed, expiresAtMs],
  );
  return true;
}

/** Marks a key as told of; not when it was before, nor when there is no such key. */
function giveNotice(sql: Sql, { keyId, notice, mark }: Notice): boolean {
  const given = sql.run(
    'INSERT OR IGNORE INTO notice (key_row, notice, mark) SELECT row, ?, ? FROM key WHERE id = ?',
    [notice, mark, keyId],
  );
  return given > 0;
}

function runWrite(sql: Sql, write: Write): Conflict['conflict'] | undefined {
  const name = 'put' in write ? nameOfPut(write) : nameOf(write);
  const standing = findStanding(sql, write.kind, name);
  const version = standing ? numberOf(standing, 'version') : 0;
  if (version !== write.expected) return 'version';
  if ('require' in write) return undefined;
  if (write.kind === 'key') {
    const row = standing && numberOf(standing, 'row');
    const change = (hash: string) => tellChange(sql, 'key', hash);
    if ('put' in write) return writeKey(sql, { key: write.put, row, version: version + 1, change });
    if (row !== undefined) removeKey(sql, row, change);
    return undefined;
  }
  return runRecordWrite(sql, write, name);
}

type RecordWrite = Exclude<Write, { readonly kind: 'key' }>;
type Name = { readonly workspace: string; readonly id: string };

function runRecordWrite(
  sql: Sql,
  write: RecordWrite,
  name: Name,
): Conflict['conflict'] | undefined {
  const { kind } = write;
  const { workspace, id } = name;
  if ('put' in write) {
    const slug = write.kind === 'workspace' ? write.put.slug : undefined;
    if (slug !== undefined && isSlugTaken(sql, slug, id)) return 'slug';
    sql.run(
      'INSERT OR REPLACE INTO record (kind, workspace, id, version, slug, record) VALUES (?, ?, ?, ?, ?, ?)',
      [kind, workspace, id, write.expected + 1, slug ?? null, JSON.stringify(write.put)],
    );
  } else if ('remove' in write) {
    sql.run('DELETE FROM record WHERE kind = ? AND workspace = ? AND id = ?', [
      kind,
      workspace,
      id,
    ]);
  }
  if (kind === 'workspace') tellChange(sql, kind, id);
  if (kind === 'user') tellChange(sql, kind, userName(name));
  if (kind === 'role') tellChange(sql, kind, workspace);
  return undefined;
}

function isSlugTaken(sql: Sql, slug: string, id: string): boolean {
  return sql.get('SELECT 1 FROM record WHERE slug = ? AND id <> ?', [slug, id]) !== undefined;
}

function nameOfPut({ kind, put }: Extract<Write, { readonly put: unknown }>): Name {
  const workspace = 'workspace_id' in put ? put.workspace_id : undefined;
  return { workspace: workspaceOf(kind, { workspace, id: put.id }), id: put.id };
}

function nameOf(write: Exclude<Write, { readonly put: unknown }>): Name {
  const name = 'require' in write ? write.require : write.remove;
  return { workspace: workspaceOf(write.kind, name), id: name.id };
}

function findStanding(sql: Sql, kind: RecordKind, { workspace, id }: Name) {
  if (kind === 'key') return sql.get('SELECT row, version FROM key WHERE id = ?', [id]);
  return sql.get('SELECT version FROM record WHERE kind = ? AND workspace = ? AND id = ?', [
    kind,
    workspace,
    id,
  ]);
}

function tellChange(sql: Sql, kind: 'key' | 'workspace' | 'user' | 'role', name: string): void {
  const row = sql.get('INSERT INTO change (kind, name) VALUES (?, ?) RETURNING seq', [kind, name]);
  const seq = row ? numberOf(row, 'seq') : 0;
  if (seq % TRIM_EVERY === 0) sql.run('DELETE FROM change WHERE seq <= ?', [seq - CHANGES_KEPT]);
}
