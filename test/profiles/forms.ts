import { describe, expect, test } from 'vitest';
import type { HeaderLine } from '../envoy-harness/send.ts';
import { type Call, headersOf, identityOf, outcomeOf } from './gate.ts';
import { expectRefusal, type Stage } from './support.ts';

/** What a client may claim to be; none of it may reach the upstream. */
export const SPOOFED: readonly HeaderLine[] = [
  ['X-Auth-Username', 'mallory'],
  ['x-auth-scopes', '*'],
  ['x-auth-roles', 'owner'],
  ['x-auth-team', 'owners'],
  ['x-auth-plan', 'gold'],
  ['x-auth-issuer', 'mallory'],
  ['x-auth-anything', 'else'],
];

/** The same for servers that take `_` for `-`. */
const TWINS: readonly HeaderLine[] = [
  ['x_auth_username', 'mallory'],
  ['X_Auth-Scopes', '*'],
  ['x-auth_workspace', 'owners'],
  ['x_auth_anything', 'else'],
];

/** An allowed call whose client makes up an identity; `identity` is all that the upstream may see. */
export function testMadeUpIdentity(
  stage: () => Stage,
  allowed: { readonly target: string; readonly call: Call; readonly identity: object },
): void {
  const { target, call, identity } = allowed;
  const own = call.headers ?? [];

  describe('an identity that the client makes up', () => {
    test('is replaced by what the gate knows', async () => {
      const response = await stage().call(target, { ...call, headers: [...own, ...SPOOFED] });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(stage().upstream)).toEqual(identity);
    });

    test('is refused by the edge where it has underscores', async () => {
      const response = await stage().call(target, { ...call, headers: [...own, ...TWINS] });
      expect(response.status).toBe(400);
      expect(stage().upstream.requests).toEqual([]);
    });

    test('is removed, underscores and all, where the edge admits them', async () => {
      const headers = [...own, ...TWINS, ...SPOOFED];
      expect(outcomeOf(await stage().rough(target, { ...call, headers }))).toBe('allow');
      expect(identityOf(stage().upstream)).toEqual(identity);
    });
  });
}

/** Spellings below a path that the caller may reach; each could be read as another path. */
export function testAmbiguousPaths(
  stage: () => Stage,
  reachable: { readonly below: string; readonly call: Call },
): void {
  test.each([
    '/..%2fother',
    '/../other',
    '//other',
    ';x/7',
    '/%2e%2e/other',
    '/%252e%252e/other',
    '/%5cx',
    '/%zz',
    '/%ff',
  ])('a path can be read in more than one way with %s', async (spelling) => {
    const response = await stage().rough(`${reachable.below}${spelling}`, reachable.call);
    expectRefusal(response, 400, 'ambiguous_path');
    expect(stage().upstream.requests).toEqual([]);
  });
}

/** The forms of one refusal: no credential at `target`, which takes GET and POST. */
export function testForms(
  stage: () => Stage,
  refused: { readonly target: string; readonly challenge: string },
): void {
  const { target, challenge } = refused;

  describe('a refusal', () => {
    test('is JSON, with a challenge that names no error where no credential was sent', async () => {
      const response = await stage().call(target);
      expectRefusal(response, 401, 'missing_credential');
      expect(response.header('www-authenticate')).toBe(challenge);
    });

    test('is a problem for whoever asks for one', async () => {
      const headers = [['Accept', 'text/html, application/problem+json;q=0.9']] as const;
      const response = await stage().call(target, { headers });
      const message =
        'No credential was sent: send one in the way the WWW-Authenticate header names.';
      expect(response.status).toBe(401);
      expect(response.header('content-type')).toBe('application/problem+json');
      expect(response.header('www-authenticate')).toBe(challenge);
      expect(response.json()).toEqual({
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        detail: message,
        error: 'UNAUTHORIZED',
        message,
        reason: 'missing_credential',
        request_id: expect.stringMatching(/^[\w.-]{1,128}$/),
      });
    });

    test('has no body for HEAD, but a reason', async () => {
      const response = await stage().call(target, { method: 'HEAD' });
      expect(response).toMatchObject({ status: 401, body: '' });
      expect(response.header('x-postern-reason')).toBe('missing_credential');
      expect(response.header('www-authenticate')).toBe(challenge);
    });

    test.each([
      { reason: 'missing_credential', rest: '', status: '16', says: 'No credential was sent' },
      { reason: 'ambiguous_path', rest: '/../x', status: '3', says: 'The path can be read' },
    ])('is one of gRPC for a gRPC client: $reason', async ({ reason, rest, status, says }) => {
      const headers = [['Content-Type', 'application/grpc+proto']] as const;
      const response = await stage().rough(target + rest, { method: 'POST', headers });
      expect(headersOf(response, ['grpc-status', 'x-postern-reason'])).toEqual({
        'grpc-status': status,
        'x-postern-reason': reason,
      });
      expect(response.header('content-type')).toBe('application/grpc');
      expect(decodeURIComponent(response.header('grpc-message') ?? '')).toContain(says);
    });
  });
}
