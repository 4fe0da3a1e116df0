import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../../src/config/compile.ts';
import { readSettings, restartNeeds } from '../../src/config/settings.ts';
import { compile, load } from './policy-file.ts';

const HASH = `sha256:${'a'.repeat(64)}`;
const OTHER_HASH = `sha256:${'b'.repeat(64)}`;

describe('a policy without a word on it', async () => {
  const policy = await compile('routes: [{ path: /a, access: [api_key] }]\n');

  test('has the defaults of the contract', () => {
    expect(policy).toMatchObject({
      product: 'postern',
      clientIp: { kind: 'peer' },
      caseInsensitivePaths: false,
      prefixes: [{ prefix: 'pst_', publishable: false, checksum: true }],
      browser: 'flag',
      catalogue: undefined,
      defaultPlan: undefined,
      limitBy: 'workspace',
      rateLimitHeaders: { legacy: true, ietf: true },
      mask: { username: false, address: false },
      audit: 'all',
      errors: { unmatched: 403 },
    });
    expect(policy.places).toEqual([
      { kind: 'bearer', keys: true, issuers: [] },
      { kind: 'header', name: 'x-api-key', keys: true, issuers: [] },
    ]);
    expect(policy.upstream.prefix).toBe('x-auth-');
    expect(policy.upstream.names.key_id).toBe('x-auth-key-id');
    expect(policy.upstream.owned.size).toBe(0);
  });

  test('has routes with defaults', () => {
    expect(policy.routes).toMatchObject([
      {
        name: '/a',
        paths: [{ segments: ['a'], below: false }],
        methods: undefined,
        access: { kind: 'credentials', apiKey: true, jwt: false, anonymous: false, both: false },
        cost: 1,
        httpsOnly: false,
        audit: 'all',
        stripCredentials: true,
        limits: [],
        challenge: 'Bearer',
      },
    ]);
  });

  test('is set up with the default listeners', () => {
    const { config } = load('routes: [{ path: /a, access: public }]\n');
    if (!config) throw new Error('no policy');
    expect(readSettings(config)).toEqual({
      product: 'postern',
      listen: {
        check: { address: { kind: 'tcp', host: '127.0.0.1', port: 9191 }, tls: undefined },
        api: { kind: 'tcp', host: '127.0.0.1', port: 9192 },
        ops: { kind: 'tcp', host: '0.0.0.0', port: 9193 },
      },
      store: { kind: 'memory' },
      limits: { maxSubjects: 1_000_000, mode: 'exact' },
      onStoreFailure: { limits: 'local' },
      keyCache: { maxStaleMs: 30_000 },
      audit: {
        mode: 'buffered',
        sinks: [{ kind: 'stdout', format: 'postern' }],
        spoolMaxBytes: 256 * 1024 * 1024,
        chain: false,
      },
    });
  });
});

test('plans are compiled for each kind of credential, and again for workspaces that override them', async () => {
  const policy = await compile(`
plans:
  free: { per_minute: 60, per_day: 1000, burst: 10, by: key, jwt: { per_minute: 30 } }
  sold: { per_month: 5, quota: { requests: 3, per: month } }
workspaces:
  big: { slug: b, plan: free, overrides: { per_minute: 5000 } }
  small: {}
default_plan: free
routes: [{ path: /a, access: [api_key, jwt], plan: sold }]
`);
  const free = policy.plans.get('free');
  expect(free?.by).toBe('key');
  expect(free?.figures.api_key).toEqual({
    windows: [
      { slot: 1, limit: 60, policy: '60/minute', label: 'minute', quota: false },
      { slot: 3, limit: 1000, policy: '1000/day', label: 'day', quota: false },
    ],
    bucket: { size: 10, limit: 60, lengthMs: 60_000, policy: '60/minute', label: 'burst' },
  });
  expect(free?.figures.jwt.windows[0]?.limit).toBe(30);
  expect(free?.figures.jwt.bucket?.limit).toBe(30);
  expect(free?.figures.anonymous).toEqual(free?.figures.api_key);
  expect(policy.plans.get('sold')?.figures.api_key.windows).toEqual([
    { slot: 4, limit: 5, policy: '5/month', label: 'month', quota: false },
    { slot: 6, limit: 3, policy: '3/month', label: 'quota', quota: true },
  ]);
  const overridden = policy.workspaces.get('big')?.overridden;
  expect([...(overridden?.keys() ?? [])]).toEqual(['free', 'sold']);
  expect(overridden?.get('free')?.figures.jwt.windows[0]?.limit).toBe(5000);
  expect(overridden?.get('free')?.by).toBe('key');
  expect(policy.workspaces.get('small')?.overridden?.size).toBe(0);
  expect(policy.defaultPlan).toBe(free);
  expect(policy.routes[0]?.plan).toBe(policy.plans.get('sold'));
});

