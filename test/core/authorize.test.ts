import { describe, expect, test } from 'vitest';
import {
  decide,
  NOW,
  outcomeOf,
  type PolicySpec,
  policy,
  type RequestSpec,
  rawKey,
  token,
} from './build.ts';
import type { RouteSpec } from './build-route.ts';

const RAW = rawKey();
type KeySpec = Omit<NonNullable<PolicySpec['keys']>[number], 'raw'>;

const withKey = (key: KeySpec, route: RouteSpec = {}, more: Partial<PolicySpec> = {}) =>
  policy({ keys: [{ raw: RAW, ...key }], routes: [route], ...more });
const ask = (judged: ReturnType<typeof policy>, asked: RequestSpec = {}) =>
  outcomeOf(judged, { bearer: RAW, ...asked });

describe("a key's own restrictions", () => {
  const APP = 'https://app.example.com';
  test.each<[string, KeySpec, RequestSpec, string]>([
    ['its address', { allowed_ips: ['192.0.2.0/24'] }, { address: '192.0.2.1' }, 'allow'],
    ['another address', { allowed_ips: ['192.0.2.0/24'] }, {}, 'ip_not_allowed'],
    [
      'an unknown address',
      { allowed_ips: ['192.0.2.0/24'] },
      { address: undefined },
      'ip_not_allowed',
    ],
    ['its IPv6 block', { allowed_ips: ['2001:db8::/48'] }, { address: '2001:db8::9' }, 'allow'],
    ['no address at all', { allowed_ips: [] }, {}, 'ip_not_allowed'],
    [
      'its referer',
      { allowed_referers: ['app.example.com'] },
      { headers: { referer: `${APP}/x` } },
      'allow',
    ],
    [
      'another referer',
      { allowed_referers: ['app.example.com'] },
      { headers: { referer: 'https://evil.com/' } },
      'referer_not_allowed',
    ],
    [
      'a referer that is garbage',
      { allowed_referers: ['app.example.com'] },
      { headers: { referer: 'null' } },
      'referer_not_allowed',
    ],
    ['no referer', { allowed_referers: ['app.example.com'] }, {}, 'allow'],
    [
      'no referer, which is denied',
      { allowed_referers: { allow: ['app.example.com'], missing: 'deny' } },
      {},
      'referer_not_allowed',
    ],
    ['its origin', { allowed_origins: ['app.example.com'] }, { headers: { origin: APP } }, 'allow'],
    [
      'another origin',
      { allowed_origins: ['app.example.com'] },
      { headers: { origin: 'https://evil.com' } },
      'origin_not_allowed',
    ],
    [
      'the origin null',
      { allowed_origins: ['app.example.com'] },
      { headers: { origin: 'null' } },
      'origin_not_allowed',
    ],
    ['no origin', { allowed_origins: ['app.example.com'] }, {}, 'allow'],
    [
      'no origin, which is denied',
      { allowed_origins: { allow: ['app.example.com'], missing: 'deny' } },
      {},
      'origin_not_allowed',
    ],
    ['its route', { allowed_routes: ['here', 'there'] }, {}, 'allow'],
    ['another route', { allowed_routes: ['there'] }, {}, 'route_not_allowed'],
    ['no route at all', { allowed_routes: [] }, {}, 'route_not_allowed'],
  ])('%s', async (_, key, asked, expected) => {
    expect(await ask(withKey(key, { name: 'here' }), asked)).toBe(expected);
  });

  test('its lists narrow those of the route, never widen them', async () => {
    const judged = withKey(
      { allowed_ips: ['192.0.2.0/24'], allowed_referers: ['*.example.com'] },
      { ips: ['192.0.2.128/25', '198.51.100.0/24'], referers: ['app.example.com', 'other.org'] },
    );
    const from = (address: string, referer: string) =>
      ask(judged, { address, headers: { referer } });
    expect(await from('192.0.2.200', 'https://app.example.com/')).toBe('allow');
    expect(await from('192.0.2.1', 'https://app.example.com/')).toBe('ip_not_allowed');
    expect(await from('198.51.100.1', 'https://app.example.com/')).toBe('ip_not_allowed');
    expect(await from('192.0.2.200', 'https://x.example.com/')).toBe('referer_not_allowed');
    expect(await from('192.0.2.200', 'https://other.org/')).toBe('referer_not_allowed');
  });
});

