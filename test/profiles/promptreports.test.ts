import { exportSPKI } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine } from '../envoy-harness/send.ts';
import { makeKey } from '../jwt/tokens.ts';
import { headersOf, identityOf, outcomeOf } from './gate.ts';
import { nowSeconds, signToken } from './jwks.ts';
import {
  access,
  CLIENT_ID,
  ISSUER,
  LIVE,
  LIVE_ID,
  type Promptreports,
  SCOPES,
  signer,
  startAlone,
  startPromptreports,
  TEST,
  TEST_ID,
} from './promptreports.ts';
import { expectRefusal } from './support.ts';

const LIMITS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-policy'];
const SPOOFED: readonly HeaderLine[] = [
  ['X-Auth-Username', 'mallory'],
  ['x-auth-workspace', 'org_big'],
  ['x-auth-plan', 'enterprise'],
  ['x-auth-environment', 'live'],
  ['x-auth-scopes', SCOPES.join(' ')],
  ['x-auth-roles', 'owner'],
  ['x-auth-anything', 'else'],
];

const stranger = await makeKey('RS256', 'pr-1');
const unlisted = await makeKey('PS256', 'pr-1');

let gate: Promptreports;

describeEnvoy('promptreports', () => {
  beforeAll(async () => {
    gate = await startPromptreports();
  });
  beforeEach(() => gate.upstream.clear());
  afterAll(() => gate?.stop());

  describe('a key', () => {
    test('of production is live, on its own plan, and stays at the gate', async () => {
      const response = await gate.secure('/v1/prompts/p-1?page=2', {
        bearer: LIVE,
        headers: SPOOFED,
      });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({
        'x-auth-method': 'api_key',
        'x-auth-username': 'reports-prod',
        'x-auth-subject': LIVE_ID,
        'x-auth-key-id': LIVE_ID,
        'x-auth-workspace': 'org_pro',
        'x-auth-plan': 'pro',
        'x-auth-environment': 'live',
        'x-auth-scopes': 'prompts:read prompts:write reports:*',
      });
      expect(gate.upstream.last().header('authorization')).toBeUndefined();
      expect(gate.upstream.last().target).toBe('/v1/prompts/p-1?page=2');
      expect(headersOf(response, LIMITS)).toMatchObject({
        'x-ratelimit-limit': '300',
        'x-ratelimit-policy': '300/minute',
      });
      expect(response.header('ratelimit-policy')).toBe(
        '"minute";q=300;w=60, "day";q=10000;w=86400, "burst";q=50;w=10',
      );
    });

    test('of the sandbox is test, on the default plan', async () => {
      const response = await gate.secure('/v1/webhooks', { bearer: TEST });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({
        'x-auth-method': 'api_key',
        'x-auth-username': 'reports-test',
        'x-auth-subject': TEST_ID,
        'x-auth-key-id': TEST_ID,
        'x-auth-workspace': 'org_free',
        'x-auth-plan': 'free',
        'x-auth-environment': 'test',
        'x-auth-scopes': '*:read',
      });
      expect(response.header('ratelimit-policy')).toBe(
        '"minute";q=60;w=60, "day";q=1000;w=86400, "burst";q=10;w=10',
      );
    });

    test.each<[string, string, number, string]>([
      ['a wrong checksum', `${LIVE.slice(0, -1)}T`, 401, 'unknown_key'],
      ['the other prefix', LIVE.replace('live', 'test'), 401, 'unknown_key'],
      ['a prefix of nobody', LIVE.replace('pr_', 'xx_'), 401, 'token_invalid'],
      ['a part missing', LIVE.slice(0, -1), 401, 'unknown_key'],
      ['another behind it', `${LIVE},${TEST}`, 400, 'duplicate_credential'],
      ['nothing', '', 400, 'malformed_credential'],
    ])('with %s is refused', async (_what, bearer, status, reason) => {
      const response = await gate.secure('/v1/prompts', { bearer });
      expect({ status: response.status, reason: outcomeOf(response) }).toEqual({ status, reason });
      expect(gate.upstream.requests).toEqual([]);
    });

    test('beside a token is one too many', async () => {
      const headers: readonly HeaderLine[] = [['Authorization', `Bearer ${await access('org_x')}`]];
      const response = await gate.secure('/v1/prompts', { bearer: LIVE, headers });
      expect(outcomeOf(response)).toBe('duplicate_credential');
    });

    test('in the query or in another header is not read', async () => {
      const headers: readonly HeaderLine[] = [['X-Api-Key', LIVE]];
      const response = await gate.secure(`/v1/prompts?api_key=${LIVE}`, { headers });
      expectRefusal(response, 401, 'missing_credential');
      expect(response.header('www-authenticate')).toBe('Bearer realm="promptreports"');
    });
  });

  describe('https only', () => {
    test.each<[string, string | undefined]>([
      ['plain http', 'http'],
      ['no word of https', undefined],
      ['https before, http last', 'https,http'],
      ['http before, https last, which no load balancer sends', 'http,https'],
    ])('%s is refused', async (_what, proto) => {
      const response = await gate.call('/v1/reports', { bearer: await access('org_x'), proto });
      expectRefusal(response, 403, 'https_required');
      expect(gate.upstream.requests).toEqual([]);
    });

    test('a key that came over plain http is reported as exposed, without the key', async () => {
      await using alone = await startAlone();
      const ask = (bearer: string, scheme: string, forwarded = scheme) => {
        const headers: readonly HeaderLine[] = [
          ['x-forwarded-proto', forwarded],
          ['x-request-id', `${scheme}-${bearer.length}`],
          ['authorization', `Bearer ${bearer}`],
        ];
        return alone.client.check({ path: '/v1/prompts', headers, scheme, source: '192.0.2.1' });
      };
      expect(await ask(await access('org_x'), 'http')).toMatchObject({ reason: 'https_required' });
      expect(await ask(`${LIVE.slice(0, -1)}T`, 'http')).toMatchObject({ status: 403 });
      expect(await ask(LIVE, 'https')).toMatchObject({ allowed: true });
      expect(await ask(LIVE, 'https', 'http, https')).toMatchObject({ allowed: true });
      const token = await access('org_x');
      for (const [scheme, forwarded] of [
        ['http', 'https'],
        ['https', 'http'],
        ['https', 'https,http'],
      ] as const) {
        expect(await ask(token, scheme, forwarded)).toMatchObject({ reason: 'https_required' });
      }
      expect(await ask(LIVE, 'http')).toMatchObject({ status: 403, reason: 'https_required' });
      const events = () => alone.lines().filter((line) => 'event' in line);
      await expect.poll(events).toHaveLength(1);
      expect(events()[0]).toEqual({
        event: 'key.exposed',
        id: expect.any(String),
        time: expect.any(String),
        route: 'prompts',
        address: '192.0.2.1',
        request_id: `http-${LIVE.length}`,
        policy: expect.any(String),
        key_prefix: 'pr_live_K9',
        key_id: LIVE_ID,
      });
      expect(JSON.stringify(alone.lines())).not.toContain(LIVE.slice(10));
    });

    test('an exposed key is counted', async () => {
      const before = await exposures();
      const response = await gate.call('/v1/prompts', { bearer: LIVE, proto: 'http' });
      expectRefusal(response, 403, 'https_required');
      expect(await exposures()).toBe(before + 1);
    });

    test('comes before everything else', async () => {
      expect(outcomeOf(await gate.call('/v1/prompts'))).toBe('https_required');
      expect(outcomeOf(await gate.call('/v1/prompts', { bearer: 'x' }))).toBe('https_required');
    });
  });

  describe('a token', () => {
    test('gives user, organization, scopes and plan', async () => {
      const bearer = await access('org_biz', { plan: 'business', scope: 'reports:read x:y' });
      const response = await gate.secure('/v1/reports/r-1', { bearer, headers: SPOOFED });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(gate.upstream)).toEqual({
        'x-auth-method': 'jwt',
        'x-auth-username': 'ada',
        'x-auth-subject': 'ada',
        'x-auth-workspace': 'org_biz',
        'x-auth-scopes': 'reports:read x:y',
        'x-auth-plan': 'business',
        'x-auth-issuer': 'promptreports',
      });
      expect(gate.upstream.last().header('authorization')).toBeUndefined();
    });

    const pem = async () => new TextEncoder().encode(await exportSPKI(signer.pair.publicKey));
    const confused = async () => {
      const claims = { iss: ISSUER, aud: CLIENT_ID, sub: 'ada', scope: 'prompts:read' };
      return signToken({ claims, alg: 'HS256', key: await pem(), kid: 'pr-1' });
    };
    const at = (seconds: number) => nowSeconds() + seconds;

    test.each<[string, () => Promise<string>, string]>([
      ['sound', () => access('org_1'), 'allow'],
      ['for several audiences', () => access('org_1', { aud: ['x', CLIENT_ID] }), 'allow'],
      ['of another issuer', () => access('org_1', { iss: 'https://evil.example' }), 'token_issuer'],
      ['of no issuer', () => access('org_1', { iss: undefined }), 'token_issuer'],
      ['for another audience', () => access('org_1', { aud: 'x' }), 'token_audience'],
      ['for no audience', () => access('org_1', { aud: undefined }), 'token_audience'],
      ['over', () => access('org_1', { exp: at(-6) }), 'token_expired'],
      ['without end', () => access('org_1', { exp: undefined }), 'token_invalid'],
      ['not begun', () => access('org_1', { nbf: at(30) }), 'token_not_yet_valid'],
      ['not issued yet', () => access('org_1', { iat: at(30) }), 'token_not_yet_valid'],
      ['of an unknown kid', () => access('org_1', {}, { kid: 'pr-2' }), 'token_invalid'],
      ['of no kid', () => access('org_1', {}, { kid: undefined }), 'allow'],
      ['by a stranger', () => access('org_1', {}, { by: stranger }), 'token_invalid'],
      ['by PS256', () => access('org_1', {}, { by: unlisted, alg: 'PS256' }), 'token_invalid'],
      ['by the public key as a secret', confused, 'token_invalid'],
      ['without a user', () => access('org_1', { sub: undefined }), 'token_invalid'],
    ])('%s', async (_what, bearer, want) => {
      const response = await gate.secure('/v1/prompts', { bearer: await bearer() });
      expect(outcomeOf(response)).toBe(want);
      if (want === 'allow') return;
      expect(response.status).toBe(401);
      expect(response.header('www-authenticate')).toMatch(
        /^Bearer realm="promptreports", error="invalid_token", error_description="[^"]+"$/,
      );
      expect(gate.upstream.requests).toEqual([]);
    });
  });

  describe('scopes', () => {
    const only = (scope: string) => access('org_scopes', { scope, plan: 'business' });

    test.each<[string, string, string | (() => Promise<string>), string | undefined]>([
      ['GET', '/v1/prompts', LIVE, undefined],
      ['HEAD', '/v1/prompts', LIVE, undefined],
      ['DELETE', '/v1/prompts/1', LIVE, undefined],
      ['POST', '/v1/reports', LIVE, undefined],
      ['GET', '/v1/evaluations', LIVE, 'evaluations:read'],
      ['POST', '/v1/webhooks/1', LIVE, 'webhooks:write'],
      ['GET', '/v1/organization', LIVE, 'organization:read organization:admin'],
      ['GET', '/v1/organization/members', LIVE, 'organization:admin'],
      ['GET', '/v1/organization', TEST, undefined],
      ['PATCH', '/v1/reports/1', TEST, 'reports:write'],
      ['GET', '/v1/prompts', () => only('prompts:read'), undefined],
      ['POST', '/v1/prompts', () => only('prompts:read'), 'prompts:write'],
      ['GET', '/v1/prompts', () => only('prompts:write'), 'prompts:read'],
      ['GET', '/v1/prompts', () => only('prompts:reader'), 'prompts:read'],
      ['GET', '/v1/prompts', () => only(''), 'prompts:read'],
      ['GET', '/v1/organization', () => only('organization:admin'), undefined],
      ['POST', '/v1/organization', () => only('organization:admin'), undefined],
      ['POST', '/v1/organization', () => only('organization:read'), 'organization:admin'],
    ])('%s %s', async (method, target, credential, wanted) => {
      const bearer = typeof credential === 'string' ? credential : await credential();
      const response = await gate.secure(target, { method, bearer });
      if (wanted === undefined) {
        expect(response.status).toBe(200);
        return;
      }
      expectRefusal(response, 403, 'insufficient_scope');
      expect(response.header('www-authenticate')).toBe(
        `Bearer realm="promptreports", error="insufficient_scope", scope="${wanted}"`,
      );
      expect(gate.upstream.requests).toEqual([]);
    });

    test('the organization is for live keys: a test key is of the wrong environment', async () => {
      const response = await gate.secure('/v1/organization/members', { bearer: TEST });
      expectRefusal(response, 403, 'wrong_environment');
    });
  });

  test.each(['/v1/promptsx', '/v2/prompts', '/'])('%s is no route', async (target) => {
    expectRefusal(await gate.secure(target, { bearer: LIVE }), 403, 'no_route');
  });

  test('the audit holds no key and no token', async () => {
    const bearer = await access('org_audit');
    const response = await gate.secure('/v1/nothing', { bearer });
    await gate.postern.waitForAudit((line) => line['request_id'] === response.json()['request_id']);
    const written = JSON.stringify(gate.postern.audit()) + gate.postern.stderr();
    const log = JSON.stringify(gate.envoy.accessLog()) + gate.envoy.log();
    for (const part of [LIVE.slice(12), TEST.slice(12), ...bearer.split('.').slice(1)]) {
      expect(written).not.toContain(part);
      expect(log).not.toContain(part);
    }
  });
});

/** How many exposed keys the metrics count. */
async function exposures(): Promise<number> {
  const metrics = await (await fetch(`${gate.postern.opsUrl}/metrics`)).text();
  return Number(/^postern_notices_total\{notice="key\.exposed"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}
