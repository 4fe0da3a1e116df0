import type { Decision } from './decision.ts';
import type { Policy } from './policy.ts';
import type { AuditEvent } from './records.ts';
import type { Request } from './request.ts';

/** What Envoy's dynamic metadata and the audit line both say of a decision; absent facts are left out. */
export type DecisionFacts = { readonly [name: string]: string };

/** Circumstances of a decision that the core does not know. */
export type AuditContext = {
  readonly id: string;
  readonly timeMs: number;
  readonly tookMs: number;
  /** Only where checks are traced. */
  readonly traceId?: string | undefined;
  /** A keyed digest, for values that the policy masks. */
  readonly mask: (value: string) => string;
};

const PATH_CHARS_MAX = 2048;
/** A path is looked into as if it were percent-encoded so many times. */
const DECODINGS = 3;
/** A name in DNS has at most 253, and a port may follow. */
const HOST_CHARS_MAX = 260;
const METHOD_CHARS_MAX = 32;
const SECRET_CHARS_MIN = 16;
const REQUEST_ID = /^[\w.-]{1,128}$/;
const CUT = '…';
/** What the admin tokens of `postern init` begin with. */
export const ADMIN_PREFIX = 'postern_admin_';
/** Fields of records that name somebody. */
const PERSONAL_FIELDS = ['username', 'email', 'created_by'];
const EVENT_FACTS = [
  'route',
  'http_method',
  'path',
  'host',
  'method',
  'username',
  'subject',
  'client',
  'plan',
  'environment',
  'issuer',
];

/** The facts of a decision, strings only, as Envoy's rate-limit filter can match no others. */
export function decisionFacts(policy: Policy, decision: Decision): DecisionFacts {
  const facts: { [name: string]: string } = { decision: decision.kind };
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '') facts[name] = value;
  };
  const { principal } = decision;
  if (decision.kind === 'deny') add('reason', decision.reason);
  add('route', decision.route?.name);
  add('method', principal?.kind);
  add('username', principal?.username);
  add('subject', principal?.subject);
  const refusedKey = decision.kind === 'deny' ? decision.key : undefined;
  add('workspace', principal?.workspace ?? refusedKey?.workspace);
  add('key_id', principal?.key?.id ?? refusedKey?.id);
  add('client', principal?.client);
  add('plan', decision.plan);
  add('environment', principal?.environment);
  add('issuer', principal?.issuer?.name);
  add('policy', policy.hash);
  return facts;
}

/** Whether the policy wants this decision in the audit. */
export function isAudited(policy: Policy, decision: Decision): boolean {
  const events = decision.route?.audit ?? policy.audit;
  return events === 'all' || (events === 'refusals' && decision.kind === 'deny');
}

/** The audit line of a decision. The path goes without its query, and without what looks like a key. */
export function auditLine(
  policy: Policy,
  request: Request,
  facts: DecisionFacts,
  context: AuditContext,
): { readonly [name: string]: string | number } {
  const { mask } = policy;
  const line: { [name: string]: string | number } = {
    id: context.id,
    time: new Date(context.timeMs).toISOString(),
    ...facts,
  };
  if (mask.username) {
    if (facts['username']) line['username'] = context.mask(facts['username']);
    if (facts['subject']) line['subject'] = context.mask(facts['subject']);
  }
  if (request.address) {
    const { text } = request.address;
    line['address'] = mask.address ? context.mask(text) : text;
  }
  line['http_method'] = shownMethod(policy, request.method);
  line['path'] = shownPath(policy, request.target.path);
  line['host'] = cut(hideSecrets(policy, request.host), HOST_CHARS_MAX);
  line['request_id'] = request.id;
  if (context.traceId !== undefined) line['trace_id'] = context.traceId;
  line['took_us'] = Math.round(context.tookMs * 1000);
  return line;
}

/** A refused decision as stores keep it, made of its audit line. */
export function refusedEvent(line: { readonly [name: string]: string | number }): AuditEvent {
  const text = (name: string) => (line[name] === undefined ? undefined : String(line[name]));
  const keyId = text('key_id');
  const facts = EVENT_FACTS.flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    id: text('id') ?? '',
    time: text('time') ?? '',
    event: 'decision.refused',
    workspace_id: text('workspace'),
    object: keyId === undefined ? undefined : { kind: 'key', id: keyId },
    reason: text('reason'),
    request_id: text('request_id'),
    address: text('address'),
    facts: Object.fromEntries(facts),
  };
}

