import type { KeptAnswer } from '../../core/record-store.ts';
import type { AuditEvent, RecordKind } from '../../core/records.ts';
import { type ItemKind, type StoredItem, UNFINISHED_SETTING } from '../../core/store-copy.ts';
import { parseObject } from '../stored-record.ts';
import { runningWindows } from './copy-tally.ts';
import { RECORDS_OF_ALL } from './record-list.ts';
import { numberOf, readListedKey, readVersioned, textOf } from './rows.ts';
import type { Params, Row, Sql } from './sql.ts';

/** A part of a dump; `next` is where the part after it begins. */
export type DumpPart = {
  readonly items: readonly StoredItem[];
  readonly next?: Params | undefined;
};

/** Where a dump stands: undefined at its beginning. */
type From = { readonly after: Params | undefined; readonly nowMs: number };
type Stage = (sql: Sql, from: From) => DumpPart;

/** Items of one part: a few milliseconds of reading. */
const PART_ROWS = 500;

/** The next part of all items of a kind, in a settled order. */
export function dumpPart(sql: Sql, kind: ItemKind, from: From): DumpPart {
  return STAGES[kind](sql, from);
}

const STAGES: { readonly [K in ItemKind]: Stage } = {
  setting: (sql, { after = [''] }) =>
    partOf(
      sql.all(
        'SELECT name, value FROM setting WHERE name > ? AND name <> ? ORDER BY name LIMIT ?',
        [...after, UNFINISHED_SETTING, PART_ROWS],
      ),
      (row) => ({ kind: 'setting', name: textOf(row, 'name'), value: textOf(row, 'value') }),
      (row) => [textOf(row, 'name')],
    ),
  workspace: recordStage('workspace'),
  role: recordStage('role'),
  user: recordStage('user'),
  team: recordStage('team'),
  key: (sql, { after = [0] }) =>
    partOf(
      sql.all(
        `SELECT k.row, k.id, k.version, k.record, u.used, u.seen_ms
         FROM key k JOIN key_use u ON u.row = k.row WHERE k.row > ? ORDER BY k.row LIMIT ?`,
        [...after, PART_ROWS],
      ),
      (row) => ({ kind: 'key', ...readListedKey(row), arrival: numberOf(row, 'row') }),
      (row) => [numberOf(row, 'row')],
    ),
  notice: (sql, { after = [0, '', ''] }) =>
    partOf(
      sql.all(
        `SELECT n.key_row, n.notice, n.mark, k.id FROM notice n JOIN key k ON k.row = n.key_row
         WHERE (n.key_row, n.notice, n.mark) > (?, ?, ?) ORDER BY n.key_row, n.notice, n.mark LIMIT ?`,
        [...after, PART_ROWS],
      ),
      (row) => ({
        kind: 'notice',
        keyId: textOf(row, 'id'),
        notice: textOf(row, 'notice'),
        mark: textOf(row, 'mark'),
      }),
      (row) => [numberOf(row, 'key_row'), textOf(row, 'notice'), textOf(row, 'mark')],
    ),
  counter: dumpCounters,
  usage: (sql, { after = ['', 0, ''] }) =>
    partOf(
      sql.all(
        `SELECT key_id, hour, reason, count FROM usage WHERE (key_id, hour, reason) > (?, ?, ?)
         ORDER BY key_id, hour, reason LIMIT ?`,
        [...after, PART_ROWS],
      ),
      (row) => ({
        kind: 'usage',
        keyId: textOf(row, 'key_id'),
        hour: numberOf(row, 'hour'),
        reason: textOf(row, 'reason'),
        count: numberOf(row, 'count'),
      }),
      (row) => [textOf(row, 'key_id'), numberOf(row, 'hour'), textOf(row, 'reason')],
    ),
  event: dumpEvents,
  answer: (sql, { after = [''], nowMs }) =>
    partOf(
      sql.all(
        `SELECT id, body_digest, sealed, expires_ms FROM answer WHERE id > ? AND expires_ms > ?
         ORDER BY id LIMIT ?`,
        [...after, nowMs, PART_ROWS],
      ),
      (row) => ({ kind: 'answer', answer: readAnswer(row) }),
      (row) => [textOf(row, 'id')],
    ),
};

