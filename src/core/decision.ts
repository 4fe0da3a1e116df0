import type { ApiKey } from './api-key.ts';
import type { Taken } from './limit.ts';
import type { Route } from './policy.ts';
import type { Principal } from './principal.ts';

type Denial = { readonly status: number; readonly error: string; readonly message: string };

const BAD = { status: 400, error: 'BAD_REQUEST' };
const UNAUTHORIZED = { status: 401, error: 'UNAUTHORIZED' };
const PAYMENT = { status: 402, error: 'PAYMENT_REQUIRED' };
const FORBIDDEN = { status: 403, error: 'FORBIDDEN' };
const LIMITED = { status: 429, error: 'RATE_LIMITED' };

/** Every refusal there is: the reason is the metric label, the audit field and the docs anchor. */
export const DENIALS = {
  malformed_request: {
    ...BAD,
    message: 'The request is malformed: send each of Host, Origin and Referer once, in valid form.',
  },
  ambiguous_path: {
    ...BAD,
    message:
      'The path can be read in more than one way: send it without dot segments, empty segments, encoded slashes and stray bytes.',
  },
  duplicate_credential: {
    ...BAD,
    message: 'More credentials were sent than this route takes: send exactly one.',
  },
  malformed_credential: {
    ...BAD,
    message: 'The credential is malformed: check for missing, extra or invalid characters.',
  },
  missing_credential: {
    ...UNAUTHORIZED,
    message: 'No credential was sent: send one in the way the WWW-Authenticate header names.',
  },
  unknown_key: {
    ...UNAUTHORIZED,
    message: 'The API key is not known: check that it was copied completely.',
  },
  key_expired: { ...UNAUTHORIZED, message: 'The API key has expired: create or rotate a key.' },
  key_revoked: { ...UNAUTHORIZED, message: 'The API key was revoked: create a new key.' },
  key_disabled: {
    ...UNAUTHORIZED,
    message: 'The API key is disabled: ask its owner to enable it.',
  },
  token_invalid: { ...UNAUTHORIZED, message: 'The token is not valid: get a new one.' },
  token_expired: { ...UNAUTHORIZED, message: 'The token has expired: get a new one.' },
  token_not_yet_valid: {
    ...UNAUTHORIZED,
    message: 'The token is not valid yet: check the clock of its issuer.',
  },
  token_issuer: { ...UNAUTHORIZED, message: 'Tokens of this issuer are not accepted here.' },
  token_audience: { ...UNAUTHORIZED, message: 'The token was issued for another audience.' },
  credential_not_accepted: {
    ...UNAUTHORIZED,
    message: 'This kind of credential is not accepted here: see the WWW-Authenticate header.',
  },
  quota_exhausted: {
    ...PAYMENT,
    message: 'The quota is used up: wait for its next period or upgrade the plan.',
  },
  workspace_past_due: {
    ...PAYMENT,
    message: 'The workspace has an unpaid bill: settle it to go on.',
  },
  blocked: { ...FORBIDDEN, message: 'This caller is blocked.' },
  no_route: { ...FORBIDDEN, message: 'Nothing is served under this host, path and method.' },
  https_required: { ...FORBIDDEN, message: 'Use https.' },
  ip_not_allowed: { ...FORBIDDEN, message: 'Requests from this address are not allowed.' },
  referer_not_allowed: { ...FORBIDDEN, message: 'Requests from this page are not allowed.' },
  origin_not_allowed: { ...FORBIDDEN, message: 'Requests from this origin are not allowed.' },
  wrong_environment: {
    ...FORBIDDEN,
    message: 'The credential belongs to another environment: use one for this environment.',
  },
  wrong_workspace: { ...FORBIDDEN, message: 'The credential belongs to another workspace.' },
  route_not_allowed: { ...FORBIDDEN, message: 'The API key is not allowed on this route.' },
  insufficient_scope: {
    ...FORBIDDEN,
    message: 'The credential lacks a scope that this request needs.',
  },
  insufficient_role: {
    ...FORBIDDEN,
    message: 'The credential lacks the role that this request needs.',
  },
  claim_not_allowed: { ...FORBIDDEN, message: 'The token lacks a claim that this request needs.' },
  workspace_suspended: { ...FORBIDDEN, message: 'The workspace is suspended.' },
  owner_deactivated: { ...FORBIDDEN, message: 'The owner of the API key is deactivated.' },
  body_too_large: {
    status: 413,
    error: 'VALIDATION_ERROR',
    message: 'The request body is too large.',
  },
  sensitive_data: {
    status: 422,
    error: 'VALIDATION_ERROR',
    message: 'The request body holds sensitive data.',
  },
  rate_limited: {
    ...LIMITED,
    message: 'Too many requests: wait for the seconds in the Retry-After header.',
  },
  too_many_concurrent: {
    ...LIMITED,
    message: 'Too many requests at the same time: wait for one to end.',
  },
  too_many_failures: {
    ...LIMITED,
    message: 'Too many failed attempts: wait for the seconds in the Retry-After header.',
  },
  internal: { status: 500, error: 'INTERNAL_ERROR', message: 'The request could not be judged.' },
  unavailable: {
    status: 503,
    error: 'UNAVAILABLE',
    message: 'The request cannot be judged at the moment: try again.',
  },
} as const satisfies Record<string, Denial>;

