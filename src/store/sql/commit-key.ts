import type { Conflict } from '../../core/record-store.ts';
import type { StoredKey } from '../../core/records.ts';
import { HOUR_MS } from '../batch.ts';
import { timeOf } from '../stored-record.ts';
import { readRecord } from './rows.ts';
import type { Params, Sql } from './sql.ts';

const DIGEST_BYTES = 32;

/** A key to write: over the one of `row`, or as a new one; `change` is told each hash that now means something else. */
export type KeyWrite = {
  readonly key: StoredKey;
  readonly row: number | undefined;
  /** Where a new key comes from another store: its number in the order in which keys came. */
  readonly arrival?: number | undefined;
  readonly version: number;
  readonly change: (hash: string) => void;
};

/** Writes a key with its secrets, or nothing where another key has one of them. */
export function writeKey(sql: Sql, write: KeyWrite): Conflict['conflict'] | undefined {
  const { key, row, version, change } = write;
  const before = row === undefined ? [] : hashesOf(sql, row);
  const hashes = key.secrets.map(({ hash }) => hash);
  if (new Set(hashes).size < hashes.length) return 'hash';
  if (hashes.some((hash) => isTaken(sql, hash, row))) return 'hash';
  for (const hash of before) sql.run('DELETE FROM secret WHERE hash = ?', [digestOf(hash)]);
  const at = row === undefined ? insertKey(sql, write) : updateKey(sql, row, { key, version });
  for (const { hash, until } of key.secrets) {
    const untilMs = until === undefined ? null : timeOf(until, `key ${key.id}`);
    sql.run('INSERT INTO secret (hash, key_row, until_ms) VALUES (?, ?, ?)', [
      digestOf(hash),
      at,
      untilMs,
    ]);
  }
  for (const hash of new Set([...before, ...hashes])) change(hash);
  return undefined;
}

/** Removes a key with all that is kept of it but its events. */
export function removeKey(sql: Sql, row: number, change: (hash: string) => void): void {
  const before = hashesOf(sql, row);
  for (const hash of before) sql.run('DELETE FROM secret WHERE hash = ?', [digestOf(hash)]);
  sql.run('DELETE FROM usage WHERE key_id = (SELECT id FROM key WHERE row = ?)', [row]);
  sql.run('DELETE FROM notice WHERE key_row = ?', [row]);
  sql.run('DELETE FROM key_use WHERE row = ?', [row]);
  sql.run('DELETE FROM key WHERE row = ?', [row]);
  for (const hash of before) change(hash);
}

/** The bytes of a hash, which the table of secrets is keyed by; throws where it is none. */
export function digestOf(hash: string): Buffer {
  const digest = Buffer.from(hash, 'hex');
  if (digest.length !== DIGEST_BYTES) throw new Error('a hash of a key must be SHA-256 in hex');
  return digest;
}

function hashesOf(sql: Sql, row: number): readonly string[] {
  const found = sql.get('SELECT id, record FROM key WHERE row = ?', [row]);
  return found ? readRecord('key', found).secrets.map(({ hash }) => hash) : [];
}

function isTaken(sql: Sql, hash: string, row: number | undefined): boolean {
  const holder = sql.get('SELECT key_row FROM secret WHERE hash = ?', [digestOf(hash)]);
  return holder !== undefined && holder['key_row'] !== row;
}

function insertKey(sql: Sql, { key, version, arrival }: KeyWrite): number {
  const inserted = sql.get(
    `INSERT INTO key (row, id, version, workspace, kind, owner, environment, status, prefix, key_prefix,
       created_ms, rotated_ms, expires_ms, record)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING row`,
    [arrival ?? null, key.id, version, ...columnsOf(key)],
  );
  const row = Number(inserted?.['row']);
  const createdMs = timeOf(key.created_at, `key ${key.id}`);
  sql.run('INSERT INTO key_use (row, used, seen_ms, seen_hour) VALUES (?, 0, ?, ?)', [
    row,
    createdMs,
    Math.floor(createdMs / HOUR_MS),
  ]);
  return row;
}

function updateKey(
  sql: Sql,
  row: number,
  { key, version }: { readonly key: StoredKey; readonly version: number },
): number {
  sql.run(
    `UPDATE key SET workspace = ?, kind = ?, owner = ?, environment = ?, status = ?, prefix = ?,
       key_prefix = ?, created_ms = ?, rotated_ms = ?, expires_ms = ?, record = ?, version = ?
     WHERE row = ?`,
    [...columnsOf(key), version, row],
  );
  return row;
}

function columnsOf(key: StoredKey): Params {
  const { workspace_id, kind, owner, environment, status, prefix, key_prefix, expires_at } = key;
  const time = (text: string) => timeOf(text, `key ${key.id}`);
  return [
    workspace_id ?? '',
    kind,
    owner ?? null,
    environment ?? null,
    status,
    prefix,
    key_prefix,
    time(key.created_at),
    time(key.rotated_at),
    expires_at === undefined ? null : time(expires_at),
    JSON.stringify(key),
  ];
}