describe('a secret key in a browser', () => {
  const publishable = rawKey('pk_');
  const judged = (browser: 'allow' | 'flag' | 'deny', key: KeySpec = {}) =>
    policy({
      browser,
      prefixes: { pst_: {}, pk_: { publishable: true } },
      keys: [{ raw: RAW, ...key }, { raw: publishable }],
      routes: [{}],
    });
  const ORIGIN = { headers: { origin: 'https://app.example.com' } };
  const FETCH = { headers: { 'sec-fetch-site': 'cross-site' } };
  test.each<['allow' | 'flag' | 'deny', RequestSpec, string, readonly string[]]>([
    ['allow', ORIGIN, 'allow', []],
    ['flag', ORIGIN, 'allow', ['key.in_browser']],
    ['flag', FETCH, 'allow', ['key.in_browser']],
    ['flag', {}, 'allow', []],
    ['deny', ORIGIN, 'origin_not_allowed', []],
    ['deny', FETCH, 'origin_not_allowed', []],
    ['deny', {}, 'allow', []],
  ])('%s', async (browser, asked, expected, notices) => {
    const decision = await decide(judged(browser), { bearer: RAW, ...asked });
    expect(decision.kind === 'deny' ? decision.reason : decision.kind).toBe(expected);
    expect(decision.notices).toEqual(notices);
  });

  test('is none that is publishable or has its origins', async () => {
    expect(await outcomeOf(judged('deny'), { bearer: publishable, ...ORIGIN })).toBe('allow');
    expect(await ask(judged('deny', { allowed_origins: ['app.example.com'] }), ORIGIN)).toBe(
      'allow',
    );
    const flagged = await decide(judged('flag'), { bearer: publishable, ...ORIGIN });
    expect(flagged.notices).toEqual([]);
  });
});

describe('workspaces', () => {
  test.each([
    ['active', 'allow'],
    ['suspended', 'workspace_suspended'],
    ['past_due', 'workspace_past_due'],
  ] as const)('one that is %s', async (status, expected) => {
    const judged = withKey({ workspace: 'w' }, {}, { workspaces: { w: { status } } });
    expect(await ask(judged)).toBe(expected);
  });

  test('its addresses', async () => {
    const judged = withKey(
      { workspace: 'w' },
      {},
      { workspaces: { w: { allowed_ips: ['192.0.2.0/24'] } } },
    );
    expect(await ask(judged, { address: '192.0.2.1' })).toBe('allow');
    expect(await ask(judged)).toBe('ip_not_allowed');
    expect(await ask(judged, { address: undefined })).toBe('ip_not_allowed');
  });

  test.each([
    [['w'], 'allow'],
    [['x', 'w'], 'allow'],
    [['x'], 'wrong_workspace'],
  ])('a route that takes %j', async (workspaces, expected) => {
    expect(await ask(withKey({ workspace: 'w' }, { workspaces }))).toBe(expected);
  });

  test('a caller without a workspace is in none', async () => {
    expect(await ask(withKey({}, { workspaces: ['w'] }))).toBe('wrong_workspace');
    expect(await ask(withKey({}, { workspaces: ['undefined'] }))).toBe('wrong_workspace');
  });
});

describe('environments', () => {
  const spec = (environment: string | undefined): PolicySpec => ({
    prefixes: { pst_: environment === undefined ? {} : { environment } },
    keys: [{ raw: RAW }],
    issuers: [{ name: 'maps', claims: { environment: { path: ['env'] } } }, { name: 'none' }],
    routes: [{ access: ['api_key', 'jwt'], environments: ['live'] }],
  });
  test.each([
    ['live', 'allow'],
    ['test', 'wrong_environment'],
    [undefined, 'wrong_environment'],
  ])('a key of %s', async (environment, expected) => {
    expect(await ask(policy(spec(environment)))).toBe(expected);
  });

  test.each([
    ['maps', { env: 'live' }, 'allow'],
    ['maps', { env: 'test' }, 'wrong_environment'],
    ['maps', {}, 'wrong_environment'],
    ['maps', { env: ['live'] }, 'wrong_environment'],
    ['none', {}, 'allow'],
    ['none', { env: 'test' }, 'allow'],
  ])('a token of %s with %j', async (name, claims, expected) => {
    expect(await outcomeOf(policy(spec('live')), { bearer: token(name, claims) })).toBe(expected);
  });
});

