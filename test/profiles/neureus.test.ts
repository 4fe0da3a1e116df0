import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintKey } from '../../src/core/api-key.ts';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine, ReceivedResponse } from '../envoy-harness/send.ts';
import { SPOOFED, testAmbiguousPaths, testForms, testMadeUpIdentity } from './forms.ts';
import { type Call, headersOf, identityOf, inWaves, outcomeOf } from './gate.ts';
import {
  byWindow,
  expectRefusal,
  expectSoundAudit,
  KEYS,
  type Stage,
  startStage,
} from './support.ts';

const { tenant, widget, small } = KEYS.neureus;
const SHOP: HeaderLine = ['Origin', 'https://shop.example.com'];
const PREFLIGHT: readonly HeaderLine[] = [
  ['Access-Control-Request-Method', 'POST'],
  ['Access-Control-Request-Headers', 'authorization'],
];
const TOLD = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-policy'];
const QUOTA = 8;
const BURST = 40;
const REFILL_MS = 500;

const TENANT_IDENTITY = {
  'x-auth-username': 'tenant-a',
  'x-auth-subject': '37dGar9bhXcClPei28qH9VVneZy',
  'x-auth-method': 'api_key',
  'x-auth-key-id': '37dGar9bhXcClPei28qH9VVneZy',
  'x-auth-workspace': 'tenant-a',
  'x-auth-scopes': '*',
  'x-auth-roles': 'owner',
  'x-auth-plan': 'standard',
};

let stage: Stage;