test('declared keys are found by each of their hashes', async () => {
  const policy = await compile(`
api_keys:
  declared:
    - id: k1
      hash: [{ hash: "${HASH}" }, { hash: "${OTHER_HASH}", until: 2030-01-31T00:00:00Z }]
      owner: ada
      kind: personal
      rate_limit: { per_minute: 30, burst: 10 }
      allowed_ips: [192.0.2.0/24]
      allowed_origins: { allow: [a.example.com], missing: deny }
      allowed_routes: [/a]
      expires_at: 2031-01-31T00:00:00+01:00
      disabled: true
routes: [{ path: /a, access: [api_key] }]
`);
  const [first, second] = [...policy.declaredKeys.values()];
  expect(first?.key).toBe(second?.key);
  expect([first?.until, second?.until]).toEqual([undefined, Date.UTC(2030, 0, 31)]);
  expect(first?.key).toMatchObject({
    id: 'k1',
    name: 'k1',
    kind: 'personal',
    username: 'ada',
    scopes: [],
    roles: [],
    expiresAtMs: Date.UTC(2031, 0, 30, 23),
    status: 'disabled',
    hideCredentials: false,
    allowedOrigins: { missing: 'deny' },
    rateLimit: { windows: [{ label: 'key-minute' }], bucket: { label: 'key-burst' } },
  });
  expect(first?.key.allowedRoutes).toEqual(new Set(['/a']));
});

test('issuers get their defaults, and every place is read once', async () => {
  const policy = await compile(`
api_keys: { read_from: [bearer, { query: Api_Key }] }
issuers:
  - { issuer: "https://id.example.com", audience: a, read_from: [bearer, { header: X-Token }, { cookie: Session }] }
  - { secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=, encoding: base64, claims: { username: user.email, client: [x, y.z], plan: { value: free } }, headers: { X-Department: user.department }, max_age: 1h }
plans: { free: {} }
routes:
  - { path: /a, access: [jwt] }
  - { path: /b, access: [api_key], cors: { origins: [a.example.com], methods: [POST], headers: [x-a, x-b], max_age: 10m } }
`);
  const [discovered, shared] = policy.issuers;
  expect(discovered).toMatchObject({
    name: 'https://id.example.com',
    issuer: 'https://id.example.com',
    audiences: ['a'],
    keys: { kind: 'discovery', issuer: 'https://id.example.com' },
    requireExp: true,
    clockToleranceSeconds: 5,
    claims: {
      username: { path: ['sub'] },
      scopes: { path: ['scope'] },
      client: [{ path: ['client_id'] }, { path: ['azp'] }],
    },
  });
  expect(discovered?.algorithms).toEqual(new Set(['RS256', 'ES256', 'EdDSA']));
  expect(shared).toMatchObject({
    name: 'issuer-2',
    audiences: undefined,
    maxAgeSeconds: 3600,
    claims: {
      username: { path: ['user', 'email'] },
      client: [{ path: ['x', 'y.z'] }],
      plan: { value: 'free' },
    },
    headers: [['x-department', { path: ['user', 'department'] }]],
  });
  expect(shared?.algorithms).toEqual(new Set(['HS256']));
  const secrets = shared?.keys.kind === 'secret' ? shared.keys.secrets : [];
  expect(secrets.map((one) => Buffer.from(one).toString())).toEqual([
    '0123456789abcdef0123456789abcdef',
  ]);
  expect(
    policy.places.map(({ issuers, ...place }) => ({ ...place, issuers: issuers.length })),
  ).toEqual([
    { kind: 'bearer', keys: true, issuers: 2 },
    { kind: 'query', name: 'Api_Key', keys: true, issuers: 0 },
    { kind: 'header', name: 'x-token', keys: false, issuers: 1 },
    { kind: 'cookie', name: 'Session', keys: false, issuers: 1 },
  ]);
  expect(policy.upstream.owned).toEqual(new Set(['x-department']));
  expect(policy.routes[1]?.cors).toMatchObject({
    methods: 'POST',
    headers: 'x-a, x-b',
    expose: '',
    credentials: false,
    maxAgeSeconds: 600,
  });
});

