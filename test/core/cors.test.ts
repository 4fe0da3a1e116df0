import { describe, expect, test } from 'vitest';
import { corsHeaders, preflightHeaders } from '../../src/core/cors.ts';
import { decide, NOW, outcomeOf, policy, type RequestSpec, rawKey, token } from './build.ts';
import { cors } from './build-route.ts';

const APP = 'https://app.example.com';
const RAW = rawKey();
const judged = policy({
  keys: [{ raw: RAW }],
  blocks: [{ ip: '198.51.100.1' }],
  routes: [
    {
      name: 'post',
      path: '/chat',
      methods: ['POST'],
      cors: { origins: ['app.example.com'], methods: 'POST' },
      ips: ['192.0.2.1'],
      referers: { allow: ['other.example.com'], missing: 'deny' },
      limits: [{ name: 'l', by: 'ip', per_minute: 1 }],
    },
    { name: 'get', path: '/chat', methods: ['GET'] },
    { name: 'options', path: '/chat', methods: ['OPTIONS'], access: 'public' },
    { name: 'plain', path: '/plain' },
    { name: 'open', path: '/open', access: 'public', cors: { origins: ['app.example.com'] } },
    { name: 'secure', path: '/secure', httpsOnly: true, cors: { origins: ['app.example.com'] } },
  ],
});
const preflight = (path: string, method = 'POST', origin = APP): RequestSpec => ({
  method: 'OPTIONS',
  path,
  headers: { origin, 'access-control-request-method': method },
});

describe('a preflight', () => {
  test.each<[string, RequestSpec, string, string | undefined]>([
    ['is matched as the method it asks for', preflight('/chat'), 'reply', 'post'],
    [
      'is not answered for another Origin',
      preflight('/chat', 'POST', 'https://evil.com'),
      'origin_not_allowed',
      'post',
    ],
    ['is not answered for null', preflight('/chat', 'POST', 'null'), 'origin_not_allowed', 'post'],
    [
      'is an ordinary OPTIONS where that route has no cors',
      preflight('/chat', 'GET'),
      'allow',
      'options',
    ],
    [
      'is an ordinary OPTIONS where no route takes the method',
      preflight('/chat', 'PUT'),
      'allow',
      'options',
    ],
    [
      'is an ordinary OPTIONS where there is no cors at all',
      preflight('/plain'),
      'missing_credential',
      'plain',
    ],
    ['is answered on a public route', preflight('/open', 'DELETE'), 'reply', 'open'],
    [
      'needs https where the route does',
      { ...preflight('/secure'), scheme: 'http' },
      'https_required',
      'secure',
    ],
    [
      'is blocked like anything else',
      { ...preflight('/chat'), address: '198.51.100.1' },
      'blocked',
      'post',
    ],
    [
      'is none without an Origin',
      { method: 'OPTIONS', path: '/chat', headers: { 'access-control-request-method': 'POST' } },
      'allow',
      'options',
    ],
    [
      'is none without the method it asks for',
      { method: 'OPTIONS', path: '/chat', headers: { origin: APP } },
      'allow',
      'options',
    ],
    [
      'is none with another method',
      { ...preflight('/chat'), method: 'GET' },
      'missing_credential',
      'get',
    ],
    ['is refused on an ambiguous path', preflight('/open/../chat'), 'ambiguous_path', undefined],
  ])('%s', async (_, asked, expected, name) => {
    const decision = await decide(judged, asked);
    expect(decision.kind === 'deny' ? decision.reason : decision.kind).toBe(expected);
    expect(decision.route?.name).toBe(name);
  });

  test('asks no port and takes no limit', async () => {
    const fail = () => expect.unreachable('no port is asked');
    const ports = { findKey: fail, verifyToken: fail, findWorkspace: fail, takeLimits: fail };
    const asked = { ...preflight('/chat'), bearer: RAW };
    expect(await outcomeOf(judged, asked, ports)).toBe('reply');
  });
});

