import { type ItemKind, type Tally, UNFINISHED_SETTING } from '../../core/store-copy.ts';
import { windowAt } from '../../core/take.ts';
import { LASTING_SLOTS } from '../counters.ts';
import { numberOf } from './rows.ts';
import type { Condition, Params, Sql } from './sql.ts';

const COUNTS: { readonly [K in Exclude<ItemKind, 'counter'>]: string } = {
  setting: 'SELECT count(*) AS count FROM setting WHERE name <> ?',
  workspace: 'SELECT count(*) AS count FROM record WHERE kind = ?',
  role: 'SELECT count(*) AS count FROM record WHERE kind = ?',
  user: 'SELECT count(*) AS count FROM record WHERE kind = ?',
  team: 'SELECT count(*) AS count FROM record WHERE kind = ?',
  key: 'SELECT count(*) AS count FROM key',
  notice: 'SELECT count(*) AS count FROM notice',
  usage: 'SELECT count(*) AS count FROM usage',
  event: 'SELECT count(*) AS count FROM event',
  answer: 'SELECT count(*) AS count FROM answer WHERE expires_ms > ?',
};

/** How many of each kind are kept. */
export function tally(sql: Sql, nowMs: number): Tally {
  const count = (text: string, params: Params = []): number => {
    const row = sql.get(text, params);
    return row ? numberOf(row, 'count') : 0;
  };
  const running = runningWindows(nowMs);
  return {
    setting: count(COUNTS.setting, [UNFINISHED_SETTING]),
    workspace: count(COUNTS.workspace, ['workspace']),
    role: count(COUNTS.role, ['role']),
    user: count(COUNTS.user, ['user']),
    team: count(COUNTS.team, ['team']),
    key: count(COUNTS.key),
    notice: count(COUNTS.notice),
    counter: count(
      `SELECT count(DISTINCT name) AS count FROM counter WHERE ${running.text}`,
      running.params,
    ),
    usage: count(COUNTS.usage),
    event: count(COUNTS.event),
    answer: count(COUNTS.answer, [nowMs]),
  };
}

/** Holds for the windows of counters that are not over. */
export function runningWindows(nowMs: number): Condition {
  const each = LASTING_SLOTS.map(() => '(slot = ? AND start_ms >= ?)').join(' OR ');
  const params = LASTING_SLOTS.flatMap((slot) => [slot, windowAt(slot, nowMs).startMs]);
  return { text: `(${each})`, params };
}
