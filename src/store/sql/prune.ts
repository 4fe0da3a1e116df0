import { windowAt } from '../../core/take.ts';
import { HOUR_MS } from '../batch.ts';
import { LASTING_SLOTS } from '../counters.ts';
import type { Params, Sql } from './sql.ts';

/** Rows forgotten in one slice, after which other work may come between. */
const SLICE_ROWS = 2000;

/** Before when events and hours of usage are forgotten; answers are past their end at `nowMs`; all epoch ms. */
export type PruneTimes = {
  readonly eventsMs: number;
  readonly usageMs: number;
  readonly nowMs: number;
};

/** Forgets what is past its time, in slices. */
export function* prune(sql: Sql, times: PruneTimes): Generator<void, void> {
  const { eventsMs, usageMs, nowMs } = times;
  yield* inSlices(
    sql,
    'DELETE FROM event WHERE row IN (SELECT row FROM event WHERE time_ms < ? ORDER BY time_ms LIMIT ?)',
    [eventsMs],
  );
  yield* inSlices(
    sql,
    'DELETE FROM answer WHERE id IN (SELECT id FROM answer WHERE expires_ms <= ? LIMIT ?)',
    [nowMs],
  );
  yield* inSlices(
    sql,
    `DELETE FROM usage WHERE (key_id, hour, reason) IN
       (SELECT key_id, hour, reason FROM usage WHERE hour < ? LIMIT ?)`,
    [Math.floor(usageMs / HOUR_MS)],
  );
  yield* pruneCounters(sql, nowMs);
}

/** Windows that ended before the one that ended last: a clock may be set back. */
function* pruneCounters(sql: Sql, nowMs: number): Generator<void, void> {
  for (const slot of LASTING_SLOTS) {
    const before = windowAt(slot, windowAt(slot, nowMs).startMs - 1);
    yield* inSlices(
      sql,
      `DELETE FROM counter WHERE (name, slot) IN
         (SELECT name, slot FROM counter WHERE slot = ? AND start_ms < ? LIMIT ?)`,
      [slot, before.startMs],
    );
  }
}

function* inSlices(sql: Sql, text: string, params: Params): Generator<void, void> {
  while (sql.run(text, [...params, SLICE_ROWS]) === SLICE_ROWS) yield;
}
