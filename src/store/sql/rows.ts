import { parseTimestamp } from '../../core/key-record.ts';
import type { ListedKey, RecordName, Versioned } from '../../core/record-store.ts';
import type { RecordKind, RecordOf, StoredKey } from '../../core/records.ts';
import type { Row } from './sql.ts';

/** The workspace of a record as it is written: of a workspace its own id, of what belongs to none the empty text. */
export function workspaceOf(kind: RecordKind, name: RecordName): string {
  return kind === 'workspace' ? name.id : (name.workspace ?? '');
}

/** How the gate's caches and the table of changes name a user. */
export function userName(name: RecordName): string {
  return JSON.stringify([name.workspace ?? '', name.id]);
}

/** A text of a row; throws when it holds something else. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new Error(`the column ${column} holds no text`);
  return value;
}

/** A number of a row; throws when it holds something else. */
export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new Error(`the column ${column} holds no number`);
  return value;
}

/** Epoch milliseconds of a time in a record; throws when it is none. */
export function timeOf(text: string, what: string): number {
  const timeMs = parseTimestamp(text);
  if (timeMs === undefined) throw new Error(`${what} has a malformed time`);
  return timeMs;
}

/** Reads the record of a row, which must be an object of the row's id; throws with the name of a broken one. */
export function readRecord<K extends RecordKind>(kind: K, row: Row): RecordOf[K] {
  const id = textOf(row, 'id');
  const record = parseObject(textOf(row, 'record'), `${kind} ${id}`);
  if (record['id'] !== id) throw new Error(`the record of ${kind} ${id} in the store is broken`);
  return record as RecordOf[K];
}

/** Reads a JSON object; throws with the name of a broken one. */
export function parseObject(text: string, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (cause) {
    throw new Error(`the record of ${name} in the store is broken`, { cause });
  }
  throw new Error(`the record of ${name} in the store is broken`);
}

export function readVersioned<K extends RecordKind>(kind: K, row: Row): Versioned<RecordOf[K]> {
  return { record: readRecord(kind, row), version: numberOf(row, 'version') };
}

/** Reads a row of a key joined with its use. */
export function readListedKey(row: Row): ListedKey {
  const versioned: Versioned<StoredKey> = readVersioned('key', row);
  if (row['used'] !== 1) return versioned;
  return { ...versioned, lastUsedAtMs: numberOf(row, 'seen_ms') };
}
