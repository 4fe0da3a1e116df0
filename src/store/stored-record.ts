import { parseTimestamp } from '../core/key-record.ts';
import type { RecordName } from '../core/record-store.ts';
import type { RecordKind, RecordOf } from '../core/records.ts';

/** The workspace of a record as it is written: of a workspace its own id, of what belongs to none the empty text. */
export function workspaceOf(kind: RecordKind, name: RecordName): string {
  return kind === 'workspace' ? name.id : (name.workspace ?? '');
}

/** Epoch milliseconds of a time in a record; throws when it is none. */
export function timeOf(text: string, what: string): number {
  const timeMs = parseTimestamp(text);
  if (timeMs === undefined) throw new Error(`${what} has a malformed time`);
  return timeMs;
}

/** Reads the JSON text of a record, which must be an object of this id; throws with the name of a broken one. */
export function parseRecord<K extends RecordKind>(kind: K, id: string, text: string): RecordOf[K] {
  const name = `${kind} ${id}`;
  const record = parseObject(text, name);
  if (record['id'] !== id) throw brokenRecord(name);
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
    throw brokenRecord(name, cause);
  }
  throw brokenRecord(name);
}

/** What is thrown where a record cannot be read. */
export function brokenRecord(name: string, cause?: unknown): Error {
  const message = `the record of ${name} in the store is broken`;
  return cause === undefined ? new Error(message) : new Error(message, { cause });
}
