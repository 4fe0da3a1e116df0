import type { AuditEvent } from '../../core/records.ts';
import { changeEvent } from './ocsf/change.ts';
import { decisionEvent } from './ocsf/decision.ts';
import { envelope } from './ocsf/envelope.ts';
import type { Flat, Origin } from './ocsf/event.ts';
import type { Format } from './sink.ts';

/** Something to record. `notice` is a line about a credential in danger, made of a check. */
export type Entry =
  | {
      readonly kind: 'decision';
      readonly line: Flat;
      /** HTTP status of a refusal. */
      readonly status: number | undefined;
    }
  | { readonly kind: 'notice'; readonly line: Readonly<Record<string, string | undefined>> }
  | { readonly kind: 'event'; readonly event: AuditEvent };

const CHECK_TYPES = new Map<unknown, string>([
  ['allow', 'check.allowed'],
  ['deny', 'check.refused'],
  ['reply', 'check.replied'],
]);

/** Writes an entry in a format, as JSON without a line feed. */
export function writeEntry(format: Format, entry: Entry, origin: Origin): string {
  if (format === 'postern')
    return JSON.stringify(entry.kind === 'event' ? entry.event : entry.line);
  if (entry.kind === 'decision') return writeDecision(entry, origin);
  const event = entry.kind === 'event' ? entry.event : eventOf(entry.line);
  const { id, time } = event;
  const subject = event.object?.id ?? event.request_id;
  return envelope({ id, time, type: event.event, subject }, changeEvent(event, origin), origin);
}

function writeDecision(entry: Extract<Entry, { kind: 'decision' }>, origin: Origin): string {
  const { line } = entry;
  const type = CHECK_TYPES.get(line['decision']) ?? 'check';
  const subject = String(line['request_id']);
  const named = { id: String(line['id']), time: String(line['time']), type, subject };
  return envelope(named, decisionEvent(entry, origin), origin);
}

/** A notice as an event: which key, from where, in which request. */
function eventOf(line: Readonly<Record<string, string | undefined>>): AuditEvent {
  const { id = '', time = '', event = '', key_id: keyId, request_id, address, ...rest } = line;
  const facts = Object.entries(rest).filter(
    (fact): fact is [string, string] => fact[1] !== undefined,
  );
  return {
    ...{ id, time, event, request_id, address },
    object: keyId === undefined ? undefined : { kind: 'key', id: keyId },
    facts: Object.fromEntries(facts),
  };
}
