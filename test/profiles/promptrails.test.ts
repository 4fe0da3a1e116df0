import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { mintKey } from '../../src/core/api-key.ts';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine } from '../envoy-harness/send.ts';
import { testAmbiguousPaths, testForms, testMadeUpIdentity } from './forms.ts';
import { type Call, headersOf, identityOf, outcomeOf } from './gate.ts';
import { expectRefusal, expectSoundAudit, KEYS, type Stage, startStage } from './support.ts';

const { runner, root, browser } = KEYS.promptrails;
const WORKSPACE = '37dGarHhB1CGSokba1HuR7zIaEP';
const POLICY = join(import.meta.dirname, '..', '..', 'deploy', 'policies', 'promptrails.yaml');
const RUN = '/api/v1/prompts/7/execute';
const DEMO = 'https://demo.example.com';
const PREFLIGHT: readonly HeaderLine[] = [
  ['Access-Control-Request-Method', 'POST'],
  ['Access-Control-Request-Headers', 'content-type,x-api-key'],
];

/** Every scope of the catalogue, and a request that demands it. */
const DEMANDS = [
  ['agents:read', 'GET', '/api/v1/agents'],
  ['agents:write', 'DELETE', '/api/v1/agents/7/versions/2'],
  ['agents:execute', 'POST', '/api/v1/agents/7/execute'],
  ['prompts:read', 'HEAD', '/api/v1/prompts/7'],
  ['prompts:write', 'PATCH', '/api/v1/prompts/7'],
  ['prompts:execute', 'POST', RUN],
  ['data_sources:read', 'GET', '/api/v1/data-sources/7'],
  ['data_sources:write', 'POST', '/api/v1/data-sources'],
  ['data_sources:execute', 'POST', '/api/v1/data-sources/7/execute'],
  ['executions:read', 'GET', '/api/v1/executions/7'],
  ['traces:read', 'GET', '/api/v1/traces/7/spans'],
  ['credentials:read', 'GET', '/api/v1/credentials'],
  ['credentials:write', 'PUT', '/api/v1/credentials/7'],
  ['sessions:read', 'GET', '/api/v1/sessions/7/messages'],
  ['chat:write', 'POST', '/api/v1/sessions/7/messages'],
  ['webhook_triggers:read', 'GET', '/api/v1/webhook-triggers'],
  ['webhook_triggers:write', 'POST', '/api/v1/webhook-triggers'],
  ['scores:read', 'GET', '/api/v1/scores'],
  ['scores:write', 'POST', '/api/v1/scores'],
  ['approvals:read', 'GET', '/api/v1/approvals'],
  ['approvals:write', 'POST', '/api/v1/approvals/7'],
  ['assets:read', 'GET', '/api/v1/assets/7'],
  ['assets:write', 'DELETE', '/api/v1/assets/7'],
] as const;

const ROOT_IDENTITY = {
  'x-auth-username': 'root-key',
  'x-auth-subject': '37dGaqQ0ufmvakfULFJjGvs8vSo',
  'x-auth-method': 'api_key',
  'x-auth-key-id': '37dGaqQ0ufmvakfULFJjGvs8vSo',
  'x-auth-workspace': WORKSPACE,
  'x-auth-scopes': '*',
  'x-auth-environment': 'live',
};

let stage: Stage;