describe('scopes', () => {
  const byMethod = { GET: ['a:read'], POST: ['a:write', 'a:read'], '*': ['a:admin'] };
  test.each<[RouteSpec, string[], string, string]>([
    [{ scopes: ['a:read'] }, ['a:read'], 'GET', 'allow'],
    [{ scopes: ['a:read'] }, ['a:*'], 'GET', 'allow'],
    [{ scopes: ['a:read'] }, ['*'], 'GET', 'allow'],
    [{ scopes: ['a:read'] }, ['*:read'], 'GET', 'allow'],
    [{ scopes: ['a:read'] }, ['a:write'], 'GET', 'insufficient_scope'],
    [{ scopes: ['a:read'] }, [], 'GET', 'insufficient_scope'],
    [{ scopes: ['a:read', 'a:write'] }, ['a:read'], 'GET', 'insufficient_scope'],
    [{ scopes: ['a:read', 'a:write'] }, ['a:read', 'a:write'], 'GET', 'allow'],
    [{ scopes: ['api_keys:read'] }, ['*'], 'GET', 'insufficient_scope'],
    [{ scopes: ['api_keys:read'] }, ['api_keys:read'], 'GET', 'allow'],
    [{ scopes: byMethod }, ['a:read'], 'GET', 'allow'],
    [{ scopes: byMethod }, ['a:read'], 'HEAD', 'allow'],
    [{ scopes: byMethod }, ['a:admin'], 'HEAD', 'insufficient_scope'],
    [{ scopes: byMethod }, ['a:read'], 'POST', 'insufficient_scope'],
    [{ scopes: byMethod }, ['a:read', 'a:write'], 'POST', 'allow'],
    [{ scopes: byMethod }, ['a:read', 'a:write'], 'DELETE', 'insufficient_scope'],
    [{ scopes: byMethod }, ['a:admin'], 'DELETE', 'allow'],
    [{ scopes: byMethod }, ['a:read'], 'get', 'insufficient_scope'],
    [{ scopes: { HEAD: ['a:head'], GET: ['a:read'] } }, ['a:read'], 'HEAD', 'insufficient_scope'],
    [{ anyScope: ['a:read', 'b:read'] }, ['b:read'], 'GET', 'allow'],
    [{ anyScope: ['a:read', 'b:read'] }, ['c:read'], 'GET', 'insufficient_scope'],
    [{ anyScope: ['a:read', 'b:read'] }, ['b:*'], 'GET', 'allow'],
    [{ scopes: ['c:x'], anyScope: ['a:read'] }, ['a:read'], 'GET', 'insufficient_scope'],
    [{ scopes: ['c:x'], anyScope: ['a:read'] }, ['c:x'], 'GET', 'insufficient_scope'],
    [{ scopes: ['c:x'], anyScope: ['a:read'] }, ['c:x', 'a:read'], 'GET', 'allow'],
  ])('%j with %j by %s: %s', async (route, scopes, method, expected) => {
    expect(await ask(withKey({ scopes }, route), { method })).toBe(expected);
  });

  test('the refusal names the scopes that are demanded', async () => {
    const judged = withKey({ scopes: ['a:read'] }, { scopes: byMethod });
    const decision = await decide(judged, { bearer: RAW, method: 'POST' });
    expect(decision).toMatchObject({ reason: 'insufficient_scope', scopes: ['a:write', 'a:read'] });
    const any = await decide(withKey({}, { anyScope: ['x:y'] }), { bearer: RAW });
    expect(any).toMatchObject({ reason: 'insufficient_scope', scopes: ['x:y'] });
  });
});

describe('roles', () => {
  const roles = { viewer: {}, editor: { inherits: ['viewer'] }, chief: { inherits: ['editor'] } };
  test.each([
    [['editor'], 'allow'],
    [['chief'], 'allow'],
    [['viewer'], 'insufficient_role'],
    [['viewer', 'chief'], 'allow'],
    [['ghost'], 'insufficient_role'],
    [[], 'insufficient_role'],
  ])('a route for editors and %j', async (own, expected) => {
    expect(await ask(withKey({ roles: own }, { role: 'editor' }, { roles }))).toBe(expected);
  });
});