describeEnvoy('neureus', () => {
  beforeAll(async () => {
    stage = await startStage('neureus');
  });
  beforeEach(() => stage.upstream.clear());
  afterAll(() => stage?.stop());

  const chat = (call: Call) => stage.call('/ai/chat', { ...call, method: 'POST' });

  describe('a tenant on the standard plan', () => {
    test('has one pool for all its keys, told exactly', async () => {
      const first = await chat({ bearer: tenant });
      const second = await chat({ bearer: widget, headers: [SHOP] });
      const third = await stage.call('/ai/models', { bearer: tenant });
      expect([first, second, third].map(outcomeOf)).toEqual(['allow', 'allow', 'allow']);
      expect(headersOf(first, TOLD)).toEqual({
        'x-ratelimit-limit': '120',
        'x-ratelimit-remaining': '119',
        'x-ratelimit-policy': '120/minute',
      });
      const resetSeconds = Number(first.header('x-ratelimit-reset'));
      expect(resetSeconds % 60).toBe(0);
      expect(Math.abs(resetSeconds - Date.now() / 1000 - 30)).toBeLessThan(35);
      expect(first.header('ratelimit-policy')).toBe(
        '"minute";q=120;w=60, "day";q=20000;w=86400, "burst";q=40;w=20',
      );
      expect(first.header('ratelimit')).toMatch(
        /^"minute";r=119;t=\d+, "day";r=19999;t=\d+, "burst";r=39;t=1$/,
      );
      const sameMinute = [first, second, third].filter(
        (one) => one.header('x-ratelimit-reset') === first.header('x-ratelimit-reset'),
      );
      expect(sameMinute.map((one) => one.header('x-ratelimit-remaining'))).toEqual(
        ['119', '118', '117'].slice(0, sameMinute.length),
      );
    });

    test('does what an owner may', async () => {
      for (const target of ['/ai/documents/5', '/billing/plan', '/team/7', '/byok/openai']) {
        const response = await stage.call(`${target}?a=%20&b`, {
          bearer: tenant,
          method: 'PUT',
          headers: SPOOFED,
        });
        expect(outcomeOf(response)).toBe('allow');
        expect(stage.upstream.last().target).toBe(`${target}?a=%20&b`);
        expect(stage.upstream.last().header('authorization')).toBeUndefined();
        expect(identityOf(stage.upstream)).toEqual(TENANT_IDENTITY);
      }
    });
  });

  describe('a tenant on trial', () => {
    const spend = (target: string) => stage.call(target, { bearer: small, method: 'POST' });

    test('gets eight requests in a month, however many it sends at once, and then 402', async () => {
      const first = await stage.call('/ai/models', { bearer: small });
      expect(identityOf(stage.upstream)).toMatchObject({
        'x-auth-username': 'tenant-b',
        'x-auth-workspace': 'tenant-b',
        'x-auth-roles': 'developer',
        'x-auth-plan': 'trial',
      });
      expect(headersOf(first, TOLD)).toEqual({
        'x-ratelimit-limit': '8',
        'x-ratelimit-remaining': '7',
        'x-ratelimit-policy': '8/month',
      });
      expect(first.header('ratelimit-policy')).toMatch(
        /^"minute";q=20;w=60, "quota";q=8;w=(?:2419200|2505600|2592000|2678400)$/,
      );
      const targets = ['/ai/chat', '/ai/documents/1', '/ai/documents'];
      const rest = await inWaves(40, 20, (at) => spend(targets[at % 3] ?? ''));
      for (const { admitted, refused } of byWindow([first, ...rest])) {
        if (refused > 0) expect(admitted).toBe(QUOTA);
        else expect(admitted).toBeLessThanOrEqual(QUOTA);
      }
      const over = rest.filter(({ status }) => status !== 200);
      expect(over.length).toBeGreaterThan(0);
      for (const response of over) expectExhausted(response);
    });

    test('still has its 402 a moment later, and its audit line', async () => {
      const response = await spend('/ai/chat');
      expectExhausted(response);
      expect(await stage.auditOf(response)).toMatchObject({
        decision: 'deny',
        reason: 'quota_exhausted',
        route: 'chat',
        username: 'tenant-b',
        workspace: 'tenant-b',
        plan: 'trial',
      });
    });

    test('is told so as a problem and by gRPC, too', async () => {
      const problem = await chat({
        bearer: small,
        headers: [['Accept', 'application/problem+json']],
      });
      expect(problem.json()).toMatchObject({
        title: 'Payment Required',
        status: 402,
        error: 'PAYMENT_REQUIRED',
        reason: 'quota_exhausted',
      });
      const grpc = await chat({ bearer: small, headers: [['Content-Type', 'application/grpc']] });
      expect(headersOf(grpc, ['grpc-status', 'x-postern-reason'])).toEqual({
        'grpc-status': '8',
        'x-postern-reason': 'quota_exhausted',
      });
    });

    test('is no tenant on the standard plan', async () => {
      expect(outcomeOf(await chat({ bearer: tenant }))).toBe('allow');
    });

    test.each(['/billing/plan', '/team', '/byok/openai'])(
      'is told that a developer has no business at %s, rather than of its quota',
      async (target) => {
        const response = await spend(target);
        expectRefusal(response, 403, 'insufficient_role');
        expect(response.header('x-ratelimit-limit')).toBeUndefined();
      },
    );
  });

  describe('a publishable key', () => {
    test('chats from the shop, whatever scopes it claims', async () => {
      const response = await chat({ bearer: widget, headers: [SHOP] });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(stage.upstream)).toEqual({
        'x-auth-username': 'tenant-a-widget',
        'x-auth-subject': '37dGatEa4yo66qivuAbVmToP5QU',
        'x-auth-method': 'api_key',
        'x-auth-key-id': '37dGatEa4yo66qivuAbVmToP5QU',
        'x-auth-workspace': 'tenant-a',
        'x-auth-scopes': 'chat:write',
        'x-auth-plan': 'standard',
      });
      expect(response.header('access-control-allow-origin')).toBe('https://shop.example.com');
      expect(response.header('vary')).toBe('origin');
      const metrics = await (await fetch(`${stage.postern.opsUrl}/metrics`)).text();
      expect(metrics).not.toContain('notice="key.in_browser"');
    });

    test('does nothing else', async () => {
      const models = await stage.call('/ai/models', { bearer: widget });
      expectRefusal(models, 403, 'insufficient_scope');
      expect(models.header('www-authenticate')).toBe(
        'Bearer realm="neureus", error="insufficient_scope", scope="models:read"',
      );
      const documents = await stage.call('/ai/documents', { bearer: widget });
      expectRefusal(documents, 403, 'insufficient_role');
      expect(documents.header('www-authenticate')).toBeUndefined();
    });

    test.each([
      ['another site', 'https://evil.example'],
      ['plain http', 'http://shop.example.com'],
      ['a subdomain', 'https://x.shop.example.com'],
      ['another port', 'https://shop.example.com:8443'],
      ['null', 'null'],
    ])(
      'is refused from %s, where browsers are meant to call and elsewhere',
      async (_name, origin) => {
        const headers = [['Origin', origin]] as const;
        const chatted = await chat({ bearer: widget, headers });
        expectRefusal(chatted, 403, 'origin_not_allowed');
        expect(chatted.header('access-control-allow-origin')).toBeUndefined();
        expect(chatted.header('vary')).toBe('origin');
        const models = await stage.call('/ai/models', { bearer: widget, headers });
        expectRefusal(models, 403, 'origin_not_allowed');
      },
    );

    test('is refused with two origins', async () => {
      const headers: readonly HeaderLine[] = [SHOP, ['Origin', 'https://evil.example']];
      expectRefusal(await chat({ bearer: widget, headers }), 400, 'malformed_request');
    });
  });

  describe('a browser', () => {
    test('is told before it asks', async () => {
      const response = await stage.call('/ai/chat', {
        method: 'OPTIONS',
        headers: [SHOP, ...PREFLIGHT],
      });
      expect(response).toMatchObject({ status: 204, body: '' });
      const names = response.lines.map(([name]) => name.toLowerCase());
      const cors = names.filter((name) => name.startsWith('access-control-'));
      expect(headersOf(response, cors)).toEqual({
        'access-control-allow-origin': 'https://shop.example.com',
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'authorization, content-type',
      });
      expect(response.header('vary')).toMatch(/^origin\b/);
      expect(stage.upstream.requests).toEqual([]);
      const line = await stage.postern.waitForAudit(({ decision }) => decision === 'reply');
      expect(line).toMatchObject({ route: 'chat', http_method: 'OPTIONS', path: '/ai/chat' });
    });

    test('of another site is not', async () => {
      const headers: readonly HeaderLine[] = [['Origin', 'https://evil.example'], ...PREFLIGHT];
      const response = await stage.call('/ai/chat', { method: 'OPTIONS', headers });
      expectRefusal(response, 403, 'origin_not_allowed');
      expect(response.header('access-control-allow-origin')).toBeUndefined();
    });

    test('reads why it was refused', async () => {
      const response = await chat({ headers: [SHOP] });
      expectRefusal(response, 401, 'missing_credential');
      expect(response.header('access-control-allow-origin')).toBe('https://shop.example.com');
      expect(response.header('vary')).toBe('origin');
    });

    test('that asks a route without cors gets an ordinary answer', async () => {
      const headers = [SHOP, ...PREFLIGHT];
      const response = await stage.call('/billing/plan', { method: 'OPTIONS', headers });
      expectRefusal(response, 401, 'missing_credential');
      expect(response.header('access-control-allow-origin')).toBeUndefined();
    });
  });

  describe('a credential that is none', () => {
    test.each([
      ['a key that nobody holds', mintKey('nru_', randomBytes(64))],
      ['a widget key that nobody holds', mintKey('pk_', randomBytes(64))],
      ['a mistyped key', tenant.replace('Rz', 'zR')],
      ['a key under the other prefix', tenant.replace('nru_', 'pk_')],
      ['no key at all', 'sesame'],
    ])('%s is unknown', async (_name, bearer) => {
      const response = await chat({ bearer });
      expectRefusal(response, 401, 'unknown_key');
      expect(response.header('www-authenticate')).toMatch(
        /^Bearer realm="neureus", error="invalid_token", error_description="[^"]+"$/,
      );
    });

    test.each([
      ['x-api-key', `/ai/models`, [['x-api-key', tenant]]],
      ['the query', `/ai/models?api_key=${tenant}`, []],
      ['Basic', '/ai/models', [['Authorization', `Basic ${btoa(`${tenant}:`)}`]]],
    ] as const)('a key in %s is not seen', async (_name, target, headers) => {
      expectRefusal(await stage.call(target, { headers }), 401, 'missing_credential');
    });

    test('an empty one is malformed, two are one too many', async () => {
      const empty = await chat({ headers: [['Authorization', 'Bearer']] });
      expectRefusal(empty, 400, 'malformed_credential');
      const headers = [['Authorization', `Bearer ${widget}`]] as const;
      const two = await chat({ bearer: tenant, headers });
      expectRefusal(two, 400, 'duplicate_credential');
    });
  });

  describe('health and monitoring', () => {
    test("are Postern's own pages at the edge", async () => {
      const response = await stage.call('/health', { bearer: tenant });
      expect(response.json()).toEqual({ status: 'ok', product: 'neureus' });
      expect(stage.upstream.requests).toEqual([]);
    });

    test('health is public where the upstream has one: nothing is asked, all is stripped', async () => {
      const headers: readonly HeaderLine[] = [...SPOOFED, ['Authorization', 'Bearer nru_wrong']];
      const response = await stage.rough('/health?x=1', { headers });
      expect(outcomeOf(response)).toBe('allow');
      expect(response.header('x-ratelimit-limit')).toBeUndefined();
      expect(stage.upstream.last().target).toBe('/health?x=1');
      expect(stage.upstream.last().header('authorization')).toBeUndefined();
      expect(identityOf(stage.upstream)).toEqual({ 'x-auth-method': 'anonymous' });
    });

    test('monitoring wants a viewer where the upstream has it', async () => {
      expectRefusal(await stage.rough('/monitoring/usage'), 401, 'missing_credential');
      const refused = await stage.rough('/monitoring/usage', { bearer: widget });
      expectRefusal(refused, 403, 'insufficient_role');
      expect(outcomeOf(await stage.rough('/monitoring', { bearer: tenant }))).toBe('allow');
      expect(identityOf(stage.upstream)).toEqual(TENANT_IDENTITY);
    });
  });

  test.each([
    ['GET', '/ai/chat'],
    ['POST', '/ai/models'],
    ['POST', '/ai/chat/x'],
    ['GET', '/'],
  ])('%s %s has no route', async (method, target) => {
    const response = await stage.call(target, { method, bearer: tenant });
    expectRefusal(response, 403, 'no_route');
    expect(await stage.auditOf(response)).not.toHaveProperty('route');
  });

  testMadeUpIdentity(() => stage, {
    target: '/team',
    call: { bearer: tenant },
    identity: TENANT_IDENTITY,
  });
  testAmbiguousPaths(() => stage, { below: '/ai/documents', call: { bearer: tenant } });
  testForms(() => stage, { target: '/team', challenge: 'Bearer realm="neureus"' });

  describe("a tenant's burst, from the first request on", () => {
    let fresh: Stage;

    beforeAll(async () => {
      fresh = await startStage('neureus');
    });
    afterAll(() => fresh?.stop());

    test('is forty at once over all its keys, and then one in half a second', async () => {
      const startedMs = Date.now();
      const responses = await inWaves(80, 40, (at) => {
        const bearer = at % 2 === 0 ? tenant : widget;
        return fresh.call('/ai/chat', { method: 'POST', bearer });
      });
      const refilled = Math.floor((Date.now() - startedMs) / REFILL_MS);
      const admitted = responses.filter(({ status }) => status === 200);
      expect(admitted.length).toBeGreaterThanOrEqual(BURST);
      expect(admitted.length).toBeLessThanOrEqual(BURST + refilled);
      for (const response of responses.filter(({ status }) => status !== 200)) {
        expectRefusal(response, 429, 'rate_limited');
        expect(response.header('retry-after')).toBe('1');
        expect(headersOf(response, TOLD)).toEqual({
          'x-ratelimit-limit': '120',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-policy': '120/minute',
        });
      }
      const other = await fresh.call('/ai/chat', { method: 'POST', bearer: small });
      expect(outcomeOf(other)).toBe('allow');
    });

    test('every decision is in the audit, and no key was told to anybody', async () => {
      await expectSoundAudit([stage, fresh], 'neureus');
    });
  });
});

/** A 402 that names the quota and the first of the next month. */
function expectExhausted(response: ReceivedResponse): void {
  expectRefusal(response, 402, 'quota_exhausted');
  expect(headersOf(response, TOLD)).toEqual({
    'x-ratelimit-limit': '8',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-policy': '8/month',
  });
  const reset = new Date(Number(response.header('x-ratelimit-reset')) * 1000).toISOString();
  expect(reset).toMatch(/-01T00:00:00\.000Z$/);
  expect(Date.parse(reset)).toBeGreaterThan(Date.now() - 60_000);
}