describeEnvoy('promptrails', () => {
  beforeAll(async () => {
    stage = await startStage('promptrails', {
      headers: [
        ['vary', 'accept'],
        ['access-control-allow-origin', '*'],
        ['access-control-allow-credentials', 'true'],
      ],
    });
  });
  beforeEach(() => stage.upstream.clear());
  afterAll(() => stage?.stop());

  test('the catalogue has 23 scopes, and each is demanded somewhere', () => {
    const { scopes } = parse(readFileSync(POLICY, 'utf8')) as { readonly scopes: object };
    expect(Object.keys(scopes)).toHaveLength(23);
    expect(DEMANDS.map(([scope]) => scope).sort()).toEqual(Object.keys(scopes).sort());
  });

  describe.each(DEMANDS)('%s (%s %s)', (scope, method, target) => {
    test('is part of everything', async () => {
      expect((await stage.call(target, { method, headers: [key(root)] })).status).toBe(200);
      expect(stage.upstream.last()).toMatchObject({ method, target });
      expect(stage.upstream.last().header('x-api-key')).toBeUndefined();
    });

    test.each([
      ['agent runner', runner, ['agents:read', 'agents:execute', 'chat:write']],
      ['browser demo', browser, ['prompts:execute']],
    ] as const)('is held by the %s only where it is granted', async (_name, raw, granted) => {
      const response = await stage.call(target, {
        method,
        headers: [key(raw)],
        from: '10.0.0.5',
      });
      const isGranted = (granted as readonly string[]).includes(scope);
      expect(response.status).toBe(isGranted ? 200 : 403);
      expect(stage.upstream.requests).toHaveLength(isGranted ? 1 : 0);
      expect(response.header('www-authenticate')).toBe(
        isGranted
          ? undefined
          : `ApiKey realm="promptrails", error="insufficient_scope", scope="${scope}"`,
      );
      if (!isGranted && method !== 'HEAD') expectRefusal(response, 403, 'insufficient_scope');
    });
  });

  describe('the key', () => {
    test('goes no further, and its record does', async () => {
      const response = await stage.call('/api/v1/agents?b=2&x=%2f&a', {
        headers: [['X-API-KEY', runner]],
        from: '2001:db8:1::5',
      });
      expect(outcomeOf(response)).toBe('allow');
      expect(stage.upstream.last().target).toBe('/api/v1/agents?b=2&x=%2f&a');
      expect(stage.upstream.last().header('x-api-key')).toBeUndefined();
      expect(identityOf(stage.upstream)).toEqual({
        'x-auth-username': 'agent-runner',
        'x-auth-subject': '37dGasI3PMyLzk54Ld76FRt5sj2',
        'x-auth-method': 'api_key',
        'x-auth-key-id': '37dGasI3PMyLzk54Ld76FRt5sj2',
        'x-auth-workspace': WORKSPACE,
        'x-auth-scopes': 'agents:read agents:execute chat:write',
        'x-auth-environment': 'live',
      });
      expect(response.header('x-ratelimit-limit')).toBeUndefined();
      expect(await stage.auditOf(response)).toMatchObject({
        decision: 'allow',
        route: 'agents',
        method: 'api_key',
        username: 'agent-runner',
        workspace: WORKSPACE,
        key_id: '37dGasI3PMyLzk54Ld76FRt5sj2',
        environment: 'live',
        address: '2001:db8:1::5',
        path: '/api/v1/agents',
      });
    });

    test.each([
      ['that nobody holds', mintKey('pr_live_', randomBytes(64))],
      ['that was mistyped', root.replace('HB', 'BH')],
      ['of the other environment', root.replace('pr_live_', 'pr_test_')],
      ['of another product', KEYS.neureus.tenant],
      ['that is a token', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln'],
    ])('%s is unknown', async (_name, raw) => {
      const response = await stage.call('/api/v1/agents', { headers: [key(raw)] });
      expectRefusal(response, 401, 'unknown_key');
      expect(response.header('www-authenticate')).toBe('ApiKey realm="promptrails"');
    });

    test.each<readonly [string, string, Call]>([
      ['Authorization', '/api/v1/agents', { bearer: root }],
      ['the query', `/api/v1/agents?x-api-key=${root}&api_key=${root}`, {}],
      ['a cookie', '/api/v1/agents', { headers: [['Cookie', `x-api-key=${root}`]] }],
    ])('in %s is not seen', async (_name, target, call) => {
      expectRefusal(await stage.call(target, call), 401, 'missing_credential');
    });

    test.each<readonly [string, readonly HeaderLine[]]>([
      ['on two lines', [key(root), key(runner)]],
      ['on two lines, the same', [key(root), key(root)]],
      ['on one line', [key(`${root},${runner}`)]],
    ])('sent twice is refused %s', async (_name, headers) => {
      const response = await stage.call('/api/v1/agents', { headers });
      expectRefusal(response, 400, 'duplicate_credential');
    });

    test.each<readonly [string, string]>([
      ['empty', ''],
      ['with a scheme', `Bearer ${root}`],
      ['longer than 8 KiB', `pr_live_${'a'.repeat(8200)}`],
      ['with a byte outside ASCII', `${root}é`],
    ])('is malformed: %s', async (_name, raw) => {
      const response = await stage.call('/api/v1/agents', { headers: [key(raw)] });
      expectRefusal(response, 400, 'malformed_credential');
    });
  });

  describe("the key's own addresses", () => {
    const from = (address: string | undefined) =>
      stage.call('/api/v1/agents', {
        headers: [key(runner)],
        ...(address === undefined ? {} : { from: address }),
      });

    test.each([
      '10.0.0.5',
      '::ffff:10.0.0.5',
      '192.0.2.0',
      '192.0.2.255',
      '::ffff:c000:0201',
      '2001:db8:1::',
      '2001:0DB8:0001:FFFF:ffff:ffff:ffff:ffff',
      '2001:db8:2:0:0:0:0:7',
      '198.51.100.1, 10.0.0.5',
    ])('hold %s', async (address) => {
      expect(outcomeOf(await from(address))).toBe('allow');
    });

    test.each([
      undefined,
      '10.0.0.6',
      '192.0.3.0',
      '2001:db8:2::8',
      '2001:db8:0:ffff::1',
      '::10.0.0.5',
      '64:ff9b::10.0.0.5',
      '2001:db8:2::7%eth0',
      '010.0.0.5',
      '10.5',
      '10.0.0.5:443',
      '[2001:db8:2::7]',
      'unknown',
      '10.0.0.5, 198.51.100.1',
      '10.0.0.5,',
    ])('do not hold %s', async (address) => {
      expectRefusal(await from(address), 403, 'ip_not_allowed');
    });
  });

  describe("the key's own origins", () => {
    const run = (headers: readonly HeaderLine[]) =>
      stage.call(RUN, { method: 'POST', headers: [key(browser), ...headers] });

    test.each([DEMO, 'https://a.apps.example.com', 'https://a.b.apps.example.com:443'])(
      'hold %s, whose browser may read the answer',
      async (origin) => {
        const response = await run([['Origin', origin]]);
        expect(outcomeOf(response)).toBe('allow');
        expect(identityOf(stage.upstream)).toMatchObject({
          'x-auth-username': 'browser-demo',
          'x-auth-scopes': 'prompts:execute',
          'x-auth-environment': 'test',
        });
        expect(corsOf(response)).toEqual({
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'false',
          'access-control-expose-headers': 'x-ratelimit-remaining',
          vary: 'accept,origin',
        });
      },
    );

    test('say nothing of a call without one', async () => {
      const response = await run([]);
      expect(outcomeOf(response)).toBe('allow');
      expect(response.header('vary')).toBe('accept,origin');
    });

    test.each([
      'https://evil.example',
      'http://demo.example.com',
      'https://demo.example.com:8443',
      'https://apps.example.com',
      'https://evilapps.example.com',
      'https://a.apps.example.com.evil.example',
      'https://demo.example.com/',
      'https://demo.example.com@evil.example',
      'null',
    ])('do not hold %s, whose browser is told nothing', async (origin) => {
      const refused = await run([['Origin', origin]]);
      expectRefusal(refused, 403, 'origin_not_allowed');
      expect(corsOf(refused)).toEqual({ vary: 'origin' });
      const headers = [key(browser), ['Origin', origin]] as const;
      const elsewhere = await stage.call('/api/v1/prompts/7', { headers });
      expectRefusal(elsewhere, 403, 'origin_not_allowed');
      expect(corsOf(elsewhere)).toEqual({});
    });

    test('are not chosen from two', async () => {
      const response = await run([
        ['Origin', DEMO],
        ['Origin', 'https://evil.example'],
      ]);
      expectRefusal(response, 400, 'malformed_request');
    });
  });

  describe('a browser', () => {
    const ask = (origin: string, target = RUN, lines = PREFLIGHT) =>
      stage.call(target, { method: 'OPTIONS', headers: [['Origin', origin], ...lines] });

    test.each([DEMO, 'https://x.apps.example.com'])('at %s may ask first', async (origin) => {
      const response = await ask(origin);
      expect(response).toMatchObject({ status: 204, body: '' });
      expect(corsOf(response)).toEqual({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'content-type, x-api-key',
        'access-control-max-age': '600',
        vary: 'origin, access-control-request-method, access-control-request-headers',
      });
      expect(stage.upstream.requests).toEqual([]);
      const line = await stage.postern.waitForAudit(({ decision }) => decision === 'reply');
      expect(line).toMatchObject({ route: 'run-prompt', http_method: 'OPTIONS', path: RUN });
      expect(line).not.toHaveProperty('username');
    });

    test('elsewhere may not', async () => {
      const response = await ask('https://evil.example');
      expectRefusal(response, 403, 'origin_not_allowed');
      expect(corsOf(response)).toEqual({ vary: 'origin' });
    });

    test.each<readonly [string, string, readonly HeaderLine[]]>([
      ['of a route without cors', '/api/v1/agents', PREFLIGHT],
      ['of a method that the route lacks', RUN, [['Access-Control-Request-Method', 'DELETE']]],
    ])('asking %s gets an ordinary refusal', async (_name, target, lines) => {
      const response = await ask(DEMO, target, lines);
      expectRefusal(response, 401, 'missing_credential');
      expect(corsOf(response)).toEqual({});
    });

    test.each<readonly [number, string, readonly HeaderLine[]]>([
      [401, 'missing_credential', []],
      [401, 'unknown_key', [key('pr_test_x')]],
      [403, 'insufficient_scope', [key(runner)]],
    ])('reads why it was refused: %i %s', async (status, reason, headers) => {
      const from = '10.0.0.5';
      const call = { method: 'POST', headers: [['Origin', DEMO], ...headers] as const, from };
      const response = await stage.call(RUN, call);
      expect(response.status).toBe(status);
      expect(outcomeOf(response)).toBe(reason);
      expect(corsOf(response)).toEqual({
        'access-control-allow-origin': DEMO,
        'access-control-expose-headers': 'x-ratelimit-remaining',
        vary: 'origin',
      });
    });
  });

  test.each([
    ['POST', '/api/v1/traces'],
    ['GET', '/api/v1'],
    ['GET', '/api/v2/agents'],
    ['POST', '/api/v1/sessions/7'],
    ['GET', '/api/v1/agentsx'],
  ])('%s %s has no route', async (method, target) => {
    expectRefusal(await stage.call(target, { method, headers: [key(root)] }), 403, 'no_route');
  });

  testMadeUpIdentity(() => stage, {
    target: '/api/v1/assets',
    call: { headers: [key(root)] },
    identity: ROOT_IDENTITY,
  });
  testAmbiguousPaths(() => stage, { below: '/api/v1/agents', call: { headers: [key(root)] } });
  testForms(() => stage, { target: '/api/v1/agents', challenge: 'ApiKey realm="promptrails"' });

  test('every decision is in the audit, and no key was told to anybody', async () => {
    await expectSoundAudit([stage], 'promptrails');
  });
});

function key(raw: string): HeaderLine {
  return ['X-API-Key', raw];
}

function corsOf(response: Parameters<typeof outcomeOf>[0]) {
  const names = response.lines.map(([name]) => name.toLowerCase());
  const cors = names.filter((name) => name.startsWith('access-control-') || name === 'vary');
  return headersOf(response, cors);
}