export type Reason = keyof typeof DENIALS;

/** What can be wrong with a request before any rule is asked. */
export type RequestFault = 'malformed_request' | 'ambiguous_path' | 'body_too_large';

/** Where in `check()` a refusal was made; explain and shadow mode name it. */
export type Step = 'read' | 'admit' | 'identify' | 'authorize' | 'limit' | 'shell';

/** Something worth an audit line or a counter that does not change the answer. */
export type Notice = 'key.in_browser' | 'plan.unknown';

/** A key that came over plain http: what may be shown of it, and its id when it is known. */
export type ExposedKey = { readonly shown: string; readonly id?: string | undefined };

/** A refusal as a step makes it; `scopes` are the ones a 403 challenge names (RFC 6750 section 3.1). */
export type Deny = {
  readonly kind: 'deny';
  readonly reason: Reason;
  readonly step: Step;
  readonly scopes?: readonly string[] | undefined;
  /** For operators only: goes to the log, never to the client. */
  readonly detail?: string | undefined;
  /** The key that was refused for its own state, while there is no principal yet. */
  readonly key?: Pick<ApiKey, 'id' | 'workspace'> | undefined;
  /** Of `too_many_failures`: when the caller may try again, epoch ms. */
  readonly retryAtMs?: number | undefined;
};

/** A limit of a failure rule, or of a route on failures, that those of one source or key have just come to. */
export type Reached = {
  readonly by: 'ip' | 'key';
  readonly limit: number;
  readonly windowMs: number;
};

/** What is known of a request when its decision is made; the same for every kind of decision. */
export type Circumstances = {
  readonly route?: Route | undefined;
  readonly principal?: Principal | undefined;
  /** Name of the plan in force. */
  readonly plan?: string | undefined;
  readonly taken?: Taken | undefined;
  /** The Origin that a route with `cors` accepted: the answer may carry CORS headers. */
  readonly corsOrigin?: string | undefined;
  readonly notices?: readonly Notice[] | undefined;
  readonly exposedKey?: ExposedKey | undefined;
  /** What this failed authentication has come to; each limit once in its window. */
  readonly reached?: readonly Reached[] | undefined;
};

export type Allow = Circumstances & { readonly kind: 'allow'; readonly principal: Principal };
export type Refusal = Circumstances & Deny;
/** A preflight that Postern answers itself (Fetch standard, CORS-preflight fetch). */
export type Reply = Circumstances & { readonly kind: 'reply'; readonly preflight: Preflight };
export type Preflight = { readonly method: string; readonly headers: string | undefined };
export type Decision = Allow | Refusal | Reply;

/** Makes a refusal; nothing else makes one, so none can lack a reason. */
export function deny(
  step: Step,
  reason: Reason,
  more: Pick<Deny, 'scopes' | 'detail' | 'key' | 'retryAtMs'> = {},
): Deny {
  return { kind: 'deny', step, reason, ...more };
}
