import type { DecisionFacts } from '../core/audit.ts';
import { corsHeaders, preflightHeaders, type ResponseHeader } from '../core/cors.ts';
import type { Allow, Decision, Refusal, Reply } from '../core/decision.ts';
import { limitHeaders, retryAfterSeconds, secondsUntil } from '../core/limit-headers.ts';
import type { Policy } from '../core/policy.ts';
import { challengeOf, refusalJson, refusalProblem, refusalText } from '../core/refusal.ts';
import { isGrpc, type Request } from '../core/request.ts';
import { mutationFor } from '../core/upstream.ts';

export type Header = readonly [string, string];

/** An answer to Envoy, whatever its wire form; `code` is the gRPC status that decides. */
export type CheckAnswer =
  | {
      readonly kind: 'ok';
      readonly code: 0;
      readonly facts: DecisionFacts;
      /** Request headers to replace and to remove, and what the client's response gets. */
      readonly set: readonly Header[];
      readonly remove: readonly string[];
      readonly response: readonly ResponseHeader[];
    }
  | {
      readonly kind: 'denied';
      /** Never 0: Envoy would take that for an allow. */
      readonly code: number;
      readonly facts: DecisionFacts;
      readonly status: number;
      readonly headers: readonly Header[];
      readonly body: string;
    };

/** What an answer says besides its decision; `traceId` of a check that is traced. */
export type AnswerContext = {
  readonly facts: DecisionFacts;
  readonly nowMs: number;
  readonly traceId?: string | undefined;
};

const PERMISSION_DENIED = 7;
const UNKNOWN = 2;
const GRPC_MESSAGE_BYTES_MAX = 512;

const NO_ERRORS = { messages: new Map(), unmatched: 403 } as const;

/** The gRPC status of a refusal, by its HTTP status: Envoy reads 429 as UNAVAILABLE, which clients retry. */
const GRPC_STATUS: { readonly [status: number]: number } = {
  400: 3,
  401: 16,
  402: 8,
  403: 7,
  404: 12,
  413: 8,
  422: 3,
  429: 8,
  500: 13,
  503: 14,
};

/** Writes a decision for Envoy. Every branch names its status code: a response without one would be an allow. */
export function writeDecision(
  policy: Policy,
  request: Request,
  decision: Decision,
  context: AnswerContext,
): CheckAnswer {
  const { facts, nowMs } = context;
  switch (decision.kind) {
    case 'allow':
      return writeAllow(policy, request, decision, { facts, nowMs });
    case 'reply':
      return { ...writeReply(decision), facts };
    case 'deny':
      return { ...writeRefusal(policy, request, decision, context), facts };
  }
}

/** The refusal of a check for which not even a policy could be had: 500, out of nothing but constants. */
export function writeLastResort(requestId: string): CheckAnswer {
  const text = refusalText(NO_ERRORS, 'internal', requestId);
  const headers: readonly Header[] = [
    ['cache-control', 'no-store'],
    ['content-type', 'application/json'],
  ];
  const facts = { decision: 'deny', reason: text.reason };
  return { ...denied(text.status, headers, refusalJson(text)), facts };
}

function writeAllow(
  policy: Policy,
  request: Request,
  decision: Allow,
  { facts, nowMs }: { readonly facts: DecisionFacts; readonly nowMs: number },
): CheckAnswer {
  const { set, remove } = mutationFor(policy, request, decision);
  const response: ResponseHeader[] = [];
  for (const [name, value] of limitHeaders(policy.rateLimitHeaders, decision.taken, nowMs)) {
    response.push({ name, value, mode: 'set' });
  }
  if (decision.route?.cors) response.push(...corsHeaders(decision.route.cors, decision.corsOrigin));
  return { kind: 'ok', code: 0, facts, set, remove, response };
}

function writeReply(decision: Reply) {
  const cors = decision.route?.cors;
  const headers = cors ? preflightHeaders(cors, decision.corsOrigin, decision.preflight) : [];
  return denied(204, headers, '');
}

function writeRefusal(
  policy: Policy,
  request: Request,
  refusal: Refusal,
  { nowMs, traceId }: AnswerContext,
) {
  const text = refusalText(policy.errors, refusal.reason, request.id, traceId);
  const headers = refusalHeaders(policy, request, refusal, nowMs);
  const challenge = challengeOf(policy, refusal, text);
  if (challenge !== undefined) headers.push(['www-authenticate', challenge]);
  if (isGrpc(request)) {
    headers.push(['grpc-status', String(GRPC_STATUS[text.status] ?? UNKNOWN)]);
    return denied(text.status, headers, cutBytes(text.message));
  }
  if (wantsProblem(request)) {
    headers.push(['content-type', 'application/problem+json']);
    return denied(text.status, headers, refusalProblem(text, policy.errors.docs));
  }
  headers.push(['content-type', 'application/json']);
  return denied(text.status, headers, refusalJson(text));
}

function refusalHeaders(
  policy: Policy,
  request: Request,
  refusal: Refusal,
  nowMs: number,
): Header[] {
  const headers: Header[] = [['cache-control', 'no-store']];
  if (isGrpc(request) || request.method === 'HEAD') {
    headers.push(['x-postern-reason', refusal.reason]);
  }
  headers.push(...limitHeaders(policy.rateLimitHeaders, refusal.taken, nowMs));
  const waitSeconds = waitOf(refusal, nowMs);
  if (waitSeconds !== undefined) headers.push(['retry-after', String(waitSeconds)]);
  const cors = refusal.route?.cors;
  for (const { name, value, mode } of cors ? corsHeaders(cors, refusal.corsOrigin) : []) {
    if (mode !== 'replace_existing') headers.push([name, value]);
  }
  return headers;
}

/** What Retry-After says; undefined where waiting is not what helps, or nobody knows how long. */
function waitOf({ reason, taken, retryAtMs }: Refusal, nowMs: number): number | undefined {
  if (reason === 'unavailable') return 1;
  if (reason === 'rate_limited') return retryAfterSeconds(taken, nowMs);
  return retryAtMs === undefined ? undefined : secondsUntil(retryAtMs, nowMs);
}

function denied(status: number, headers: readonly Header[], body: string) {
  return {
    kind: 'denied',
    code: GRPC_STATUS[status] ?? PERMISSION_DENIED,
    status,
    headers,
    body,
  } as const;
}

/** A message cut to what fits into grpc-message, at a character's end. */
function cutBytes(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.byteLength <= GRPC_MESSAGE_BYTES_MAX) return message;
  return bytes
    .subarray(0, GRPC_MESSAGE_BYTES_MAX)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}

/** Whether the client asks for a problem document (RFC 9457 section 3). */
function wantsProblem(request: Request): boolean {
  const accepted = request.headers.get('accept')?.join(',').toLowerCase();
  if (!accepted?.includes('application/problem+json')) return false;
  return accepted
    .split(',')
    .map((range) => range.replaceAll(' ', ''))
    .some((range) => /^application\/problem\+json(?:;(?!q=0(?:\.0*)?(?:;|$)).*)?$/.test(range));
}
