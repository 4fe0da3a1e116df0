import { randomBytes } from 'node:crypto';
import { exportSPKI } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { eventually, type KeyServer, makeKey, openKeyServer, type TestKey } from '../jwt/tokens.ts';
import {
  type JwksBehaviour,
  type JwksServer,
  nowSeconds,
  signToken,
  signWith,
  startJwks,
} from '../profiles/jwks.ts';
import { type CheckClient, type CheckSummary, openCheckClient } from './check-client.ts';

const SECRET = 'a shared secret for end-to-end tests only';
/** A check that hears nothing from a key set ends by its own budget of 150 ms; the rest is a slow machine. */
const BUDGET_MS = 1500;

const key = await makeKey('ES256', 'k1');
const other = await makeKey('ES256', 'k2');
const rsa = await makeKey('RS256', 'r1');
const stranger = await makeKey('ES256', 'k3');

/** The key sets: `start` is how each behaves from the beginning. */
const SETS: { readonly [name: string]: readonly [start: JwksBehaviour, ...keys: TestKey[]] } = {
  good: ['ok', key, rsa],
  down: ['down', key],
  failing: ['failing', key],
  slow: ['slow', key],
  huge: ['huge', key],
  endless: ['endless', key],
  redirecting: ['ok', key],
  asked: ['down', key],
  rotating: ['ok', key],
  many: ['ok', key],
  stale: ['ok', key],
  sluggish: ['ok', key],
  first: ['ok', key],
  second: ['ok', other],
  target: ['ok', key],
};

const servers: { [name: string]: JwksServer } = {};
const sent: string[] = [];
let discovery: KeyServer;
let postern: Postern;
let client: CheckClient;

beforeAll(async () => {
  for (const [name, [behaviour, ...keys]] of Object.entries(SETS)) {
    servers[name] = await startJwks({ keys, behaviour });
  }
  set('redirecting').behave({ redirectTo: set('target').url });
  discovery = await openKeyServer((request, response) => {
    const metadata = { issuer: discovery.origin, jwks_uri: `${discovery.origin}/keys` };
    const body = request.url === '/keys' ? { keys: [key.jwk] } : metadata;
    response.writeHead(200).end(JSON.stringify(body));
  });
  postern = await startPostern({ policy: policy('https://api.example.com') });
  client = openCheckClient(postern.checkAddress);
});

afterAll(async () => {
  client?.close();
  await postern?.kill();
  await discovery?.[Symbol.asyncDispose]();
  for (const server of Object.values(servers)) await server.stop();
});

function set(name: string): JwksServer {
  const server = servers[name];
  if (!server) throw new Error(`no set ${name}`);
  return server;
}

function policy(audience: string): string {
  const own = Object.keys(SETS).filter((name) => !['first', 'second', 'target'].includes(name));
  const entries = own.map((name) => ({
    name,
    issuer: `https://${name}.example.com`,
    jwks: set(name).url,
    ...(name === 'good' && { audience, clock_tolerance: '0s' }),
  }));
  const open = { name: 'open', jwks: [set('first').url, set('second').url], audience: [audience] };
  const shared = { name: 'shared', secret: SECRET, algorithms: ['HS256'] };
  return JSON.stringify({
    issuers: [...entries, { name: 'discovered', issuer: discovery.origin }, open, shared],
    routes: [
      { name: 'all', path: '/v1/**', access: ['jwt'] },
      { name: 'shared', path: '/shared', access: ['jwt'], issuers: ['shared'] },
    ],
  });
}

/** A token of one of the issuers, never the same twice. */
function tokenOf(name: string, by: TestKey = key, claims: object = {}): Promise<string> {
  const jti = randomBytes(8).toString('hex');
  const iss = `https://${name}.example.com`;
  const aud = 'https://api.example.com';
  return signWith(by, 'ES256', { iss, sub: 'ada', jti, aud, ...claims });
}

function ask(token: string, path = '/v1/x'): Promise<CheckSummary> {
  sent.push(token);
  return client.check({ path, headers: [['authorization', `Bearer ${token}`]] });
}

async function outcome(token: string, path?: string): Promise<string> {
  const { allowed, reason = '' } = await ask(token, path);
  return allowed ? 'allow' : reason;
}

