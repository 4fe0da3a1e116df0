import { ALERT_EVENT } from '../../../core/alert.ts';
import type { AuditEvent } from '../../../core/records.ts';
import {
  type Activity,
  baseEvent,
  DETECTION_FINDING,
  ENTITY_MANAGEMENT,
  endpointOf,
  type OcsfEvent,
  type Origin,
  OTHER_ACTIVITY,
  present,
  SEVERITIES,
  unmapped,
} from './event.ts';

const CREATE: Activity = { id: 1, name: 'Create' };
const UPDATE: Activity = { id: 3, name: 'Update' };
const DELETE: Activity = { id: 4, name: 'Delete' };
const ENABLE: Activity = { id: 8, name: 'Enable' };
const DISABLE: Activity = { id: 9, name: 'Disable' };

/** By the last word of an event. A key that is revoked stays on record, and works no more. */
const ACTIVITIES = new Map([
  ['created', CREATE],
  ['imported', CREATE],
  ['updated', UPDATE],
  ['rotated', UPDATE],
  ['deleted', DELETE],
  ['revoked', DISABLE],
]);
const ENABLED = new Set(['active']);
const DISABLED = new Set(['disabled', 'deactivated', 'suspended', 'past_due']);

type Severity = keyof typeof SEVERITIES;

/** What is told of a credential in danger; alerts bring their own titles. */
const DANGERS: ReadonlyMap<string, { readonly severity: Severity; readonly title: string }> =
  new Map([
    ['key.exposed', { severity: 'high', title: 'A key was sent over plain http' }],
    ['key.in_browser', { severity: 'medium', title: 'A secret key was used by a browser' }],
    ['key.leaked', { severity: 'critical', title: 'A secret scanner found a key' }],
  ]);

/** An event that is no decision as OCSF: a danger is a Detection Finding, a change of a record Entity Management. */
export function changeEvent(event: AuditEvent, origin: Origin): OcsfEvent {
  const isFinding = event.event.startsWith(ALERT_EVENT) || DANGERS.has(event.event);
  return isFinding ? finding(event, origin) : entityChange(event, origin);
}

function entityChange(event: AuditEvent, origin: Origin): OcsfEvent {
  const { id, time, event: code, actor, object, before, after, reason, facts } = event;
  const activity = activityOf(event);
  const entity = { uid: object?.id ?? code, type: object?.kind ?? 'unknown' };
  const common = { id, time, code, activity, requestId: event.request_id };
  const message = `${entity.type} ${code.split('.').at(-1)}`;
  const base = { ...common, severity: 'informational', message, profiles: ['host'] } as const;
  return {
    ...baseEvent(ENTITY_MANAGEMENT, base, origin),
    status_id: 1,
    status: 'Success',
    ...(actor && { actor: { user: actorOf(actor) } }),
    entity: { ...entity, ...(before && { data: before }) },
    ...(after && { entity_result: { ...entity, data: after } }),
    ...present({ comment: reason }),
    ...(event.address !== undefined && { src_endpoint: endpointOf(event.address) }),
    ...unmapped({ ...facts, workspace: event.workspace_id }),
  };
}

function finding(event: AuditEvent, origin: Origin): OcsfEvent {
  const { id, time, event: code, object, address, reason } = event;
  const { severity: said, title: saidTitle, ...facts } = event.facts ?? {};
  const danger = DANGERS.get(code);
  const title = danger?.title ?? saidTitle ?? code;
  const severity = danger?.severity ?? (isSeverity(said) ? said : 'medium');
  const common = { id, time, code, activity: CREATE, severity, message: title };
  return {
    ...baseEvent(DETECTION_FINDING, { ...common, requestId: event.request_id }, origin),
    status_id: 1,
    status: 'New',
    is_alert: true,
    finding_info: {
      uid: id,
      title,
      types: [code],
      created_time: Date.parse(time),
      analytic: { name: code, type_id: 1, type: 'Rule' },
    },
    ...(object && { resources: [{ uid: object.id, type: object.kind }] }),
    ...(address !== undefined && { evidences: [{ src_endpoint: endpointOf(address) }] }),
    ...present({ comment: reason }),
    ...unmapped({ ...facts, workspace: event.workspace_id }),
  };
}

function activityOf({ event, after }: AuditEvent): Activity {
  const word = event.split('.').at(-1) ?? event;
  const status = String(after?.['status']);
  const known = ACTIVITIES.get(word);
  if (known === UPDATE && ENABLED.has(status)) return ENABLE;
  if (known === UPDATE && DISABLED.has(status)) return DISABLE;
  return known ?? { id: OTHER_ACTIVITY, name: word };
}

function actorOf({ kind, id, username }: NonNullable<AuditEvent['actor']>): OcsfEvent {
  const isKey = kind === 'api_key';
  return {
    uid: id,
    ...present({ name: username }),
    ...(isKey && { credential_uid: id }),
    ...(kind === 'admin' ? { type_id: 2, type: 'Admin' } : { type_id: 99, type: kind }),
  };
}

function isSeverity(text: string | undefined): text is Severity {
  return text !== undefined && Object.hasOwn(SEVERITIES, text);
}
