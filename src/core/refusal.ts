import { DENIALS, type Reason, type Refusal } from './decision.ts';
import type { Errors, Policy } from './policy.ts';

/** What a client is told of a refusal. */
export type RefusalText = {
  readonly status: number;
  readonly error: string;
  readonly message: string;
  readonly reason: Reason;
  readonly requestId: string;
  /** Only where checks are traced. */
  readonly traceId?: string | undefined;
};

const STATUS_TITLES: { readonly [status: number]: string } = {
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The status, error word and message of a reason, under the policy's own messages. */
export function refusalText(
  errors: Errors,
  reason: Reason,
  requestId: string,
  traceId?: string,
): RefusalText {
  const denial = DENIALS[reason];
  const message = errors.messages.get(reason) ?? denial.message;
  const isHidden = reason === 'no_route' && errors.unmatched === 404;
  const { status, error } = isHidden ? { status: 404, error: 'NOT_FOUND' } : denial;
  return { status, error, message, reason, requestId, traceId };
}

/** The JSON body of a refusal. */
export function refusalJson({ error, message, reason, requestId, traceId }: RefusalText): string {
  return JSON.stringify({ error, message, reason, request_id: requestId, trace_id: traceId });
}

/** The same facts as a problem (RFC 9457); `docs` gives its type. */
export function refusalProblem(text: RefusalText, docs: string | undefined): string {
  return JSON.stringify({
    type: docs?.replace('{reason}', text.reason) ?? 'about:blank',
    title: STATUS_TITLES[text.status],
    status: text.status,
    detail: text.message,
    error: text.error,
    message: text.message,
    reason: text.reason,
    request_id: text.requestId,
    trace_id: text.traceId,
  });
}

/** The WWW-Authenticate challenge of a 401 or of a 403 for scopes (RFC 6750 section 3); undefined for others. */
export function challengeOf(
  policy: Pick<Policy, 'product' | 'errors'>,
  refusal: Refusal,
  text: RefusalText,
): string | undefined {
  const isScopes = refusal.reason === 'insufficient_scope';
  if (text.status !== 401 && !isScopes) return undefined;
  const scheme = refusal.route?.challenge ?? 'Bearer';
  const parameters = [`realm=${quoted(policy.product)}`];
  if (isScopes) {
    parameters.push(
      `error="insufficient_scope"`,
      `scope=${quoted((refusal.scopes ?? []).join(' '))}`,
    );
  } else if (scheme === 'Bearer' && refusal.reason !== 'missing_credential') {
    parameters.push(`error="invalid_token"`, `error_description=${quoted(text.message)}`);
  }
  const { resourceMetadata } = policy.errors;
  if (scheme === 'Bearer' && resourceMetadata !== undefined) {
    parameters.push(`resource_metadata=${quoted(resourceMetadata)}`);
  }
  return `${scheme} ${parameters.join(', ')}`;
}

/** A quoted string of the characters that RFC 6750 section 3 allows. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')}"`;
}
