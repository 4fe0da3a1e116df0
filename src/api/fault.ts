type FaultText = {
  readonly status: number;
  readonly title: string;
  readonly error: string;
  readonly message: string;
};

const BAD = { status: 400, title: 'Bad Request', error: 'BAD_REQUEST' };
const CONFLICT = { status: 409, title: 'Conflict', error: 'CONFLICT' };
const INVALID = { status: 422, title: 'Unprocessable Content', error: 'VALIDATION_ERROR' };

/** Every refusal of the management API beside those of the gate: the reason is stable and documented. */
export const FAULTS = {
  malformed_body: { ...BAD, message: 'The body is no JSON document that can be read in one way.' },
  missing_body: { ...BAD, message: 'This request needs a JSON body.' },
  malformed_query: { ...BAD, message: 'A query parameter is unknown or has a wrong value.' },
  malformed_cursor: {
    ...BAD,
    message: 'The cursor is not one of this list with these filters: begin again without it.',
  },
  malformed_header: { ...BAD, message: 'A header has a form that cannot be read.' },
  signature_invalid: {
    status: 401,
    title: 'Unauthorized',
    error: 'UNAUTHORIZED',
    message: 'The signature is missing or does not fit the body.',
  },
  beyond_grant: {
    status: 403,
    title: 'Forbidden',
    error: 'FORBIDDEN',
    message: 'Nobody grants more than they hold: the fields named in errors go beyond your grants.',
  },
  not_found: {
    status: 404,
    title: 'Not Found',
    error: 'NOT_FOUND',
    message: 'There is nothing here that you can see.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method Not Allowed',
    error: 'METHOD_NOT_ALLOWED',
    message: 'This resource has other methods: see the Allow header.',
  },
  read_only: { ...CONFLICT, message: 'This is declared in the policy: change it there.' },
  already_exists: { ...CONFLICT, message: 'There is one with this name already.' },
  conflict: { ...CONFLICT, message: 'Others change this at the same time: try again.' },
  ambiguous_name: {
    ...CONFLICT,
    message: 'Several workspaces have one of this name: say which with ?workspace_id=.',
  },
  key_revoked: { ...CONFLICT, message: 'The API key was revoked, and that is for good.' },
  key_ended: {
    ...CONFLICT,
    message: 'The API key has ended: rotate it with a new expires_at.',
  },
  request_in_flight: {
    ...CONFLICT,
    message: 'A request with this Idempotency-Key is being worked on: try again.',
  },
  answer_sealed: {
    ...CONFLICT,
    message:
      'A request with this Idempotency-Key was answered for another credential of yours, and only that one opens the answer.',
  },
  version_mismatch: {
    status: 412,
    title: 'Precondition Failed',
    error: 'PRECONDITION_FAILED',
    message: 'This was changed meanwhile: read it again, and send If-Match with its ETag.',
  },
  too_large: {
    status: 413,
    title: 'Content Too Large',
    error: 'VALIDATION_ERROR',
    message: 'The body is larger than 256 KiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported Media Type',
    error: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'Send the body as application/json in UTF-8.',
  },
  validation_failed: { ...INVALID, message: 'Fields are wrong or unknown: see errors.' },
  idempotency_key_reused: {
    ...INVALID,
    message: 'This Idempotency-Key was used with another body: choose a new one.',
  },
  internal: {
    status: 500,
    title: 'Internal Server Error',
    error: 'INTERNAL_ERROR',
    message: 'Postern failed on this request, and its log says why.',
  },
  unavailable: {
    status: 503,
    title: 'Service Unavailable',
    error: 'UNAVAILABLE',
    message: 'The store cannot be reached: try again in a moment.',
  },
} as const satisfies Record<string, FaultText>;

export type FaultReason = keyof typeof FAULTS;

/** One wrong field: a JSON pointer (RFC 6901) into the body, or the name of a query parameter or header. */
export type FieldError = { readonly pointer: string; readonly detail: string };

/** A refusal of the management API, as a value. */
export type Fault = {
  readonly kind: 'fault';
  readonly reason: FaultReason;
  readonly errors?: readonly FieldError[] | undefined;
  /** More headers of its answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

/** Makes a refusal; `errors` name the fields at fault. */
export function fault(reason: FaultReason, errors?: readonly FieldError[]): Fault {
  return { kind: 'fault', reason, errors };
}

/** Refuses fields of the body; undefined when none is wrong. */
export function invalid(errors: readonly FieldError[]): Fault | undefined {
  return errors.length === 0 ? undefined : fault('validation_failed', errors);
}

/** A JSON pointer (RFC 6901) to a member. */
export function pointerTo(...path: readonly PropertyKey[]): string {
  return path
    .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}
