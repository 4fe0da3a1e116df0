import type { Deny } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import { challengeOf, refusalJson, refusalProblem, refusalText } from '../core/refusal.ts';
import { API_ROUTE } from './api-route.ts';
import { FAULTS, type Fault } from './fault.ts';
import type { Answer, Outcome } from './row.ts';

/** What every answer is written by. */
export type Manner = {
  readonly policy: Pick<Policy, 'product' | 'errors'>;
  readonly requestId: string;
  /** Refusals of the gate as it gives them: JSON, or a problem for who accepts one. */
  readonly isGateJson?: boolean | undefined;
};

/** Writes an answer or a refusal; every refusal of the API itself is a problem (RFC 9457). */
export function writeOutcome(outcome: Outcome, manner: Manner): Response {
  if (!('kind' in outcome)) return writeAnswer(outcome, manner);
  return outcome.kind === 'fault' ? writeFault(outcome, manner) : writeDeny(outcome, manner);
}

function writeAnswer(answer: Answer, manner: Manner): Response {
  const headers = new Headers(answer.headers);
  if (answer.etag !== undefined) headers.set('etag', `"${answer.etag}"`);
  if (answer.html !== undefined) {
    return respond(answer.status, 'text/html; charset=utf-8', answer.html, { manner, headers });
  }
  if (!answer.body) return respond(answer.status, undefined, null, { manner, headers });
  const text = JSON.stringify(answer.body);
  return respond(answer.status, 'application/json', text, { manner, headers });
}

function writeFault({ reason, errors, headers: more }: Fault, manner: Manner): Response {
  const { status, title, error, message } = FAULTS[reason];
  const type = manner.policy.errors.docs?.replace('{reason}', reason) ?? 'about:blank';
  const request_id = manner.requestId;
  const facts = { type, title, status, detail: message, error, message, reason, request_id };
  const headers = new Headers(more);
  if (status === 503) headers.set('retry-after', '1');
  const text = JSON.stringify(errors ? { ...facts, errors } : facts);
  return respond(status, 'application/problem+json', text, { manner, headers });
}

function writeDeny(refusal: Deny, manner: Manner): Response {
  const { policy, requestId } = manner;
  const text = refusalText(policy.errors, refusal.reason, requestId);
  const headers = new Headers();
  const challenge = challengeOf(policy, { ...refusal, route: API_ROUTE }, text);
  if (challenge !== undefined) headers.set('www-authenticate', challenge);
  if (text.status === 503) headers.set('retry-after', '1');
  if (manner.isGateJson) {
    return respond(text.status, 'application/json', refusalJson(text), { manner, headers });
  }
  const problem = refusalProblem(text, policy.errors.docs);
  return respond(text.status, 'application/problem+json', problem, { manner, headers });
}

function respond(
  status: number,
  contentType: string | undefined,
  text: string | null,
  { manner, headers }: { readonly manner: Manner; readonly headers: Headers },
): Response {
  if (contentType !== undefined) headers.set('content-type', contentType);
  headers.set('cache-control', 'no-store');
  headers.set('x-content-type-options', 'nosniff');
  headers.set('x-request-id', manner.requestId);
  return new Response(text, { status, headers });
}
