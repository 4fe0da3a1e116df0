import { DENIALS, type Reason } from '../../../core/decision.ts';
import {
  type Activity,
  API_ACTIVITY,
  AUTHENTICATION,
  baseEvent,
  type Common,
  endpointOf,
  type Flat,
  type OcsfEvent,
  type Origin,
  OTHER_ACTIVITY,
  present,
  unmapped,
} from './event.ts';

/** The audit line of a decision, and the status of a refusal. */
export type DecisionEntry = { readonly line: Flat; readonly status: number | undefined };

const UNAUTHORIZED = 401;
const ACTIVITIES = new Map<unknown, Activity>([
  ['POST', { id: 1, name: 'Create' }],
  ['GET', { id: 2, name: 'Read' }],
  ['HEAD', { id: 2, name: 'Read' }],
  ['PUT', { id: 3, name: 'Update' }],
  ['PATCH', { id: 3, name: 'Update' }],
  ['DELETE', { id: 4, name: 'Delete' }],
]);
const LOGON: Activity = { id: 1, name: 'Logon' };
/** Of a credential that was sent: `auth_protocol_id` 6 is OAuth 2.0; keys have none of their own. */
const TOKEN_PROTOCOL = { auth_protocol_id: 6, auth_protocol: 'OAUTH 2.0' };
const KEY_PROTOCOL = { auth_protocol_id: 99, auth_protocol: 'API key' };
const NO_PROTOCOL = { auth_protocol_id: 0, auth_protocol: 'Unknown' };

/**
 * A decision as OCSF: a credential that was refused is Authentication, everything else API Activity. Made of the audit
 * line alone, so that what is masked or hidden there is so here.
 */
export function decisionEvent({ line, status }: DecisionEntry, origin: Origin): OcsfEvent {
  return status === UNAUTHORIZED ? authentication(line, origin) : apiActivity(line, status, origin);
}

function apiActivity(line: Flat, status: number | undefined, origin: Origin): OcsfEvent {
  const isDenied = line['decision'] === 'deny';
  const traceId = line['trace_id'];
  const method = String(line['http_method']);
  const activity = ACTIVITIES.get(method) ?? { id: OTHER_ACTIVITY, name: method || 'Unknown' };
  const profiles = ['security_control', ...(traceId === undefined ? [] : ['trace'])];
  return {
    ...baseEvent(API_ACTIVITY, { ...commonOf(line, status), activity, profiles }, origin),
    ...outcomeOf(line),
    action_id: isDenied ? 2 : 1,
    action: isDenied ? 'Denied' : 'Allowed',
    disposition_id: isDenied ? 2 : 1,
    disposition: isDenied ? 'Blocked' : 'Allowed',
    policy: { name: origin.product, uid: line['policy'] },
    actor: actorOf(line),
    api: {
      operation: [method, line['route']].filter(Boolean).join(' ') || 'Unknown',
      service: { name: origin.product },
      request: { uid: line['request_id'] },
    },
    src_endpoint: endpointOf(line['address']),
    ...wireOf(line),
    ...(status !== undefined && { http_response: { code: status } }),
    ...(traceId !== undefined && { trace: { uid: traceId } }),
    ...unmapped(restOf(line)),
  };
}

function authentication(line: Flat, origin: Origin): OcsfEvent {
  const { trace_id } = line;
  const common: Common = { ...commonOf(line, UNAUTHORIZED), activity: LOGON };
  return {
    ...baseEvent(AUTHENTICATION, common, origin),
    ...outcomeOf(line),
    user: userOf(line),
    ...protocolOf(String(line['reason'])),
    is_remote: true,
    service: { name: origin.product },
    src_endpoint: endpointOf(line['address']),
    ...wireOf(line),
    http_response: { code: UNAUTHORIZED },
    ...unmapped({ ...restOf(line), policy: line['policy'], trace_id }),
  };
}

function commonOf(line: Flat, status: number | undefined): Omit<Common, 'activity'> {
  const { decision, reason } = line;
  const isFailure = status !== undefined && status >= 500;
  const verdict = decision === 'deny' ? `refused: ${reason}` : `${decision}ed`;
  return {
    id: String(line['id']),
    time: String(line['time']),
    code: 'check',
    severity: isFailure ? 'medium' : decision === 'deny' ? 'low' : 'informational',
    message: `A request was ${decision === 'reply' ? 'answered as a preflight' : verdict}`,
    requestId: String(line['request_id']),
  };
}

function outcomeOf({ decision, reason }: Flat): OcsfEvent {
  if (decision !== 'deny') return { status_id: 1, status: 'Success' };
  const denial = DENIALS[reason as Reason];
  return {
    status_id: 2,
    status: 'Failure',
    status_code: reason,
    ...present({ status_detail: denial?.message }),
  };
}

function actorOf(line: Flat): OcsfEvent {
  return {
    user: userOf(line),
    ...present({ app_uid: line['client'] }),
    ...(line['issuer'] !== undefined && { idp: { name: line['issuer'] } }),
  };
}

/** Who asks, as far as it is known; the object needs a name or an id. */
function userOf(line: Flat): OcsfEvent {
  const { method, username, subject, workspace } = line;
  const keyId = line['key_id'];
  const known = present({ name: username, uid: subject ?? keyId, credential_uid: keyId });
  const isKnown = 'name' in known || 'uid' in known;
  return {
    ...(isKnown ? known : { name: method === 'anonymous' ? 'anonymous' : 'unknown' }),
    ...(method !== undefined && { type_id: 99, type: method }),
    ...(workspace !== undefined && {
      account: { uid: workspace, type_id: 99, type: 'workspace' },
    }),
  };
}

function protocolOf(reason: string) {
  if (reason.startsWith('token_')) return TOKEN_PROTOCOL;
  return reason.includes('key') ? KEY_PROTOCOL : NO_PROTOCOL;
}

function wireOf(line: Flat): OcsfEvent {
  const { host, path } = line;
  return {
    ...(host !== '' && { dst_endpoint: { hostname: host } }),
    http_request: {
      uid: line['request_id'],
      http_method: line['http_method'],
      url: present({ hostname: host, path: path || '/' }),
    },
  };
}

function restOf({ route, plan, environment, took_us, decision }: Flat) {
  return { decision, route, plan, environment, took_us };
}