describe('the Origin of a request', () => {
  test.each<[string | undefined, string]>([
    [undefined, 'missing_credential'],
    [APP, 'missing_credential'],
    ['http://app.example.com', 'missing_credential'],
    ['https://app.example.com:443', 'missing_credential'],
    ['https://app.example.com:8443', 'origin_not_allowed'],
    ['https://sub.app.example.com', 'origin_not_allowed'],
    ['https://evil.com', 'origin_not_allowed'],
    ['null', 'origin_not_allowed'],
    ['', 'origin_not_allowed'],
    [`${APP}/`, 'origin_not_allowed'],
    ['https://user@app.example.com', 'origin_not_allowed'],
    ['https:app.example.com', 'origin_not_allowed'],
  ])('%j: %s', async (origin, expected) => {
    const one = policy({ routes: [{ cors: { origins: ['app.example.com'] } }] });
    const headers: Record<string, string> = origin === undefined ? {} : { origin };
    const decision = await decide(one, { headers });
    expect(decision).toMatchObject({ kind: 'deny', reason: expected });
    expect(decision.corsOrigin).toBe(expected === 'missing_credential' ? origin : undefined);
  });

  test('without cors an Origin decides nothing', async () => {
    const headers = { origin: 'https://evil.com' };
    const decision = await decide(judged, { path: '/plain', headers, bearer: RAW });
    expect(decision.kind).toBe('allow');
    expect(decision.corsOrigin).toBeUndefined();
  });
});

describe('origins: keys', () => {
  const open = rawKey('pst_', 2);
  const browser = rawKey('pst_', 3);
  const one = policy({
    keys: [{ raw: open }, { raw: browser, allowed_origins: ['app.example.com'] }],
    issuers: [{ name: 'id' }],
    routes: [{ cors: { origins: 'keys' }, access: ['api_key', 'jwt', 'anonymous'] }],
  });
  test.each<[string, RequestSpec, string]>([
    ['a preflight of any Origin', preflight('/', 'GET', 'https://anything.example'), 'reply'],
    ['a preflight of garbage', preflight('/', 'GET', 'https:evil'), 'origin_not_allowed'],
    ['a preflight of null', preflight('/', 'GET', 'null'), 'origin_not_allowed'],
    ['a key with this Origin', { bearer: browser, headers: { origin: APP } }, 'allow'],
    [
      'a key with other origins',
      { bearer: browser, headers: { origin: 'https://evil.com' } },
      'origin_not_allowed',
    ],
    ['a key with garbage', { bearer: browser, headers: { origin: 'null' } }, 'origin_not_allowed'],
    ['a key without origins', { bearer: open, headers: { origin: APP } }, 'origin_not_allowed'],
    ['a token', { bearer: token('id'), headers: { origin: APP } }, 'origin_not_allowed'],
    ['nobody', { headers: { origin: APP } }, 'origin_not_allowed'],
    ['a key without origins, no Origin', { bearer: open }, 'allow'],
    ['a key with origins, no Origin', { bearer: browser }, 'allow'],
  ])('%s', async (_, asked, expected) => {
    const decision = await decide(one, asked, {}, NOW);
    expect(decision.kind === 'deny' ? decision.reason : decision.kind).toBe(expected);
    if (expected === 'origin_not_allowed') expect(decision.corsOrigin).toBeUndefined();
  });

  test('answers are never with credentials', () => {
    const headers = corsHeaders(cors({ origins: 'keys' }), APP);
    expect(headers).not.toContainEqual(
      expect.objectContaining({ name: 'access-control-allow-credentials', value: 'true' }),
    );
  });
});

describe('the headers of answers', () => {
  const full = cors({
    origins: ['app.example.com'],
    methods: 'GET, POST',
    headers: 'authorization',
    expose: 'x-ratelimit-limit',
    credentials: true,
    maxAgeSeconds: 600,
  });

  test('an allowed Origin is named, never a star, and vary is appended', () => {
    const named = corsHeaders(full, APP).map(({ name, value, mode }) => [name, value, mode]);
    expect(named).toEqual([
      ['access-control-allow-origin', APP, 'set'],
      ['vary', 'origin', 'append'],
      ['access-control-allow-credentials', 'true', 'set'],
      ['access-control-expose-headers', 'x-ratelimit-limit', 'set'],
    ]);
  });

  test('without an Origin only vary says that it matters', () => {
    expect(corsHeaders(full, undefined)).toEqual([
      { name: 'vary', value: 'origin', mode: 'append' },
    ]);
  });

  test('a preflight is answered with what the route says', () => {
    const headers = new Map(preflightHeaders(full, APP, { method: 'POST', headers: 'x-a' }));
    expect(Object.fromEntries(headers)).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '600',
    });
    expect(headers.get('vary')?.toLowerCase()).toContain('origin');
  });

  test('a preflight without configured methods is answered with the one it asks for', () => {
    const headers = new Map(
      preflightHeaders(cors({ origins: 'keys' }), APP, { method: 'PUT', headers: undefined }),
    );
    expect(headers.get('access-control-allow-methods')).toBe('PUT');
    expect(headers.has('access-control-allow-credentials')).toBe(false);
    expect(headers.has('access-control-max-age')).toBe(false);
  });
});