test('GET covers HEAD in a map of scopes', async () => {
  const policy = await compile(
    'routes: [{ path: /a, access: [api_key], scopes: { GET: [a], "*": [b] } }]\n',
  );
  const { scopes } = policy.routes[0] ?? {};
  expect([...(scopes?.byMethod ?? [])]).toEqual([
    ['GET', ['a']],
    ['HEAD', ['a']],
  ]);
  expect(scopes?.other).toEqual(['b']);
});

test('routes are found by their first segment, in the order of the policy', async () => {
  const policy = await compile(`
case_insensitive_paths: true
routes:
  - { name: one, path: /V1/x, access: public }
  - { name: any, path: "/*/y", access: public }
  - { name: two, path: [/v1/**, /v2], access: public }
  - { name: root, path: /, access: public }
  - { name: rest, path: /**, access: public }
`);
  const names = (key: string) => policy.routesBySegment.get(key)?.map((route) => route.name);
  expect([...policy.routesBySegment.keys()].sort()).toEqual(['', 'v1', 'v2']);
  expect(names('')).toEqual(['any', 'root', 'rest']);
  expect(names('v1')).toEqual(['one', 'any', 'two', 'root', 'rest']);
  expect(names('v2')).toEqual(['any', 'two', 'root', 'rest']);
});

test('a route without a name is called by its path, and stays so', async () => {
  const policy = await compile(`
routes:
  - { path: [/a, /b], access: public }
  - { path: /c, methods: [GET], access: public }
  - { path: /c, methods: [POST, PUT], access: public }
  - { path: /c, access: public }
  - { path: /d, access: public }
  - { name: /d, path: /e, access: public }
`);
  expect(policy.routes.map((route) => route.name)).toEqual([
    '/a',
    'GET /c',
    'POST,PUT /c',
    '/c',
    '/d #2',
    '/d',
  ]);
});

test('routes start from the defaults; a public one leaves behind what cannot stand there', async () => {
  const policy = await compile(`
https_only: true
audit: { events: refusals, mask: [address] }
defaults: { access: [jwt], methods: [GET], cost: 2, audit: none, issuers: [main] }
issuers: [{ name: main, issuer: "https://id.example.com", audience: a, read_from: [{ cookie: s }] }]
routes:
  - { path: /a }
  - { path: /b, access: [[api_key, jwt]], cost: 3, https_only: false, audit: all }
  - { path: /c, access: public }
`);
  const [plain, own, open] = policy.routes;
  expect(plain).toMatchObject({ cost: 2, httpsOnly: true, audit: 'none', challenge: 'ApiKey' });
  expect(own).toMatchObject({ cost: 3, httpsOnly: false, audit: 'all', challenge: 'Bearer' });
  expect(own?.access).toEqual({
    kind: 'credentials',
    apiKey: false,
    jwt: false,
    anonymous: false,
    both: true,
  });
  expect(open).toMatchObject({ access: { kind: 'public' }, cost: 1, issuers: undefined });
  expect(open?.methods).toEqual(new Set(['GET']));
  expect([policy.audit, policy.mask]).toEqual(['refusals', { username: false, address: true }]);
});

test('of two blocks for one caller the longer stands', async () => {
  const policy = await compile(`
blocks:
  - { ip: 192.0.2.0/24, until: 2030-01-01T00:00:00Z }
  - { username: eve, until: 2030-01-01T00:00:00Z }
  - { username: eve, until: 2029-01-01T00:00:00Z }
  - { key: k, until: 2030-01-01T00:00:00Z }
  - { key: k }
routes: [{ path: /a, access: public }]
`);
  expect(policy.blocks.addresses).toMatchObject([{ untilMs: Date.UTC(2030, 0, 1) }]);
  expect([...policy.blocks.principals]).toEqual([
    ['username\neve', Date.UTC(2030, 0, 1)],
    ['key\nk', undefined],
  ]);
});

