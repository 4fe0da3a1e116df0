import * as z from 'zod';
import { parseTimestamp } from '../core/key-record.ts';
import type { EventFilter } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';
import { line, timestamp } from '../schema/text.ts';
import { answerPage, NOTHING, pageOf, pageQuery } from './page.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';
import { listedPlace, workspaceQuery } from './workspaces-place.ts';

const query = z.object({
  ...pageQuery,
  ...workspaceQuery,
  event: z
    .string()
    .regex(/^[a-z_]{1,32}\.(\*|[a-z_]{1,32})$/, 'expected an event such as key.created, or key.*')
    .optional()
    .meta({ description: 'An event, or all of a kind: key.*' }),
  object: line.optional().meta({ description: 'The id of what was changed.' }),
  actor: line.optional().meta({ description: 'The id of who did it; admin for the admin.' }),
  reason: line.optional().meta({ description: 'The reason of a refusal or a revocation.' }),
  from: timestamp.optional().meta({ description: 'From this time on (RFC 3339).' }),
  to: timestamp.optional().meta({ description: 'Before this time.' }),
});
type Query = z.output<typeof query>;

const text = z.string().nullable();
const facts = z.record(z.string(), z.unknown()).nullable();
const shownEvent = z
  .strictObject({
    id: z.string(),
    time: z.string(),
    event: z.string(),
    workspace_id: text,
    actor: z
      .strictObject({
        kind: z.enum(['admin', 'api_key', 'jwt']),
        id: z.string(),
        username: text,
      })
      .nullable()
      .meta({ description: 'Who did it; null where time or Postern itself did.' }),
    object: z.strictObject({ kind: z.string(), id: z.string() }).nullable(),
    reason: text,
    before: facts.meta({ description: 'What changed, as it was; never a secret or its hash.' }),
    after: facts,
    request_id: text,
    address: text,
    facts: z.record(z.string(), z.string()).nullable(),
  })
  .meta({ id: 'AuditEvent' });

export const auditRows: readonly GuardedRow[] = [
  row({
    method: 'GET',
    path: '/v1/audit-events',
    tag: 'Audit',
    summary: 'Lists changes and refused decisions, the newest first.',
    id: 'listAuditEvents',
    scope: 'audit:read',
    query,
    answers: { 200: pageOf(shownEvent) },
    handle: list,
  }),
];

async function list(call: Call<Query>): Promise<Outcome> {
  const place = listedPlace(call);
  if (place === 'nothing') return NOTHING;
  const { event, object, actor, reason, from, to } = call.query;
  const timeOf = (asked: string | undefined) =>
    asked === undefined ? undefined : parseTimestamp(asked);
  const filter: EventFilter = {
    ...place,
    event,
    object,
    actor,
    reason,
    fromMs: timeOf(from),
    toMs: timeOf(to),
  };
  return answerPage(call, {
    declared: [],
    stored: (page) => call.parts.store.listEvents(filter, page),
    show: showEvent,
  });
}

function showEvent(event: AuditEvent): z.output<typeof shownEvent> {
  const { actor, object } = event;
  return {
    id: event.id,
    time: event.time,
    event: event.event,
    workspace_id: event.workspace_id ?? null,
    actor: actor ? { kind: actor.kind, id: actor.id, username: actor.username ?? null } : null,
    object: object ? { kind: object.kind, id: object.id } : null,
    reason: event.reason ?? null,
    before: event.before ?? null,
    after: event.after ?? null,
    request_id: event.request_id ?? null,
    address: event.address ?? null,
    facts: event.facts ? { ...event.facts } : null,
  };
}
