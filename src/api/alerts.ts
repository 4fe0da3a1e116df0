import * as z from 'zod';
import { ALERT_EVENT, ALERT_NAMES } from '../core/alert.ts';
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
  alert: z.enum(ALERT_NAMES).optional().meta({ description: 'The name of an alert.' }),
  key: line.optional().meta({ description: 'The id of the key that it is about.' }),
  from: timestamp.optional().meta({ description: 'From this time on (RFC 3339).' }),
  to: timestamp.optional().meta({ description: 'Before this time.' }),
});
type Query = z.output<typeof query>;

const text = z.string().nullable();
const shownAlert = z
  .strictObject({
    id: z.string(),
    time: z.string(),
    alert: z.string(),
    severity: text.meta({ description: 'informational, low, medium, high or critical.' }),
    title: text,
    workspace_id: text,
    key_id: text,
    address: text,
    request_id: text.meta({ description: 'The request that raised it, where one did.' }),
    suppressed: z.int().meta({ description: 'How many like it were not told since the last.' }),
    facts: z.record(z.string(), z.string()).meta({ description: 'What else is known of it.' }),
  })
  .meta({ id: 'Alert' });

export const alertRows: readonly GuardedRow[] = [
  row({
    method: 'GET',
    path: '/v1/alerts',
    tag: 'Audit',
    summary: 'Lists alerts, the newest first.',
    id: 'listAlerts',
    scope: 'audit:read',
    query,
    answers: { 200: pageOf(shownAlert) },
    handle: list,
  }),
];

async function list(call: Call<Query>): Promise<Outcome> {
  const place = listedPlace(call);
  if (place === 'nothing') return NOTHING;
  const { alert, key, from, to } = call.query;
  const timeOf = (asked: string | undefined) =>
    asked === undefined ? undefined : parseTimestamp(asked);
  const filter: EventFilter = {
    ...place,
    event: `${ALERT_EVENT}${alert ?? '*'}`,
    object: key,
    fromMs: timeOf(from),
    toMs: timeOf(to),
  };
  return answerPage(call, {
    declared: [],
    stored: (page) => call.parts.store.listEvents(filter, page),
    show: showAlert,
  });
}

/** An alert as an event holds it; what has a field of its own is not among its facts again. */
function showAlert(event: AuditEvent): z.output<typeof shownAlert> {
  const { severity, title, suppressed, ...facts } = event.facts ?? {};
  return {
    id: event.id,
    time: event.time,
    alert: event.event.slice(ALERT_EVENT.length),
    severity: severity ?? null,
    title: title ?? null,
    workspace_id: event.workspace_id ?? null,
    key_id: event.object?.id ?? null,
    address: event.address ?? null,
    request_id: event.request_id ?? null,
    suppressed: Number(suppressed ?? 0),
    facts,
  };
}