/** An event without what the policy masks: names of users and addresses become keyed digests. */
export function maskEvent(
  event: AuditEvent,
  policy: Pick<Policy, 'mask'>,
  mask: (value: string) => string,
): AuditEvent {
  const { username: hidesNames, address: hidesAddresses } = policy.mask;
  const { actor, address, before, after } = event;
  const isUser = event.object?.kind === 'user';
  const hide = (record: AuditEvent['after']) => record && hideNames(record, isUser, mask);
  return {
    ...event,
    ...(actor && hidesNames && { actor: hideActor(actor, mask) }),
    ...(hidesNames && before && { before: hide(before) }),
    ...(hidesNames && after && { after: hide(after) }),
    ...(hidesAddresses && address !== undefined && { address: mask(address) }),
  };
}

/** Who did something, without a name; the id of a token is its subject. */
function hideActor(
  { kind, id, username }: NonNullable<AuditEvent['actor']>,
  mask: (value: string) => string,
): NonNullable<AuditEvent['actor']> {
  const hidden = { kind, id: kind === 'jwt' ? mask(id) : id };
  return username === undefined ? hidden : { ...hidden, username: mask(username) };
}

/** A record without the names of people. */
function hideNames(
  record: NonNullable<AuditEvent['after']>,
  isUser: boolean,
  mask: (value: string) => string,
): NonNullable<AuditEvent['after']> {
  const names = isUser ? [...PERSONAL_FIELDS, 'name'] : PERSONAL_FIELDS;
  const hidden = Object.entries(record).map(([field, value]) => {
    const isHidden = typeof value === 'string' && names.includes(field);
    return [field, isHidden ? mask(value) : value];
  });
  return Object.fromEntries(hidden);
}

/** A method as it may be logged: any token may stand there, and so a key. */
export function shownMethod(policy: Pick<Policy, 'prefixes'>, method: string): string {
  return cut(hideSecrets(policy, method), METHOD_CHARS_MAX);
}

/** A path as it may be logged: cut, and without credentials that somebody put into it. */
export function shownPath(policy: Policy, path: string): string {
  const short = cut(path, PATH_CHARS_MAX);
  const hidden = hideSecrets(policy, short);
  let plain = short;
  for (let turn = 0; turn < DECODINGS && plain.includes('%'); turn += 1) {
    plain = plain.replace(/%[0-7][0-9a-f]/gi, (code) =>
      String.fromCharCode(Number.parseInt(code.slice(1), 16)),
    );
    const hiddenPlain = hideSecrets(policy, plain);
    if (hiddenPlain !== plain) return hiddenPlain;
  }
  return hidden;
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}${CUT}` : text;
}

/** Whether a text may stand for a request in logs and answers: in form, and no key, token or admin token. */
export function isRequestId(policy: Pick<Policy, 'prefixes'>, text: string): boolean {
  return REQUEST_ID.test(text) && hideSecrets(policy, text) === text;
}

function hideSecrets({ prefixes }: Pick<Policy, 'prefixes'>, text: string): string {
  let shown = text;
  for (const { prefix } of prefixes) if (prefix !== '') shown = hideAfter(shown, prefix);
  return hideAfter(hideAfter(shown, ADMIN_PREFIX), 'eyJ');
}

/** Hides every run of token characters that begins with a marker and is long enough to be a secret, or cut. */
function hideAfter(text: string, marker: string): string {
  let at = text.indexOf(marker);
  if (at === -1) return text;
  let shown = '';
  let from = 0;
  while (at !== -1) {
    const start = at + marker.length;
    let end = start;
    while (end < text.length && /[\w.~-]/.test(text[end] ?? '')) end += 1;
    if (end - start >= SECRET_CHARS_MIN || text.startsWith(CUT, end)) {
      shown += `${text.slice(from, start)}***`;
      from = end;
    }
    at = text.indexOf(marker, end);
  }
  return shown + text.slice(from);
}