describe('claims', () => {
  const plain = policy({
    keys: [{ raw: RAW }],
    issuers: [{ name: 'id' }],
    routes: [
      {
        access: ['api_key', 'jwt'],
        claims: { email_verified: true, 'org.department': ['a', 'b'] },
      },
    ],
  });
  test.each([
    [{ email_verified: true, org: { department: 'a' } }, 'allow'],
    [{ email_verified: true, org: { department: 'b' } }, 'allow'],
    [{ email_verified: true, org: { department: ['x', 'b'] } }, 'allow'],
    [{ email_verified: true, org: { department: 'c' } }, 'claim_not_allowed'],
    [{ email_verified: true, org: { department: 'ab' } }, 'claim_not_allowed'],
    [{ email_verified: 'true', org: { department: 'a' } }, 'claim_not_allowed'],
    [{ email_verified: 1, org: { department: 'a' } }, 'claim_not_allowed'],
    [{ email_verified: false, org: { department: 'a' } }, 'claim_not_allowed'],
    [{ email_verified: true }, 'claim_not_allowed'],
    [{ email_verified: true, org: { department: [] } }, 'claim_not_allowed'],
    [{ email_verified: true, org: 'a' }, 'claim_not_allowed'],
    [{ email_verified: true, 'org.department': 'a' }, 'claim_not_allowed'],
    [{}, 'claim_not_allowed'],
  ])('%j: %s', async (claims, expected) => {
    expect(await outcomeOf(plain, { bearer: token('id', claims) })).toBe(expected);
  });

  test('a key has no claims', async () => {
    expect(await ask(plain)).toBe('claim_not_allowed');
  });
});

test('the steps refuse in their order, the first refusal being the answer', async () => {
  const roles = { chief: {} };
  const past = new Date(NOW - 1).toISOString();
  const route: RouteSpec = {
    name: 'r',
    environments: ['live'],
    workspaces: ['w2'],
    scopes: ['a:b'],
    role: 'chief',
  };
  const worst: KeySpec = {
    workspace: 'w',
    expires_at: past,
    disabled: true,
    allowed_ips: ['192.0.2.1'],
    allowed_routes: [],
  };
  const healed: readonly (readonly [KeySpec, Partial<PolicySpec>, RouteSpec, string])[] = [
    [{}, {}, {}, 'key_disabled'],
    [{ disabled: false }, {}, {}, 'key_expired'],
    [{ expires_at: new Date(NOW + 1).toISOString() }, {}, {}, 'blocked'],
    [{}, { blocks: [] }, {}, 'ip_not_allowed'],
    [{ allowed_ips: ['0.0.0.0/0'] }, {}, {}, 'route_not_allowed'],
    [{ allowed_routes: ['r'] }, {}, {}, 'workspace_suspended'],
    [{}, { workspaces: {} }, {}, 'wrong_workspace'],
    [{}, {}, { workspaces: ['w'] }, 'wrong_environment'],
    [{ environment: 'live' }, {}, {}, 'insufficient_scope'],
    [{ scopes: ['a:b'] }, {}, {}, 'insufficient_role'],
    [{ roles: ['chief'] }, {}, { claims: { x: true } }, 'claim_not_allowed'],
    [{}, {}, { claims: {} }, 'rate_limited'],
    [{ rate_limit: { per_minute: 1 } }, {}, {}, 'allow'],
  ];
  let key: KeySpec = { ...worst, rate_limit: { per_minute: 0 } };
  let more: Partial<PolicySpec> = {
    roles,
    blocks: [{ key: 'key-1' }],
    workspaces: { w: { status: 'suspended' } },
  };
  let where = route;
  const seen: string[] = [];
  for (const [keyFix, policyFix, routeFix] of healed) {
    key = { ...key, ...keyFix };
    more = { ...more, ...policyFix };
    where = { ...where, ...routeFix };
    seen.push(await ask(withKey(key, where, more)));
  }
  expect(seen).toEqual(healed.map(([, , , expected]) => expected));
});
