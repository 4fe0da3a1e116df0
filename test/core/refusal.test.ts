import { describe, expect, test } from 'vitest';
import { DENIALS, deny, type Reason, type Refusal } from '../../src/core/decision.ts';
import { challengeOf, refusalJson, refusalProblem, refusalText } from '../../src/core/refusal.ts';
import { policy } from './build.ts';

const REASONS = Object.keys(DENIALS) as Reason[];

/** The table of design.md section 4. */
const TABLE: readonly (readonly [number, string, string])[] = [
  [
    400,
    'BAD_REQUEST',
    'malformed_request ambiguous_path duplicate_credential malformed_credential',
  ],
  [
    401,
    'UNAUTHORIZED',
    'missing_credential unknown_key key_expired key_revoked key_disabled token_invalid token_expired token_not_yet_valid token_issuer token_audience credential_not_accepted',
  ],
  [402, 'PAYMENT_REQUIRED', 'quota_exhausted workspace_past_due'],
  [
    403,
    'FORBIDDEN',
    'blocked no_route https_required ip_not_allowed referer_not_allowed origin_not_allowed wrong_environment wrong_workspace route_not_allowed insufficient_scope insufficient_role claim_not_allowed workspace_suspended owner_deactivated',
  ],
  [413, 'VALIDATION_ERROR', 'body_too_large'],
  [422, 'VALIDATION_ERROR', 'sensitive_data'],
  [429, 'RATE_LIMITED', 'rate_limited too_many_concurrent too_many_failures'],
  [500, 'INTERNAL_ERROR', 'internal'],
  [503, 'UNAVAILABLE', 'unavailable'],
];
const ROWS = TABLE.flatMap(([status, error, reasons]) =>
  reasons.split(' ').map((reason) => [reason as Reason, status, error] as const),
);

describe('the table of refusals', () => {
  test('has these reasons and no others', () => {
    expect(new Set(REASONS)).toEqual(new Set(ROWS.map(([reason]) => reason)));
  });

  test.each(ROWS)('%s is %i %s, with a message of its own', (reason, status, error) => {
    expect(DENIALS[reason]).toMatchObject({ status, error });
    expect(DENIALS[reason].message).toMatch(/^[A-Z][\x20-\x7e]+\.$/);
    const others = REASONS.filter((other) => other !== reason);
    expect(others.map((other) => DENIALS[other].message)).not.toContain(DENIALS[reason].message);
  });
});

const judged = (errors = {}) =>
  policy({ product: 'acme', routes: [{}, { challenge: 'ApiKey' }], errors });
const textOf = (reason: Reason, errors = {}) => refusalText(judged(errors).errors, reason, 'req-7');

describe('the body', () => {
  test.each(ROWS)('of %s names error, message, reason and request id', (reason, _, error) => {
    expect(JSON.parse(refusalJson(textOf(reason)))).toEqual({
      error,
      message: DENIALS[reason].message,
      reason,
      request_id: 'req-7',
    });
  });

  test.each(ROWS)('of %s as a problem holds the same facts', (reason, status, error) => {
    const problem = JSON.parse(refusalProblem(textOf(reason), 'https://d.example/errors#{reason}'));
    const { message } = DENIALS[reason];
    expect(problem).toMatchObject({ status, error, message, reason, request_id: 'req-7' });
    expect(problem).toMatchObject({ type: `https://d.example/errors#${reason}`, detail: message });
    expect(problem.title).toMatch(/^[A-Z]/);
  });

  test('of a problem without docs has the type about:blank', () => {
    expect(JSON.parse(refusalProblem(textOf('blocked'), undefined))).toMatchObject({
      type: 'about:blank',
    });
  });

  test('takes the messages of the policy, quotes and all', () => {
    const messages = new Map<Reason, string>([['blocked', 'Write to "abuse"\n.']]);
    const text = textOf('blocked', { messages });
    expect(JSON.parse(refusalJson(text))).toMatchObject({ message: 'Write to "abuse"\n.' });
    expect(JSON.parse(refusalProblem(text, undefined))).toMatchObject({
      detail: 'Write to "abuse"\n.',
    });
    expect(textOf('no_route', { messages }).message).toBe(DENIALS.no_route.message);
  });

  test('of no_route may be a 404', () => {
    expect(textOf('no_route', { unmatched: 404 })).toMatchObject({
      status: 404,
      reason: 'no_route',
    });
    expect(textOf('no_route', { unmatched: 403 })).toMatchObject({
      status: 403,
      error: 'FORBIDDEN',
    });
    expect(textOf('blocked', { unmatched: 404 })).toMatchObject({
      status: 403,
      error: 'FORBIDDEN',
    });
  });
});

describe('the challenge', () => {
  const challenge = (reason: Reason, more: Partial<Refusal> = {}, errors = {}, at: 0 | 1 = 0) => {
    const one = judged(errors);
    const refusal = { ...deny('identify', reason), route: one.routes[at], ...more };
    return challengeOf(one, refusal, refusalText(one.errors, reason, 'r'));
  };
  const parameters = (text: string | undefined) =>
    Object.fromEntries(
      [...(text ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );

  test('names no error when no credential was sent', () => {
    expect(challenge('missing_credential')).toBe('Bearer realm="acme"');
    expect(challenge('missing_credential', {}, {}, 1)).toBe('ApiKey realm="acme"');
    expect(challenge('missing_credential', { route: undefined })).toBe('Bearer realm="acme"');
  });

  test.each(ROWS.filter(([reason, status]) => status === 401 && reason !== 'missing_credential'))(
    'of %s names an error of RFC 6750 and describes it',
    (reason) => {
      const text = challenge(reason);
      expect(text).toMatch(/^Bearer realm="acme"/);
      expect(parameters(text)).toMatchObject({
        error: 'invalid_token',
        error_description: DENIALS[reason].message,
      });
    },
  );

  test('of missing scopes names them', () => {
    const text = challenge('insufficient_scope', { scopes: ['a:read', 'b:write'] });
    expect(parameters(text)).toMatchObject({
      realm: 'acme',
      error: 'insufficient_scope',
      scope: 'a:read b:write',
    });
  });

  test.each(ROWS.filter(([reason, status]) => status !== 401 && reason !== 'insufficient_scope'))(
    'of %s is none',
    (reason) => {
      expect(challenge(reason)).toBeUndefined();
    },
  );

  test('names the metadata of the resource (RFC 9728)', () => {
    const resourceMetadata = 'https://a.example/.well-known/oauth-protected-resource';
    const text = challenge('missing_credential', {}, { resourceMetadata });
    expect(parameters(text)).toEqual({ realm: 'acme', resource_metadata: resourceMetadata });
  });

  test('cannot be broken out of', () => {
    const messages = new Map<Reason, string>([['unknown_key', 'a", x="b\r\nset-cookie: c=é\\']]);
    const text = challenge('unknown_key', {}, { messages });
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    expect(parameters(text)).not.toHaveProperty('x');
    expect(text).not.toContain('\\');
  });
});
