import type * as z from 'zod';
import { mayUse } from '../core/actor.ts';
import { type Deny, deny } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import { authenticate, type Known } from './authenticate.ts';
import { type Fault, fault } from './fault.ts';
import { answerId, isIdempotencyKey, openIdempotency, type Repeatable } from './idempotency.ts';
import type { ApiParts } from './parts.ts';
import { fieldErrors, isJsonType, parseBody, parseJson, readBytes } from './read-body.ts';
import { readRequest } from './read-request.ts';
import type { Call, GuardedRow, OpenCall, OpenRow, Outcome } from './row.ts';

/** One request, before anything is judged. */
export type Asked = {
  readonly parts: ApiParts;
  readonly policy: Policy;
  readonly nowMs: number;
  readonly request: Request;
  readonly url: URL;
  readonly peer: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly makeEventId: (nowMs: number) => string;
  /** Whether the caller accepts problems (RFC 9457). */
  readonly isProblemWanted: boolean;
};

type Inputs = Pick<Call, 'query' | 'body' | 'ifMatch' | 'rawBody'>;

const ID = /^[\w.-]{1,64}$/;
/** Short names of query parameters, for people who type them. */
const SHORT: ReadonlyMap<string, string> = new Map([['workspace', 'workspace_id']]);
const ETAG = /^"([\x21\x23-\x7e]*)"$/;

/** Answers a row that needs no credential. */
export async function answerOpen(row: OpenRow, asked: Asked): Promise<Outcome> {
  const rawBody = row.body ? await readBytes(asked.request) : new Uint8Array();
  if ('kind' in rawBody) return rawBody;
  const { address } = readRequest(asked, asked.policy, asked.parts);
  return row.handle(openCall(asked, { rawBody, address: address?.text }));
}

/** Answers a row that a credential opens: who calls, whether they may, what they ask; then the row's handler. */
export async function answerGuarded(
  row: GuardedRow,
  asked: Asked,
  running: Set<string>,
): Promise<Outcome> {
  const { parts, policy, nowMs, params } = asked;
  const request = readRequest(asked, policy, parts);
  const isAnyRoute = row.refusals === 'gate';
  const known = await authenticate({ parts, policy, asked: request, nowMs, isAnyRoute });
  if (known.kind === 'deny') return known;
  const refusal = judgeNeed(row, known, policy);
  if (refusal) return refusal;
  if (!Object.values(params).every((one) => ID.test(one))) return fault('not_found');
  const inputs = await readInputs(row, asked);
  if ('kind' in inputs) return inputs;
  const { rawBody } = inputs;
  const { actor, principal, workspace } = known;
  const open = openCall(asked, { rawBody, address: request.address?.text });
  const call = { ...open, ...inputs, actor, principal, workspace, params };
  const key = asked.request.headers.get('idempotency-key');
  if (!row.isIdempotent || key === null) return row.handle(call);
  if (!isIdempotencyKey(key)) {
    const detail = 'expected 1 to 255 visible ASCII characters';
    return fault('malformed_header', [{ pointer: '/idempotency-key', detail }]);
  }
  const { method } = row;
  const { secret } = known;
  const path = asked.url.pathname;
  const repeatable = { actor, secret, method, path, key, body: rawBody, nowMs };
  return answerOnce(row, call, { repeatable, running });
}

/** Answers a request that names itself once; again it gets the answer that was kept. */
async function answerOnce(
  row: GuardedRow,
  call: Call,
  { repeatable, running }: { readonly repeatable: Repeatable; readonly running: Set<string> },
): Promise<Outcome> {
  const id = answerId(repeatable);
  if (running.has(id)) return fault('request_in_flight');
  running.add(id);
  try {
    const opened = await openIdempotency(call.parts, repeatable);
    if (!('kind' in opened) || opened.kind !== 'fresh') return opened;
    return await row.handle({ ...call, idempotency: opened.idempotency });
  } finally {
    running.delete(id);
  }
}

