import { parseTimestamp } from '../../../core/key-record.ts';
import type { AuditEvent } from '../../../core/records.ts';
import type { Keyspace } from '../keyspace.ts';
import { OP_ARGS_MAX, type Op } from './apply.ts';
import type { PlanPart } from './plan-part.ts';

/**
 * Fields with an index of their own, each about 110 bytes an event. A filter of several walks the smallest and asks
 * the others for membership, so that pairs of fields need none.
 */
export type EventField = 'workspace' | 'event' | 'object' | 'actor' | 'reason';

/** Events of one commit or batch keep their order within a millisecond: a score has so many steps for that. */
const STEPS = 4096;

/**
 * Writes the events of a change. A condition fails when an event of that id is kept, which is an error of the
 * caller and no conflict.
 */
export function eventOps(keyspace: Keyspace, events: readonly AuditEvent[]): PlanPart {
  if (new Set(events.map(({ id }) => id)).size < events.length) {
    throw new Error('two events of a commit have the same id');
  }
  const conditions = events.map(
    ({ id }) => ({ read: 'HGET', key: keyspace.events, args: [id], is: undefined }) as const,
  );
  const placed = events.map((event, at) => ({ event, at, isTold: false }));
  return { conditions, ops: putEventOps(keyspace, placed) };
}

/** An event with its place among those of its millisecond; `isTold` where no change caused it. */
export type PlacedEvent = {
  readonly event: AuditEvent;
  readonly at: number;
  readonly isTold: boolean;
};

/** Writes events with all their indexes. */
export function putEventOps(keyspace: Keyspace, placed: readonly PlacedEvent[]): readonly Op[] {
  const writes = createGroupedOps();
  for (const { event, at, isTold } of placed) {
    const score = scoreOf(event, at);
    writes.add('HSET', keyspace.events, event.id, JSON.stringify(event));
    writes.add('ZADD', keyspace.eventNames, 0, event.event);
    const told = isTold ? [keyspace.eventsTold] : [];
    for (const index of [keyspace.eventsByTime, ...told, ...eventIndexes(keyspace, event)]) {
      writes.add('ZADD', index, score, event.id);
    }
  }
  return writes.ops();
}

/** An event to forget; without its record where that is broken, and then it leaves a mere id in some indexes. */
export type KeptEvent = { readonly id: string; readonly event: AuditEvent | undefined };

/** Forgets events. */
export function forgetOps(keyspace: Keyspace, kept: readonly KeptEvent[]): readonly Op[] {
  const writes = createGroupedOps();
  for (const { id, event } of kept) {
    const indexes = event ? eventIndexes(keyspace, event) : [];
    writes.add('HDEL', keyspace.events, id);
    for (const index of [keyspace.eventsByTime, keyspace.eventsTold, ...indexes]) {
      writes.add('ZREM', index, id);
    }
  }
  return writes.ops();
}

/** The indexes of fields that an event stands in. */
export function eventIndexes(keyspace: Keyspace, event: AuditEvent): readonly string[] {
  const values: Readonly<Record<EventField, string | undefined>> = {
    workspace: event.workspace_id ?? '',
    event: event.event,
    object: event.object?.id,
    actor: event.actor?.id,
    reason: event.reason,
  };
  return Object.entries(values).flatMap(([field, value]) =>
    value === undefined ? [] : [keyspace.eventsWith(field, value)],
  );
}

/** The score of an event, at a place among those that are written with it: its time in epoch ms, and a step of it. */
export function scoreOf({ id, time }: AuditEvent, at: number): number {
  const timeMs = parseTimestamp(time);
  if (timeMs === undefined) throw new Error(`event ${id} has a malformed time`);
  return timeMs + Math.min(at, STEPS - 1) / STEPS;
}

/** Reads an event; throws when it is no event of that id. */
export function readEvent(id: string, json: string): AuditEvent {
  const event = parse(json);
  if (typeof event !== 'object' || event === null || !('id' in event) || event.id !== id) {
    throw new Error(`the record of event ${id} in the store is broken`);
  }
  return event as AuditEvent;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Joins what one command can write to one key. */
function createGroupedOps() {
  const groups = new Map<string, { write: string; key: string; args: (string | number)[] }[]>();
  return {
    add(write: string, key: string, ...args: readonly (string | number)[]): void {
      const name = `${write} ${key}`;
      const group = groups.get(name) ?? [];
      groups.set(name, group);
      const last = group.at(-1);
      if (last && last.args.length + args.length <= OP_ARGS_MAX) last.args.push(...args);
      else group.push({ write, key, args: [...args] });
    },
    ops: (): readonly Op[] => [...groups.values()].flat(),
  };
}
