import type { UsageHour } from '../../core/record-store.ts';
import { type Batch, HOUR_MS, type SummedUse } from '../batch.ts';
import type { CounterRow } from '../counters.ts';
import { insertTold, trimTold } from './event-write.ts';
import { numberOf, textOf } from './rows.ts';
import type { Sql } from './sql.ts';

/** A batch with counters that are settled. */
export type RowBatch = Batch & { readonly counters?: readonly CounterRow[] | undefined };

/** Writes a batch, all of it or nothing. At most `toldMax` of the events that no change caused are kept. */
export function writeBatch(sql: Sql, batch: RowBatch, toldMax: number): void {
  const { uses, events, counters = [] } = batch;
  sql.transaction(() => {
    for (const use of uses) writeUse(sql, use);
    insertTold(sql, events);
    for (const counter of counters) writeCounter(sql, counter);
    if (events.length > 0) trimTold(sql, toldMax);
  });
}

/** A declared key has counts, but no row of its own. */
function writeUse(sql: Sql, { keyId, lastMs, counts }: SummedUse): void {
  for (const { hour, reason, count } of counts) {
    sql.run(
      `INSERT INTO usage (key_id, hour, reason, count) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count`,
      [keyId, hour, reason, count],
    );
  }
  if (lastMs === 0) return;
  const found = sql.get('SELECT row FROM key WHERE id = ?', [keyId]);
  if (!found) return;
  const row = numberOf(found, 'row');
  const hour = Math.floor(lastMs / HOUR_MS);
  const seen = 'used = 1, seen_ms = CASE used WHEN 1 THEN max(seen_ms, ?) ELSE ? END';
  // Most uses fall into the hour of the one before: then no index has to change.
  const isSameHour = sql.run(`UPDATE key_use SET ${seen} WHERE row = ? AND seen_hour = ?`, [
    lastMs,
    lastMs,
    row,
    hour,
  ]);
  if (isSameHour > 0) return;
  sql.run(
    `UPDATE key_use SET ${seen}, seen_hour = CASE used WHEN 1 THEN max(seen_hour, ?) ELSE ? END WHERE row = ?`,
    [lastMs, lastMs, hour, hour, row],
  );
}

function writeCounter(sql: Sql, { name, slot, startMs, count }: CounterRow): void {
  sql.run(
    `INSERT INTO counter (name, slot, start_ms, count) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET start_ms = excluded.start_ms, count = excluded.count`,
    [name, slot, startMs, count],
  );
}

/** Counters as one text of the log: handed to another thread, it costs less than as many objects. */
export function writeLog(counters: readonly CounterRow[]): string {
  return JSON.stringify(
    counters.map(({ name, slot, startMs, count }) => [name, slot, startMs, count]),
  );
}

/** Appends counters (a text of `writeLog`) to the log; the answer is their place in it. */
export function logCounters(sql: Sql, counters: string): number {
  const row = sql.get('INSERT INTO counter_log (counters) VALUES (?) RETURNING seq', [counters]);
  return row ? numberOf(row, 'seq') : 0;
}

/** Forgets the log up to a place. */
export function trimLog(sql: Sql, upTo: number): void {
  sql.run('DELETE FROM counter_log WHERE seq <= ?', [upTo]);
}

/**
 * Settles what a process left in the log. A row may be newer already, where another process settles its own log at
 * this moment: of the same window the higher count stays.
 */
export function settleLog(sql: Sql): void {
  sql.transaction(() => {
    const newest = new Map<string, CounterRow>();
    for (const row of sql.all('SELECT counters FROM counter_log ORDER BY seq')) {
      for (const one of readLog(textOf(row, 'counters')))
        newest.set(`${one.name}\n${one.slot}`, one);
    }
    for (const { name, slot, startMs, count } of newest.values()) {
      sql.run(
        `INSERT INTO counter (name, slot, start_ms, count) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET
           count = CASE WHEN excluded.start_ms = start_ms THEN max(count, excluded.count) ELSE excluded.count END,
           start_ms = excluded.start_ms
         WHERE excluded.start_ms >= start_ms`,
        [name, slot, startMs, count],
      );
    }
    sql.run('DELETE FROM counter_log');
  });
}

function readLog(text: string): readonly CounterRow[] {
  const rows: readonly (readonly [string, number, number, number])[] = JSON.parse(text);
  return rows.map(([name, slot, startMs, count]) => ({ name, slot, startMs, count }));
}

/** The windows of a counter that were written. */
export function readCounter(sql: Sql, name: string): readonly CounterRow[] {
  const rows = sql.all('SELECT slot, start_ms, count FROM counter WHERE name = ?', [name]);
  return rows.map((row) => ({
    name,
    slot: numberOf(row, 'slot'),
    startMs: numberOf(row, 'start_ms'),
    count: numberOf(row, 'count'),
  }));
}

/** Uses of a key by hour, oldest first; `requests` are all, `refusals` those of them that were refused. */
export function usageOf(sql: Sql, keyId: string, fromMs: number): readonly UsageHour[] {
  const rows = sql.all(
    'SELECT hour, reason, count FROM usage WHERE key_id = ? AND hour >= ? ORDER BY hour, reason',
    [keyId, Math.floor(fromMs / HOUR_MS)],
  );
  const hours = new Map<number, { requests: number; refusals: Map<string, number> }>();
  for (const row of rows) {
    const hour = numberOf(row, 'hour');
    const known = hours.get(hour) ?? { requests: 0, refusals: new Map() };
    hours.set(hour, known);
    const reason = textOf(row, 'reason');
    const count = numberOf(row, 'count');
    known.requests += count;
    if (reason !== '') known.refusals.set(reason, count);
  }
  return [...hours].map(([hour, { requests, refusals }]) => ({
    startMs: hour * HOUR_MS,
    requests,
    refusals: Object.fromEntries(refusals),
  }));
}
