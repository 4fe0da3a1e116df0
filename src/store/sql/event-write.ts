import type { AuditEvent } from '../../core/records.ts';
import { timeOf } from '../stored-record.ts';
import type { Params, Sql } from './sql.ts';

/** Writes the events of a change; a second one of the same id is an error of the caller. */
export function insertEvents(sql: Sql, events: readonly AuditEvent[]): void {
  for (const event of events) {
    sql.run(
      `INSERT INTO event (id, time_ms, event, workspace, object, actor, reason, record, is_told)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
      columnsOf(event),
    );
  }
}

/** Writes events that were told in passing, such as refused decisions; one that is kept already stays as it is. */
export function insertTold(sql: Sql, events: readonly AuditEvent[]): void {
  for (const event of events) {
    sql.run(
      `INSERT OR IGNORE INTO event (id, time_ms, event, workspace, object, actor, reason, record, is_told)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)`,
      columnsOf(event),
    );
  }
}

/** Writes an event of another store; one that is kept already stays as it is. */
export function restoreEvent(sql: Sql, event: AuditEvent, isTold: boolean): void {
  sql.run(
    `INSERT OR IGNORE INTO event (id, time_ms, event, workspace, object, actor, reason, record, is_told)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [...columnsOf(event), isTold ? 1 : 0],
  );
}

/** Forgets told events that are not among the newest `keep` of all: whoever is refused a lot must not fill the disk. */
export function trimTold(sql: Sql, keep: number): void {
  sql.run('DELETE FROM event WHERE is_told = 1 AND row <= (SELECT max(row) FROM event) - ?', [
    keep,
  ]);
}

function columnsOf(event: AuditEvent): Params {
  return [
    event.id,
    timeOf(event.time, `event ${event.id}`),
    event.event,
    event.workspace_id ?? '',
    event.object?.id ?? null,
    event.actor?.id ?? null,
    event.reason ?? null,
    JSON.stringify(event),
  ];
}
