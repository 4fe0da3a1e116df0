import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintKey } from '../../src/core/api-key.ts';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine, ReceivedResponse } from '../envoy-harness/send.ts';
import { SPOOFED, testAmbiguousPaths, testForms, testMadeUpIdentity } from './forms.ts';
import { type Call, headersOf, identityOf, inWaves, outcomeOf } from './gate.ts';
import { expectRefusal, expectSoundAudit, KEYS, type Stage, startStage } from './support.ts';

const { ci, telemetry, expired } = KEYS.neuroai;
const OFFICE = '192.0.2.44';
const FROM_CI: Call = { bearer: ci, from: OFFICE };
const REFILL_MS = 2000;

const TELEMETRY_IDENTITY = {
  'x-auth-username': 'telemetry',
  'x-auth-subject': '37dGasSVY6EnPiGw9YMAjedl0pa',
  'x-auth-method': 'api_key',
  'x-auth-key-id': '37dGasSVY6EnPiGw9YMAjedl0pa',
  'x-auth-workspace': 'research',
  'x-auth-scopes': 'telemetry:write',
  'x-auth-roles': 'telemetry-writer',
};

let stage: Stage;

describeEnvoy('neuroai', () => {
  beforeAll(async () => {
    stage = await startStage('neuroai');
  });
  beforeEach(() => stage.upstream.clear());
  afterAll(() => stage?.stop());

  describe('a team key in the Authorization header', () => {
    test('is admitted, told its limits and handed on as an identity', async () => {
      const response = await stage.call('/v1/agents/7?b=2&a=1', {
        ...FROM_CI,
        headers: SPOOFED,
      });
      expect(outcomeOf(response)).toBe('allow');
      expect(identityOf(stage.upstream)).toEqual({
        'x-auth-username': 'ci',
        'x-auth-subject': '37dGatOBs2T1E3ejl2rLx2xZyYZ',
        'x-auth-method': 'api_key',
        'x-auth-key-id': '37dGatOBs2T1E3ejl2rLx2xZyYZ',
        'x-auth-workspace': 'research',
        'x-auth-scopes': 'agents:write *:read',
        'x-auth-roles': 'developer',
      });
      expect(stage.upstream.last().target).toBe('/v1/agents/7?b=2&a=1');
      expect(stage.upstream.last().header('authorization')).toBeUndefined();
      expect(
        headersOf(response, ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-policy']),
      ).toEqual({
        'x-ratelimit-limit': '30',
        'x-ratelimit-remaining': '29',
        'x-ratelimit-policy': '30/minute',
      });
      const resetSeconds = Number(response.header('x-ratelimit-reset'));
      expect(resetSeconds % 60).toBe(0);
      expect(Math.abs(resetSeconds - Date.now() / 1000 - 30)).toBeLessThan(35);
      expect(response.header('ratelimit-policy')).toBe(
        '"key-minute";q=30;w=60, "key-burst";q=10;w=20',
      );
      expect(response.header('ratelimit')).toMatch(
        /^"key-minute";r=29;t=\d+, "key-burst";r=9;t=2$/,
      );
      expect(await stage.auditOf(response)).toMatchObject({
        decision: 'allow',
        route: 'agents',
        method: 'api_key',
        username: 'ci',
        workspace: 'research',
        key_id: '37dGatOBs2T1E3ejl2rLx2xZyYZ',
        address: OFFICE,
        http_method: 'GET',
        path: '/v1/agents/7',
      });
    });

    test.each([
      ['the developer writes agents', 'PUT', '/v1/agents/7'],
      ['HEAD asks for what GET asks for', 'HEAD', '/v1/agents'],
    ])('%s', async (_name, method, target) => {
      const response = await stage.call(target, { ...FROM_CI, method });
      expect(response.status).toBe(200);
      expect(stage.upstream.last()).toMatchObject({ method, target });
    });

    test.each([
      ['below the path of users', '/v1/users/7', 'insufficient_role'],
      ['at users', '/v1/users', 'insufficient_role'],
    ] as const)('a developer is no administrator %s', async (_name, target, reason) => {
      const response = await stage.call(target, FROM_CI);
      expectRefusal(response, 403, reason);
      expect(response.header('www-authenticate')).toBeUndefined();
    });

    test('lacks a scope, and is told which', async () => {
      const response = await stage.call('/v1/telemetry', { ...FROM_CI, method: 'POST' });
      expectRefusal(response, 403, 'insufficient_scope');
      expect(response.header('www-authenticate')).toBe(
        'Bearer realm="neuroai", error="insufficient_scope", scope="telemetry:write"',
      );
      expect(stage.upstream.requests).toEqual([]);
    });
  });

  describe('a service key with a custom role', () => {
    test('in the query, leaves the rest of the query as it was', async () => {
      const response = await stage.call(
        `/v1/telemetry?z=%2f%20&api_key=${telemetry}&a=1&a=0&B&=x&c=%zz`,
        { method: 'POST', headers: SPOOFED },
      );
      expect(outcomeOf(response)).toBe('allow');
      expect(stage.upstream.last().target).toBe('/v1/telemetry?z=%2f%20&a=1&a=0&B&=x&c=%zz');
      expect(identityOf(stage.upstream)).toEqual(TELEMETRY_IDENTITY);
      expect(response.header('x-ratelimit-limit')).toBeUndefined();
      expect(response.header('ratelimit')).toBeUndefined();
      const line = await stage.auditOf(response);
      expect(line).toMatchObject({ decision: 'allow', path: '/v1/telemetry', route: 'telemetry' });
    });

    test.each([
      ['alone', `?api_key=${telemetry}`, ''],
      ['by an escaped name', `?a=%41&%61pi%5Fkey=${telemetry}&b=+`, '?a=%41&b=+'],
      ['as an escaped value', `?api_key=%6E${telemetry.slice(1)}&b`, '?b'],
    ])('is found and removed %s', async (_name, query, rest) => {
      const response = await stage.call(`/v1/telemetry${query}`, { method: 'POST' });
      expect(outcomeOf(response)).toBe('allow');
      expect(stage.upstream.last().target).toBe(`/v1/telemetry${rest}`);
    });

    test('a second spelling that nobody reads does not reach the upstream either', async () => {
      const target = `/v1/telemetry?API_KEY=${telemetry}&Api%5fKey=x&keep=1`;
      const response = await stage.call(target, { method: 'POST', bearer: telemetry });
      expect(outcomeOf(response)).toBe('allow');
      expect(stage.upstream.last().target).toBe('/v1/telemetry?keep=1');
      expect(stage.upstream.last().header('authorization')).toBeUndefined();
    });

    test('may not read agents, though its role is its own', async () => {
      const response = await stage.call(`/v1/agents?api_key=${telemetry}`);
      expectRefusal(response, 403, 'insufficient_scope');
      expect(response.header('www-authenticate')).toContain('scope="agents:read"');
      expect(await stage.auditOf(response)).toMatchObject({
        decision: 'deny',
        reason: 'insufficient_scope',
        route: 'agents',
        username: 'telemetry',
        path: '/v1/agents',
      });
    });

    test('is noticed in a browser, and let through', async () => {
      const headers = [['Sec-Fetch-Site', 'cross-site']] as const;
      const response = await send({ bearer: telemetry, headers });
      expect(outcomeOf(response)).toBe('allow');
      const metrics = await (await fetch(`${stage.postern.opsUrl}/metrics`)).text();
      expect(metrics).toContain('postern_notices_total{notice="key.in_browser"} 1');
    });
  });

  testMadeUpIdentity(() => stage, {
    target: '/v1/telemetry',
    call: { method: 'POST', bearer: telemetry },
    identity: TELEMETRY_IDENTITY,
  });

  describe('the management API', () => {
    test.each([
      ['/v1/api-keys/5', FROM_CI, 'ci'],
      ['/v1/auth/verify', { bearer: telemetry }, 'telemetry'],
    ])('gets the credential at %s, but no made-up identity', async (target, call, username) => {
      const response = await stage.call(target, { ...call, headers: SPOOFED });
      expect(outcomeOf(response)).toBe('allow');
      expect(stage.upstream.last().header('authorization')).toBe(`Bearer ${call.bearer}`);
      expect(identityOf(stage.upstream)).toMatchObject({ 'x-auth-username': username });
      expect(identityOf(stage.upstream)).not.toHaveProperty('x-auth-anything');
    });

    test('gets a credential of the query as it was sent', async () => {
      const target = `/v1/auth/verify?b=%20&api_key=${telemetry}&a`;
      expect(outcomeOf(await stage.call(target))).toBe('allow');
      expect(stage.upstream.last().target).toBe(target);
    });

    test('is not written by a developer', async () => {
      const response = await stage.call('/v1/api-keys', { ...FROM_CI, method: 'POST' });
      expectRefusal(response, 403, 'insufficient_scope');
      expect(response.header('www-authenticate')).toContain('scope="api_keys:write"');
    });
  });

  describe('a credential that is none', () => {
    const unknown = mintKey('nai_', randomBytes(64));

    test.each([
      ['a key that nobody holds', { bearer: unknown }],
      ['a mistyped key', { bearer: `${ci.slice(0, -1)}5` }],
      ['a key cut short', { bearer: ci.slice(0, -1) }],
      ['a key in capitals', { bearer: ci.toUpperCase() }],
      ['a key of another product', { bearer: KEYS.neureus.tenant }],
    ])('%s is unknown, in the header and in the query', async (_name, { bearer }) => {
      for (const [target, call] of [
        ['/v1/agents', { bearer }],
        [`/v1/agents?api_key=${bearer}`, {}],
      ] as const) {
        const response = await stage.call(target, call);
        expectRefusal(response, 401, 'unknown_key');
        expect(response.header('www-authenticate')).toBe(
          'Bearer realm="neuroai", error="invalid_token", ' +
            'error_description="The API key is not known: check that it was copied completely."',
        );
        expect(response.body).not.toContain(bearer.slice(0, 12));
      }
    });

    test('an expired key is told so', async () => {
      const response = await stage.call('/v1/agents', { bearer: expired });
      expectRefusal(response, 401, 'key_expired');
      expect(response.header('www-authenticate')).toMatch(
        /^Bearer realm="neuroai", error="invalid_token", error_description="The API key has expired/,
      );
    });

    test.each<readonly [string, string, Call]>([
      ['in header and query', `?api_key=${telemetry}`, { bearer: telemetry }],
      ['in the query twice', `?api_key=${telemetry}&api%5fkey=${telemetry}`, {}],
      ['in the header twice', '', { bearer: telemetry, headers: [bearerLine(telemetry)] }],
      ['in one line twice', '', { bearer: `${telemetry},Bearer ${telemetry}` }],
      ['one sound, one not', '?api_key=x', { bearer: telemetry }],
    ])('two credentials are one too many: %s', async (_name, query, call) => {
      const response = await stage.call(`/v1/telemetry${query}`, { ...call, method: 'POST' });
      expectRefusal(response, 400, 'duplicate_credential');
      expect(stage.upstream.requests).toEqual([]);
    });

    test.each<readonly [string, string, Call]>([
      ['empty', '', { headers: [['Authorization', 'Bearer ']] }],
      ['empty in the query', '?api_key=', {}],
      ['with a space', '', { bearer: `${telemetry} x` }],
      ['with an escaped control byte', `?api_key=${telemetry}%00`, {}],
      ['longer than 8 KiB', '', { bearer: `nai_${'a'.repeat(8200)}` }],
    ])('a malformed credential: %s', async (_name, query, call) => {
      const response = await stage.call(`/v1/telemetry${query}`, { ...call, method: 'POST' });
      expectRefusal(response, 400, 'malformed_credential');
    });
  });

  describe("the key's own addresses", () => {
    test.each([
      ['the last of the block', '192.0.2.255'],
      ['as IPv6 of IPv4', '::ffff:192.0.2.1'],
    ])('let it in from %s', async (_name, from) => {
      expect(outcomeOf(await stage.call('/v1/agents', { bearer: ci, from }))).toBe('allow');
    });

    test.each([
      ['the next block', '192.0.3.0'],
      ['a made-up entry before its own', '192.0.2.44, 198.51.100.1'],
      ['nowhere', 'unknown'],
      ['an octal address', '0300.0.2.44'],
      ['an address with a port', '192.0.2.44:80'],
      ['an IPv6 address that embeds it', '::192.0.2.44'],
    ])('refuse it from %s', async (_name, from) => {
      const response = await stage.call('/v1/agents', { bearer: ci, from });
      expectRefusal(response, 403, 'ip_not_allowed');
    });

    test('refuse it from the machine itself', async () => {
      expectRefusal(await stage.call('/v1/agents', { bearer: ci }), 403, 'ip_not_allowed');
    });
  });

  describe("the key's own referers", () => {
    test.each<readonly [string, readonly HeaderLine[]]>([
      ['its page', [['Referer', 'https://ci.example.com/job/7?x=1']]],
      ['its origin', [['Origin', 'http://ci.example.com']]],
    ])('let %s in', async (_name, headers) => {
      expect(outcomeOf(await stage.call('/v1/agents', { ...FROM_CI, headers }))).toBe('allow');
    });

    test.each<readonly [string, readonly HeaderLine[]]>([
      ['another page', [['Referer', 'https://evil.example/']]],
      ['a longer name', [['Referer', 'https://ci.example.com.evil.example/']]],
      ['a subdomain', [['Referer', 'https://x.ci.example.com/']]],
      ['another port', [['Referer', 'https://ci.example.com:8443/']]],
      ['null', [['Referer', 'null']]],
      ['no scheme', [['Referer', 'ci.example.com']]],
      ['another origin', [['Origin', 'https://evil.example']]],
      ['a name before an at', [['Origin', 'https://ci.example.com@evil.example']]],
      [
        'a page and an origin that disagree',
        [
          ['Referer', 'https://ci.example.com/'],
          ['Origin', 'https://evil.example'],
        ],
      ],
    ])('refuse %s', async (_name, headers) => {
      const response = await stage.call('/v1/agents', { ...FROM_CI, headers });
      expectRefusal(response, 403, 'referer_not_allowed');
    });

    test('do not choose between two values', async () => {
      const headers: readonly HeaderLine[] = [
        ['Referer', 'https://ci.example.com/'],
        ['Referer', 'https://evil.example/'],
      ];
      const response = await stage.call('/v1/agents', { ...FROM_CI, headers });
      expectRefusal(response, 400, 'malformed_request');
    });
  });

  describe('a path', () => {
    test.each([
      ['that nobody serves', 'GET', '/v2/agents'],
      ['by a method that nobody serves', 'GET', '/v1/telemetry'],
      ['longer than the route', 'POST', '/v1/telemetry/x'],
      ['in another case', 'GET', '/V1/agents'],
      ['by a method that the rest of the API takes', 'PATCH', '/v1/auth/verify'],
    ])('%s has no route', async (_name, method, target) => {
      expectRefusal(await stage.call(target, { ...FROM_CI, method }), 403, 'no_route');
    });
  });

  testAmbiguousPaths(() => stage, { below: '/v1/agents', call: FROM_CI });

  testForms(() => stage, { target: '/v1/agents', challenge: 'Bearer realm="neuroai"' });

  test('says nothing to browsers, as the policy names no origins', async () => {
    const headers: readonly HeaderLine[] = [
      ['Origin', 'https://ci.example.com'],
      ['Access-Control-Request-Method', 'GET'],
    ];
    const response = await stage.call('/v1/agents', { method: 'OPTIONS', headers });
    expectRefusal(response, 401, 'missing_credential');
    expect(response.lines.map(([name]) => name)).not.toContainEqual(
      expect.stringMatching(/^access-control-/),
    );
  });

  describe("the key's own limit, from the first request on", () => {
    let fresh: Stage;

    beforeAll(async () => {
      fresh = await startStage('neuroai');
    });
    afterAll(() => fresh?.stop());

    test('is ten at once and then one in two seconds, and refusals are free', async () => {
      const startedMs = Date.now();
      const agents = () => fresh.call('/v1/agents', FROM_CI);
      const first = await agents();
      for (const target of ['/v1/users', '/v1/nothing', '/v1/users/7']) {
        expect((await fresh.call(target, FROM_CI)).status).toBe(403);
      }
      const second = await agents();
      expect(second.header('ratelimit')).toContain('"key-burst";r=8');
      if (second.header('x-ratelimit-reset') === first.header('x-ratelimit-reset')) {
        expect(second.header('x-ratelimit-remaining')).toBe('28');
      }
      const rest = await inWaves(30, 30, agents);
      const admitted = 2 + rest.filter(({ status }) => status === 200).length;
      const refilled = Math.floor((Date.now() - startedMs) / REFILL_MS);
      expect(admitted).toBeGreaterThanOrEqual(10);
      expect(admitted).toBeLessThanOrEqual(10 + refilled);
      for (const response of rest.filter(({ status }) => status !== 200)) expectLimited(response);
      expect(outcomeOf(await fresh.call('/v1/auth/verify', { bearer: telemetry }))).toBe('allow');
    });

    test('every decision is in the audit, and no key was told to anybody', async () => {
      await expectSoundAudit([stage, fresh], 'neuroai');
    });
  });
});

/** A 429 of the bucket: one request more in two seconds at most. */
function expectLimited(response: ReceivedResponse): void {
  expectRefusal(response, 429, 'rate_limited');
  expect(['1', '2']).toContain(response.header('retry-after'));
  expect(
    headersOf(response, ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-policy']),
  ).toEqual({
    'x-ratelimit-limit': '30',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-policy': '30/minute',
  });
  const waitSeconds = Number(response.header('x-ratelimit-reset')) - Date.now() / 1000;
  expect(waitSeconds).toBeLessThanOrEqual(REFILL_MS / 1000 + 1);
  expect(response.header('ratelimit')).toMatch(/"key-burst";r=0;t=[12]$/);
}

function send(call: Call) {
  return stage.call('/v1/telemetry', { ...call, method: 'POST' });
}

function bearerLine(key: string): HeaderLine {
  return ['Authorization', `Bearer ${key}`];
}
