import type { ListedKey, Versioned } from '../../core/record-store.ts';
import type { RecordKind, RecordOf, StoredKey } from '../../core/records.ts';
import { parseRecord } from '../stored-record.ts';
import type { Row } from './sql.ts';

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

/** Reads the record of a row, which must be an object of the row's id; throws with the name of a broken one. */
export function readRecord<K extends RecordKind>(kind: K, row: Row): RecordOf[K] {
  return parseRecord(kind, textOf(row, 'id'), textOf(row, 'record'));
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
