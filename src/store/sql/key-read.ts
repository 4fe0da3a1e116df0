import { noticeMark } from '../../core/key-events.ts';
import type { KeySpan, ListedKey } from '../../core/record-store.ts';
import { HOUR_MS } from '../batch.ts';
import { digestOf } from './commit-key.ts';
import { readKeyAt } from './key-list.ts';
import { numberOf, textOf } from './rows.ts';
import type { Condition, Sql } from './sql.ts';

/** Rows looked at in one slice, after which other work may come between. */
const SLICE_ROWS = 2000;

export function getKey(sql: Sql, id: string): ListedKey | undefined {
  const found = sql.get('SELECT row FROM key WHERE id = ?', [id]);
  return found && readKeyAt(sql, numberOf(found, 'row'));
}

export function getKeyByHash(sql: Sql, hash: string): ListedKey | undefined {
  const found = sql.get('SELECT key_row FROM secret WHERE hash = ?', [digestOf(hash)]);
  return found && readKeyAt(sql, numberOf(found, 'key_row'));
}

/** Those of the ids that stand in the store. */
export function existing(
  sql: Sql,
  kind: 'key' | 'workspace',
  ids: readonly string[],
): readonly string[] {
  const text =
    kind === 'key'
      ? 'SELECT id FROM key WHERE id IN (SELECT value FROM json_each(?))'
      : "SELECT id FROM record WHERE kind = 'workspace' AND workspace IN (SELECT value FROM json_each(?))";
  return sql.all(text, [JSON.stringify(ids)]).map((row) => textOf(row, 'id'));
}

type Due = { readonly row: number; readonly atMs: number };

/** The keys that are due, found in slices: those told of already stand among the others and may be many. */
export function* keysDue(
  sql: Sql,
  span: KeySpan,
  notice: string,
  limit: number,
): Generator<void, readonly ListedKey[]> {
  const due: ListedKey[] = [];
  const { text, params } = dueQuery(span);
  let last: Due = { atMs: Number.MIN_SAFE_INTEGER, row: 0 };
  for (;;) {
    const found = sql.all(text, [...params, last.atMs, last.row, SLICE_ROWS]);
    const slice = found.map((row) => ({ row: numberOf(row, 'row'), atMs: numberOf(row, 'at_ms') }));
    for (const { row } of slice) {
      const key = untold(sql, row, span, notice);
      if (key) due.push(key);
      if (due.length === limit) return due;
    }
    const end = slice.at(-1);
    if (!end || slice.length < SLICE_ROWS) return due;
    last = end;
    yield;
  }
}

/** Keys of a span in the order of their time; three more values are the time and row to go on after, and how many. */
export function dueQuery(span: KeySpan): Condition {
  if (span.by === 'unused') {
    return {
      text: `SELECT u.row, u.seen_hour AS at_ms FROM key_use u INDEXED BY key_seen CROSS JOIN key k ON k.row = u.row
        WHERE u.seen_hour <= ? AND u.seen_ms < ? AND k.status = 'active' AND (u.seen_hour, u.row) > (?, ?)
        ORDER BY u.seen_hour, u.row LIMIT ?`,
      params: [Math.floor(span.beforeMs / HOUR_MS), span.beforeMs],
    };
  }
  const { index, column } = SPANS[span.by];
  return {
    text: `SELECT k.row, k.${column} AS at_ms FROM key k INDEXED BY ${index}
      WHERE k.status = 'active' AND k.${column} >= ? AND k.${column} < ? AND (k.${column}, k.row) > (?, ?)
      ORDER BY k.${column}, k.row LIMIT ?`,
    params: [span.fromMs, span.toMs],
  };
}

const SPANS = {
  expires_at: { index: 'key_expires', column: 'expires_ms' },
  created_at: { index: 'key_created', column: 'created_ms' },
  rotated_at: { index: 'key_rotated', column: 'rotated_ms' },
} as const;

/** A key, unless it was told of with the mark that it has now. */
function untold(sql: Sql, row: number, span: KeySpan, notice: string): ListedKey | undefined {
  const key = readKeyAt(sql, row);
  if (!key) return undefined;
  const told = sql.get('SELECT 1 FROM notice WHERE key_row = ? AND notice = ? AND mark = ?', [
    row,
    notice,
    noticeMark(span, key),
  ]);
  return told ? undefined : key;
}
