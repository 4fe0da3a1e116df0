import type { EventFilter, Page, PageRequest } from '../../core/record-store.ts';
import type { AuditEvent } from '../../core/records.ts';
import { parseObject } from '../stored-record.ts';
import { numberOf, textOf } from './rows.ts';
import { allOf, type Condition, type Row, type Sql } from './sql.ts';

/** One way through the events: the index to use, and conditions. */
export type EventPath = { readonly index: string; readonly conditions: readonly Condition[] };

/** A place among the events, which are ordered by their time and then by their coming. */
type Place = { readonly timeMs: number; readonly row: number };

const ALL: Place = { timeMs: Number.MAX_SAFE_INTEGER, row: Number.MAX_SAFE_INTEGER };

/** A page of events, the newest first. */
export function listEvents(sql: Sql, filter: EventFilter, page: PageRequest): Page<AuditEvent> {
  const before = page.after === undefined ? ALL : placeOf(sql, page.after);
  if (!before) return { items: [] };
  const wanted = page.limit + 1;
  const places = eventPaths(sql, filter)
    .flatMap((path) => {
      const { text, params } = eventQuery(path);
      return sql.all(text, [...params, before.timeMs, before.row, wanted]);
    })
    .map(readPlace)
    .sort((one, other) => other.timeMs - one.timeMs || other.row - one.row);
  const items = places.slice(0, page.limit).flatMap(({ row }) => readEvent(sql, row) ?? []);
  return { items, next: places.length > page.limit ? items.at(-1)?.id : undefined };
}

/** The query of a path; three more values are the place that the page begins below and how many events are wanted. */
export function eventQuery({ index, conditions }: EventPath): Condition {
  const below = { text: '(time_ms, row) < (?, ?)', params: [] };
  const { text, params } = allOf([...conditions, below]);
  return {
    text: `SELECT time_ms, row FROM event INDEXED BY ${index} WHERE ${text}
      ORDER BY time_ms DESC, row DESC LIMIT ?`,
    params,
  };
}

/** The paths that together meet each event of a filter once. */
export function eventPaths(sql: Sql, filter: EventFilter): readonly EventPath[] {
  const { workspace, event, object, actor, reason } = filter;
  const conditions = eventConditions(filter);
  const scope = workspace === undefined ? '' : '_workspace';
  const whole = (index: string) =>
    eventNames(sql, filter).map((name) => ({
      index,
      conditions: name === undefined ? conditions : [equal('event', name), ...conditions],
    }));
  if (object !== undefined) return whole('event_object');
  if (actor !== undefined) return whole('event_actor');
  if (reason !== undefined) return whole(`event${scope}_reason`);
  if (event !== undefined) return whole(`event${scope}_event`);
  return whole(workspace === undefined ? 'event_time' : 'event_workspace');
}

/** The names that a filter means: undefined for all, several for `key.*`. */
function eventNames(sql: Sql, { workspace, event }: EventFilter): readonly (string | undefined)[] {
  if (event === undefined) return [undefined];
  if (!event.endsWith('*')) return [event];
  const start = event.slice(0, -1);
  const inScope = workspace === undefined ? undefined : equal('workspace', workspace ?? '');
  const next = (after: string, comparison: '>' | '>='): string | undefined => {
    const { text, params } = allOf([
      ...(inScope ? [inScope] : []),
      { text: `event ${comparison} ?`, params: [after] },
    ]);
    const found = sql.get(`SELECT event FROM event WHERE ${text} ORDER BY event LIMIT 1`, params);
    return found && textOf(found, 'event');
  };
  const names: string[] = [];
  let name = next(start, '>=');
  while (name?.startsWith(start)) {
    names.push(name);
    name = next(name, '>');
  }
  return names;
}

function eventConditions(filter: EventFilter): readonly Condition[] {
  const { workspace, object, actor, reason, fromMs, toMs } = filter;
  return [
    ...(workspace === undefined ? [] : [equal('workspace', workspace ?? '')]),
    ...(object === undefined ? [] : [equal('object', object)]),
    ...(actor === undefined ? [] : [equal('actor', actor)]),
    ...(reason === undefined ? [] : [equal('reason', reason)]),
    ...(fromMs === undefined ? [] : [{ text: 'time_ms >= ?', params: [fromMs] }]),
    ...(toMs === undefined ? [] : [{ text: 'time_ms < ?', params: [toMs] }]),
  ];
}

function equal(column: string, value: string): Condition {
  return { text: `${column} = ?`, params: [value] };
}

/** The place of an event; undefined for one that was forgotten, and then all after it are too. */
function placeOf(sql: Sql, id: string): Place | undefined {
  const found = sql.get('SELECT time_ms, row FROM event WHERE id = ?', [id]);
  return found && readPlace(found);
}

function readPlace(row: Row): Place {
  return { timeMs: numberOf(row, 'time_ms'), row: numberOf(row, 'row') };
}

function readEvent(sql: Sql, row: number): AuditEvent | undefined {
  const found = sql.get('SELECT id, record FROM event WHERE row = ?', [row]);
  if (!found) return undefined;
  const id = textOf(found, 'id');
  const event = parseObject(textOf(found, 'record'), `event ${id}`);
  if (event['id'] !== id) throw new Error(`the record of event ${id} in the store is broken`);
  return event as AuditEvent;
}