/** Asks with ever new tokens until one is admitted, as long as the longest back-off here may take. */
async function untilAllowed(token: () => Promise<string>): Promise<void> {
  await expect
    .poll(async () => outcome(await token()), { timeout: 12_000, interval: 50 })
    .toBe('allow');
}

/** A token of an unknown key; nobody gets as far as its signature. */
function strange(name: string, header: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: `https://${name}.example.com`, sub: 'ada', exp: nowSeconds() + 600 };
  const signature = randomBytes(64).toString('base64url');
  return `${encode({ alg: 'ES256', ...header })}.${encode(claims)}.${signature}`;
}

/** Asks for all tokens, so many at a time, and counts the answers. */
async function tally(
  tokens: readonly string[],
  wide = 10,
): Promise<{ readonly [reason: string]: number }> {
  const counts: { [reason: string]: number } = {};
  for (let at = 0; at < tokens.length; at += wide) {
    const wave = tokens.slice(at, at + wide).map((token) => outcome(token));
    for (const reason of await Promise.all(wave)) counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

describe('a key set that cannot be had', () => {
  test('costs one fetch for however many requests, and no other issuer anything', async () => {
    const before = set('asked').fetches();
    const tokens = await Promise.all(Array.from({ length: 300 }, () => tokenOf('asked')));
    expect(await tally(tokens, 50)).toEqual({ unavailable: 300 });
    // Tries of the back-off, after 1, 2 and 4 seconds, may fall into this time.
    expect(set('asked').fetches() - before).toBeLessThan(4);
    expect(await outcome(await tokenOf('good'))).toBe('allow');
  });

  test.concurrent.each(['down', 'failing', 'slow', 'huge', 'endless', 'redirecting'])(
    'as it is %s: 503 in time, and it serves once it is well',
    async (name) => {
      const token = await tokenOf(name);
      const startedMs = performance.now();
      const refusal = await ask(token);
      expect(performance.now() - startedMs).toBeLessThan(BUDGET_MS);
      expect(refusal).toMatchObject({ allowed: false, status: 503, reason: 'unavailable' });
      expect(refusal.responseHeaders).toMatchObject({ 'retry-after': '1' });
      expect(JSON.parse(refusal.body)).toMatchObject({ error: 'UNAVAILABLE' });
      expect(await outcome(await tokenOf('good'))).toBe('allow');
      set(name).behave('ok');
      set(name).release();
      await untilAllowed(() => tokenOf(name));
    },
  );

  test('is not sought where a redirect points', () => {
    expect(set('target').fetches()).toBe(0);
  });
});

describe('a key set at hand', () => {
  test('is fetched once, at the start', async () => {
    const tokens = await Promise.all(Array.from({ length: 100 }, () => tokenOf('many')));
    expect(await tally(tokens)).toEqual({ allow: 100 });
    expect(set('many').fetches()).toBe(1);
  });

  test('is fetched once more for 1,000 unknown kids', async () => {
    const before = set('many').fetches();
    const unknown = Array.from({ length: 1000 }, (_, at) => strange('many', { kid: `no-${at}` }));
    const { token_invalid: refused = 0, unavailable = 0 } = await tally(unknown, 50);
    // Whoever waits for the fetch longer than its budget hears 503.
    expect(refused + unavailable).toBe(1000);
    expect(unavailable).toBeLessThan(100);
    expect(set('many').fetches() - before).toBe(1);
    expect(await outcome(await tokenOf('many'))).toBe('allow');
  });

  test('goes on serving while it cannot be fetched', async () => {
    set('stale').behave('down');
    await expect.poll(() => outcome(strange('stale', { kid: 'no' }))).toBe('token_invalid');
    expect(set('stale').fetches()).toBe(2);
    expect(await outcome(await tokenOf('stale'))).toBe('allow');
    const metrics = await (await fetch(`${postern.opsUrl}/metrics`)).text();
    expect(metrics).toContain('postern_jwks_fetches_total{issuer="stale",outcome="ok"} 1');
    expect(metrics).toContain('postern_jwks_fetches_total{issuer="stale",outcome="failed"} 1');
  });

  test('goes on serving while its fetch hangs; only the unknown kid has to wait', async () => {
    set('sluggish').behave('slow');
    const waiting = ask(strange('sluggish', { kid: 'no' }));
    await eventually(() => expect(set('sluggish').fetches()).toBe(2));
    const startedMs = performance.now();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => tokenOf('sluggish')));
    expect(await tally(tokens)).toEqual({ allow: 20 });
    expect(await waiting).toMatchObject({ status: 503, reason: 'unavailable' });
    expect(performance.now() - startedMs).toBeLessThan(BUDGET_MS);
    set('sluggish').release();
    await expect.poll(() => outcome(strange('sluggish', { kid: 'no' }))).toBe('token_invalid');
    expect(set('sluggish').fetches()).toBe(2);
  });

  test('that rotates: the new key is taken by one fetch, the old one, cached or not, no more', async () => {
    const old = await tokenOf('rotating');
    expect([await outcome(old), await outcome(old)]).toEqual(['allow', 'allow']);
    set('rotating').serve(other);
    expect(await outcome(old)).toBe('allow');
    await untilAllowed(() => tokenOf('rotating', other));
    expect(set('rotating').fetches()).toBe(2);
    expect(await outcome(old)).toBe('token_invalid');
    expect(await outcome(await tokenOf('rotating'))).toBe('token_invalid');
    expect(await outcome(await tokenOf('rotating', other))).toBe('allow');
    expect(set('rotating').fetches()).toBe(2);
  });

  test('may be found by discovery', async () => {
    const token = await tokenOf('discovered', key, { iss: discovery.origin });
    expect(await ask(token)).toMatchObject({ allowed: true, metadata: { issuer: 'discovered' } });
    expect(discovery.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });
});

describe('which set judges a token', () => {
  const aud = 'https://api.example.com';
  const plain = (by: TestKey, kid = by.jwk.kid, alg = 'ES256') =>
    signToken({ claims: { sub: 'ada', aud }, alg, key: by.pair.privateKey, kid });
  const loose = (by: TestKey) =>
    signToken({ claims: { sub: 'ada', aud }, alg: 'ES256', key: by.pair.privateKey });

  test.each([
    ['the first set has its kid', () => plain(key), 'allow'],
    ['the second set has its kid', () => plain(other), 'allow'],
    ['no kid, a key of the first set', () => loose(key), 'allow'],
    ['no kid, a key of the second set', () => loose(other), 'allow'],
    ["a kid of the first set, the second's key", () => plain(other, 'k1'), 'token_invalid'],
    ['a key that only a named issuer has', () => plain(rsa, 'r1', 'RS256'), 'token_invalid'],
    ["another issuer's name", () => tokenOf('good', other), 'token_invalid'],
    ['a name that no entry has, so entries without a name', () => tokenOf('nobody'), 'allow'],
    [
      'the same, by a key of none of their sets',
      () => tokenOf('nobody', stranger),
      'token_invalid',
    ],
  ])('%s', async (_what, token, want) => {
    expect(await outcome(await token())).toBe(want);
  });
});

describe('nothing in a header causes a connection', () => {
  test.each(['jku', 'x5u', 'kid', 'iss'])('%s', async (member) => {
    const before = set('target').fetches();
    const header = { kid: 'k1', [member]: set('target').url };
    expect(await outcome(strange('good', header))).toBe('token_invalid');
    expect(set('target').fetches()).toBe(before);
  });

  test('an embedded key is not believed', async () => {
    const token = await signToken({
      claims: { iss: 'https://good.example.com', sub: 'ada', aud: 'https://api.example.com' },
      alg: 'ES256',
      key: other.pair.privateKey,
      header: { jwk: other.jwk },
    });
    expect(await outcome(token)).toBe('token_invalid');
  });
});

describe('the form of a token', () => {
  const iss = 'https://good.example.com';
  const claims = { iss, sub: 'ada', aud: 'https://api.example.com' };
  const good = (header: object = {}, change: object = {}) =>
    signToken({
      claims: { ...claims, ...change },
      alg: 'ES256',
      key: key.pair.privateKey,
      kid: 'k1',
      header: { ...header },
    });
  const bytes = (text: string) => new TextEncoder().encode(text);
  const replaced = async (part: number, text: (old: string) => string) => {
    const parts = (await good()).split('.');
    return parts.map((old, at) => (at === part ? text(old) : old)).join('.');
  };
  const json = (text: string) => Buffer.from(text).toString('base64url');

  test.each<[string, () => Promise<string> | string, string]>([
    ['sound', () => good(), 'allow'],
    ['alg none', () => replaced(0, () => json('{"alg":"none"}')), 'token_invalid'],
    ['no signature', () => replaced(2, () => ''), 'token_invalid'],
    ['padding', () => replaced(2, (old) => `${old}==`), 'token_invalid'],
    ['another payload', () => replaced(1, () => json(JSON.stringify(claims))), 'token_invalid'],
    [
      'an alg of another family',
      async () => {
        const pem = bytes(await exportSPKI(rsa.pair.publicKey));
        return signToken({ claims, alg: 'HS256', key: pem, kid: 'r1' });
      },
      'token_invalid',
    ],
    ['RS256 with its own key', () => signWith(rsa, 'RS256', claims), 'allow'],
    ['five parts', async () => `${await good()}.x.y`, 'token_invalid'],
    ['zip', () => good({ zip: 'DEF' }), 'token_invalid'],
    ['enc', () => good({ enc: 'A256GCM' }), 'token_invalid'],
    ['b64', () => strange('good', { kid: 'k1', b64: true }), 'token_invalid'],
    ['crit', () => strange('good', { kid: 'k1', crit: ['x'], x: 1 }), 'token_invalid'],
    ['no exp', () => good({}, { exp: undefined }), 'token_invalid'],
    ['expired', () => good({}, { exp: nowSeconds() - 10 }), 'token_expired'],
    ['nbf ahead', () => good({}, { nbf: nowSeconds() + 60 }), 'token_not_yet_valid'],
    ['iat ahead', () => good({}, { iat: nowSeconds() + 60 }), 'token_not_yet_valid'],
    ['another audience', () => good({}, { aud: 'https://b.example.com' }), 'token_audience'],
    ['no audience', () => good({}, { aud: undefined }), 'token_audience'],
    ['no username', () => good({}, { sub: undefined }), 'token_invalid'],
    ['an empty username', () => good({}, { sub: '' }), 'token_invalid'],
    ['8 KiB and more', () => good({}, { pad: 'x'.repeat(8192) }), 'malformed_credential'],
  ])('%s', async (_what, token, want) => {
    expect(await outcome(await token())).toBe(want);
  });

  test.each(['raw', 'joined'] as const)('with headers sent %s', async (encoding) => {
    const token = await good();
    const one = ['authorization', `Bearer ${token}`] as const;
    const allowed = await client.check({ path: '/v1/x', headers: [one], encoding });
    expect(allowed).toMatchObject({
      allowed: true,
      headers: { 'x-auth-username': 'ada', 'x-auth-method': 'jwt', 'x-auth-issuer': 'good' },
    });
    expect(allowed.removed).toContain('authorization');
    const twice = await client.check({ path: '/v1/x', headers: [one, one], encoding });
    expect(twice).toMatchObject({ status: 400, reason: 'duplicate_credential' });
  });
});

describe('a verified token is remembered', () => {
  test('but judged anew: by its time', async () => {
    const token = await tokenOf('good', key, { exp: nowSeconds() + 2 });
    expect(await outcome(token)).toBe('allow');
    await expect.poll(() => outcome(token), { timeout: 5000 }).toBe('token_expired');
  });

  test('but judged anew: by the route', async () => {
    const token = await tokenOf('good');
    expect(await outcome(token)).toBe('allow');
    expect(await outcome(token, '/shared')).toBe('token_issuer');
  });

  test('but judged anew: by the policy of the moment, whose sets need no new fetch', async () => {
    const token = await tokenOf('good');
    expect(await outcome(token)).toBe('allow');
    const before = set('good').fetches();
    postern.writePolicy(policy('https://new.example.com'));
    await expect.poll(() => outcome(token), { timeout: 10_000 }).toBe('token_audience');
    const fitting = await tokenOf('good', key, { aud: 'https://new.example.com' });
    expect(await outcome(fitting)).toBe('allow');
    expect(set('good').fetches()).toBe(before);
  });
});

test('no token and no secret is in the logs, the audit or the metrics', async () => {
  const metrics = await (await fetch(`${postern.opsUrl}/metrics`)).text();
  const written = postern.stderr() + JSON.stringify(postern.audit()) + metrics;
  const parts = new Set(sent.flatMap((token) => token.split('.')));
  const secret = [...parts].filter((part) => part.length > 40);
  expect(secret.length).toBeGreaterThan(1000);
  expect(secret.filter((part) => written.includes(part))).toEqual([]);
  expect(written).not.toContain(SECRET);
});