test('a header that one route sets is taken from clients on all routes, unless it is an ordinary one', async () => {
  const policy = await compile(`
upstream: { prefix: X_Id_, headers: { username: X-User } }
routes: [{ path: /a, access: public, headers: { X_Tier: gold, Content-Type: text/plain } }]
`);
  expect(policy.upstream.prefix).toBe('x-id-');
  expect(policy.upstream.names.username).toBe('x-user');
  expect([...policy.upstream.owned].sort()).toEqual(['x-tier', 'x-user']);
  expect(policy.routes[0]?.headers).toContainEqual(['content-type', 'text/plain']);
});

test('compiling lets the event loop turn', async () => {
  const routes = Array.from(
    { length: 3000 },
    (_, at) =>
      `  - { path: /r${at}, access: [api_key], ips: [10.0.0.0/8], referers: [a.example.com] }`,
  );
  const { config, hash } = load(['routes:', ...routes, ''].join('\n'));
  if (!config) throw new Error('no policy');
  let turns = 0;
  const countTurn = async () => {
    turns += 1;
  };
  const policy = await compilePolicy({ config, hash }, countTurn);
  expect(policy.routes).toHaveLength(3000);
  expect(turns).toBeGreaterThan(0);
});

test('keys that come packed are compiled like the others', async () => {
  const { config, hash } = load('routes: [{ path: /a, access: [api_key] }]\n');
  if (!config) throw new Error('no policy');
  const packedKeys = [JSON.stringify([{ id: 'k', hash: HASH, scopes: ['a'], roles: [] }])];
  const policy = await compilePolicy({ config, hash, packedKeys });
  expect([...policy.declaredKeys.values()][0]?.key).toMatchObject({ id: 'k', scopes: ['a'] });
});

test('a change of listeners, store and limits takes a restart', () => {
  const settings = (text: string) => {
    const { config } = load(`${text}\nroutes: [{ path: /a, access: public }]\n`);
    if (!config) throw new Error('no policy');
    return readSettings(config);
  };
  const before = settings('');
  const after = settings(
    'product: other\nlisten: { check: "unix:/run/p.sock" }\nstore: ["redis://a", "redis://b"]\nlimits: { max_subjects: 5 }',
  );
  expect(restartNeeds(before, after)).toEqual(['listen.check', 'store', 'limits']);
  expect(restartNeeds(before, before)).toEqual([]);
  expect(after.listen.check.address).toEqual({ kind: 'unix', path: '/run/p.sock' });
  expect(after.store).toMatchObject({ urls: ['redis://a', 'redis://b'], cluster: true });
});

test('the life of stored keys, leaked keys and the audit are read, and have sound defaults', async () => {
  const day = 86_400_000;
  const plain = await compile('routes: [{ path: /a, access: public }]');
  expect(plain.keyRules).toEqual({ warnMs: 14 * day, staleMs: 90 * day });
  expect([plain.leaked, plain.auditKeepMs]).toEqual([undefined, 30 * day]);
  const { keyRules, leaked, auditKeepMs } = await compile(`
api_keys:
  max_age: 365d
  rotate_every: 90d
  warn_before: 12h
  stale_after: 30d
  leaked: { public_keys: "https://scanner.example.com/keys" }
audit: { keep: 7d }
routes: [{ path: /a, access: public }]`);
  expect(keyRules).toEqual({
    maxAgeMs: 365 * day,
    rotateEveryMs: 90 * day,
    warnMs: day / 2,
    staleMs: 30 * day,
  });
  expect(leaked).toEqual({ action: 'revoke', publicKeys: 'https://scanner.example.com/keys' });
  expect(auditKeepMs).toBe(7 * day);
});

test('what is declared can be shown as it is written', async () => {
  const { written } = await compile(`
api_keys: { declared: [{ id: k, hash: "sha256:${'a'.repeat(64)}", allowed_ips: [192.0.2.0/24] }] }
scopes: { "a:read": Read a }
roles: { one: { scopes: ["a:read"] }, two: { inherits: one } }
workspaces: { w: { slug: www } }
blocks: [{ ip: 192.0.2.7, note: abuse }]
routes: [{ path: /a, access: public }]`);
  expect(written.keys.get('k')?.allowed_ips).toEqual(['192.0.2.0/24']);
  expect(written.scopes.get('a:read')).toBe('Read a');
  expect(written.roles.get('two')).toEqual({ inherits: ['one'], scopes: [] });
  expect(written.workspaces.get('w')?.slug).toBe('www');
  expect(written.blocks).toEqual([{ ip: '192.0.2.7', note: 'abuse' }]);
});
