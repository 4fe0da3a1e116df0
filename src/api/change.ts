import { mintKsuid } from '../core/ksuid.ts';
import type { Conflict, Write } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';
import { type Fault, fault } from './fault.ts';
import type { Answer, Call, OpenCall, Outcome } from './row.ts';

/** An audit event without what the call itself says. */
export type Told = Pick<
  AuditEvent,
  'event' | 'workspace_id' | 'object' | 'reason' | 'before' | 'after' | 'facts'
>;

/** A commit that something stood in the way of. */
export type Lost = { readonly kind: 'lost'; readonly conflict: Conflict };

type Change = { readonly writes: readonly Write[]; readonly events: readonly Told[] };
type Caller = OpenCall & Partial<Pick<Call, 'actor' | 'idempotency'>>;

const RANDOM_BYTES = 16;
const TRIES = 8;

/** A KSUID for a record or an event. */
export function mintId({ parts, nowMs }: Pick<OpenCall, 'parts' | 'nowMs'>): string {
  return mintKsuid(parts.randomBytes(RANDOM_BYTES), nowMs);
}

/** The text of a moment as records keep it. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/**
 * Commits a change with its events and, under an Idempotency-Key, its sealed answer: all of it or nothing. Then
 * tells the audit stream. Answers what it was given, or what stood in the way.
 */
export async function commitChange(
  call: Caller,
  change: Change,
  answer: Answer,
): Promise<Outcome | Lost> {
  const events = change.events.map((told) => eventOf(call, told));
  const kept = call.idempotency?.seal(answer);
  const conflict = await call.parts.store.commit({ writes: change.writes, events, answer: kept });
  if (conflict?.conflict === 'answer' && call.idempotency) return call.idempotency.replay();
  if (conflict) return { kind: 'lost', conflict };
  await Promise.all(events.map((event) => call.parts.onEvent(event)));
  return answer;
}

/**
 * Runs an attempt, which reads, decides and commits, and runs it again when another change came between. With
 * If-Match a lost race is 412 at once; a hash or slug that another record has is 409.
 */
export async function retryLost(
  call: Pick<Call, 'ifMatch'>,
  attempt: () => Promise<Outcome | Lost>,
): Promise<Outcome> {
  for (let at = 0; at < TRIES; at += 1) {
    const outcome = await attempt();
    if (!('kind' in outcome) || outcome.kind !== 'lost') return outcome;
    const { conflict } = outcome.conflict;
    if (conflict === 'hash') return fault('already_exists');
    if (conflict === 'slug') {
      return fault('already_exists', [{ pointer: '/slug', detail: 'another workspace has it' }]);
    }
    if (typeof call.ifMatch === 'number') return fault('version_mismatch');
  }
  return fault('conflict');
}

/** Refuses a change of another version than If-Match names. */
export function judgeIfMatch(call: Pick<Call, 'ifMatch'>, version: number): Fault | undefined {
  const { ifMatch } = call;
  const isMatch = ifMatch === undefined || ifMatch === '*' || ifMatch === version;
  return isMatch ? undefined : fault('version_mismatch');
}

/** The members of two records that differ, before and after: what an event of an update tells. */
export function changedFields(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Required<Pick<Told, 'before' | 'after'>> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const pick = (from: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(names.map((name) => [name, from[name] ?? null]));
  return { before: pick(before), after: pick(after) };
}

/** An event in full: who did it, when, and in which request. */
export function eventOf(call: Caller, told: Told): AuditEvent {
  return {
    id: call.makeEventId(call.nowMs),
    time: timeText(call.nowMs),
    ...told,
    ...(call.actor && { actor: actorFacts(call.actor) }),
    request_id: call.requestId,
    address: call.address,
  };
}

function actorFacts(actor: Call['actor']): NonNullable<AuditEvent['actor']> {
  if (actor.kind === 'admin') return { kind: 'admin', id: 'admin' };
  return { kind: actor.kind, id: actor.id, username: actor.username };
}