function judgeNeed(row: GuardedRow, { actor }: Known, policy: Policy): Deny | undefined {
  if (row.scope === 'any' || mayUse(actor, row.scope, policy)) return undefined;
  return deny('authorize', 'insufficient_scope', { scopes: [row.scope] });
}

function openCall(
  { parts, policy, nowMs, requestId, makeEventId, url, request }: Asked,
  more: Pick<OpenCall, 'rawBody' | 'address'>,
): OpenCall {
  const header = (name: string) => request.headers.get(name) ?? undefined;
  const clean = withoutCredentials(url, policy);
  return { parts, policy, nowMs, requestId, makeEventId, url: clean, header, ...more };
}

/** A URL without the parameters in which a credential may stand: it is shown again in links. */
function withoutCredentials(url: URL, policy: Policy): URL {
  const clean = new URL(url);
  for (const name of credentialParameters(policy)) clean.searchParams.delete(name);
  return clean;
}

function credentialParameters(policy: Policy): readonly string[] {
  return policy.places.flatMap((place) => (place.kind === 'query' ? [place.name] : []));
}

async function readInputs(row: GuardedRow, asked: Asked): Promise<Inputs | Fault> {
  const query = readQuery(row.query, withoutCredentials(asked.url, asked.policy));
  if ('kind' in query) return query;
  const ifMatch = row.isConditional ? readIfMatch(asked.request.headers.get('if-match')) : {};
  if ('kind' in ifMatch) return ifMatch;
  if (!row.body)
    return { query: query.value, body: undefined, rawBody: new Uint8Array(), ...ifMatch };
  const rawBody = await readBytes(asked.request);
  if ('kind' in rawBody) return rawBody;
  const body = readBody(row, rawBody, asked.request.headers.get('content-type'));
  if ('kind' in body) return body;
  return { query: query.value, body: body.value, rawBody, ...ifMatch };
}

function readQuery(schema: z.ZodObject | undefined, url: URL): { value: unknown } | Fault {
  const sent = [...url.searchParams].map(
    ([name, value]) => [SHORT.get(name) ?? name, value] as const,
  );
  const names = sent.map(([name]) => name);
  const known = new Set(Object.keys(schema?.shape ?? {}));
  const stray = names.flatMap((name, at) => {
    if (!known.has(name)) return [{ pointer: `/${name}`, detail: 'unknown query parameter' }];
    return names.indexOf(name) < at ? [{ pointer: `/${name}`, detail: 'sent twice' }] : [];
  });
  if (stray.length > 0) return fault('malformed_query', stray);
  if (!schema) return { value: {} };
  const parsed = schema.safeParse(Object.fromEntries(sent));
  if (parsed.success) return { value: parsed.data };
  return fault('malformed_query', fieldErrors(parsed.error.issues));
}

function readBody(
  row: GuardedRow,
  bytes: Uint8Array,
  contentType: string | null,
): { readonly value: unknown } | Fault {
  const { body, isBodyOptional } = row;
  if (!body) return { value: undefined };
  if (bytes.byteLength === 0) {
    return isBodyOptional ? parseBody(body, {}) : fault('missing_body');
  }
  if (!isJsonType(contentType)) return fault('unsupported_media_type');
  const parsed = parseJson(bytes);
  return 'kind' in parsed ? parsed : parseBody(body, parsed.value);
}

/** Reads If-Match: `*`, or one ETag. One that is not ours matches no version. */
function readIfMatch(text: string | null): { ifMatch?: number | '*' } | Fault {
  if (text === null) return {};
  if (text.trim() === '*') return { ifMatch: '*' };
  const tag = ETAG.exec(text.trim())?.[1];
  if (tag === undefined) {
    return fault('malformed_header', [{ pointer: '/if-match', detail: 'expected one ETag, or *' }]);
  }
  return { ifMatch: /^[1-9]\d{0,14}$/.test(tag) ? Number(tag) : 0 };
}