function partOf(
  rows: readonly Row[],
  read: (row: Row) => StoredItem,
  placeOf: (row: Row) => Params,
): DumpPart {
  const last = rows.at(-1);
  const isWhole = rows.length < PART_ROWS;
  return { items: rows.map(read), next: last && !isWhole ? placeOf(last) : undefined };
}

function recordStage<K extends Exclude<RecordKind, 'key'>>(kind: K): Stage {
  return (sql, { after = ['', ''] }) =>
    partOf(
      sql.all(RECORDS_OF_ALL, [kind, ...after, PART_ROWS]),
      (row) => ({ kind, ...readVersioned(kind, row) }) as StoredItem,
      (row) => [textOf(row, 'workspace'), textOf(row, 'id')],
    );
}

/** All windows of a counter are in one item: the rows of the last one may be cut off, and come with the next part. */
function dumpCounters(sql: Sql, { after = [''], nowMs }: From): DumpPart {
  const running = runningWindows(nowMs);
  const rows = sql.all(
    `SELECT name, slot, start_ms, count FROM counter WHERE name > ? AND ${running.text}
     ORDER BY name, slot LIMIT ?`,
    [...after, ...running.params, PART_ROWS],
  );
  const isWhole = rows.length < PART_ROWS;
  const counters = Map.groupBy(rows, (row) => textOf(row, 'name'));
  if (!isWhole) counters.delete(textOf(rows.at(-1) ?? {}, 'name'));
  const items = [...counters].map(([counter, windows]): StoredItem => {
    return { kind: 'counter', counter, windows: windows.map(readWindow) };
  });
  const last = [...counters.keys()].at(-1);
  return { items, next: isWhole || last === undefined ? undefined : [last] };
}

function readWindow(row: Row) {
  return {
    slot: numberOf(row, 'slot'),
    startMs: numberOf(row, 'start_ms'),
    count: numberOf(row, 'count'),
  };
}

function dumpEvents(sql: Sql, { after = [Number.MIN_SAFE_INTEGER, 0, -1] }: From): DumpPart {
  const [lastMs = 0, lastRow = 0, lastAt] = after;
  const rows = sql.all(
    `SELECT row, id, time_ms, is_told, record FROM event WHERE (time_ms, row) > (?, ?)
     ORDER BY time_ms, row LIMIT ?`,
    [lastMs, lastRow, PART_ROWS],
  );
  let place = { timeMs: lastMs, row: lastRow, at: Number(lastAt) };
  const items = rows.map((row): StoredItem => {
    const timeMs = numberOf(row, 'time_ms');
    const at = timeMs === place.timeMs ? place.at + 1 : 0;
    place = { timeMs, row: numberOf(row, 'row'), at };
    return { kind: 'event', event: readEvent(row), isTold: row['is_told'] === 1, at };
  });
  const next = [place.timeMs, place.row, place.at];
  return { items, next: rows.length < PART_ROWS ? undefined : next };
}

function readEvent(row: Row): AuditEvent {
  const id = textOf(row, 'id');
  const event = parseObject(textOf(row, 'record'), `event ${id}`);
  if (event['id'] !== id) throw new Error(`the record of event ${id} in the store is broken`);
  return event as AuditEvent;
}

function readAnswer(row: Row): KeptAnswer {
  const id = textOf(row, 'id');
  const sealed = row['sealed'];
  if (!(sealed instanceof Uint8Array)) throw new Error(`the answer ${id} in the store is broken`);
  return {
    id,
    bodyDigest: textOf(row, 'body_digest'),
    sealed,
    expiresAtMs: numberOf(row, 'expires_ms'),
  };
}
