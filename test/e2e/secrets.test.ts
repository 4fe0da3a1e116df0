import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type HeaderLine, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { sign } from '../jwt/tokens.ts';
import { messageOf } from './messages.ts';
import { type MintedKey, mint, policyText } from './policy.ts';
import { openRawClient, type RawClient } from './raw-client.ts';

const SECRET = `a shared secret ${randomBytes(24).toString('base64url')}`;
const EXPIRED_AT = '2020-01-01T00:00:00Z';
const nowSeconds = Math.floor(Date.now() / 1000);

/** Every credential of the run: its text, and the part of it that must never be seen. */
const secrets: { readonly name: string; readonly raw: string; readonly part: string }[] = [];
const keys: { [name: string]: MintedKey } = {};

function keyOf(name: string, prefix = 'pst_live_'): MintedKey {
  const minted = mint(prefix);
  keys[name] = minted;
  secrets.push({ name, raw: minted.raw, part: minted.raw.slice(prefix.length + 2) });
  return minted;
}

async function tokenOf(
  name: string,
  claims: object,
  header: Record<string, unknown> = {},
  secret = SECRET,
) {
  const jti = randomBytes(12).toString('hex');
  const raw = await sign({ sub: 'ada', jti, ...claims }, new TextEncoder().encode(secret), header);
  return seen(name, raw, raw.split('.')[2] ?? raw);
}

function seen(name: string, raw: string, part = raw): string {
  secrets.push({ name, raw, part });
  return raw;
}

const good = keyOf('good');
const old = keyOf('expired');
const off = keyOf('disabled');
const unknown = keyOf('unknown');
const foreign = keyOf('foreign', 'sk_other_');
const exp = nowSeconds + 600;
const CREDENTIALS: readonly string[] = [
  good.raw,
  old.raw,
  off.raw,
  unknown.raw,
  foreign.raw,
  seen('mistyped key', `${mint('pst_live_').raw.slice(0, -1)}!`),
  seen('cut key', mint('pst_live_').raw.slice(0, -3)),
  seen('long key', mint('pst_live_').raw + randomBytes(5000).toString('hex')),
  seen('key with spaces', `${mint('pst_live_').raw} ${randomBytes(16).toString('hex')}`),
  seen('two keys', `${mint('pst_live_').raw},${mint('pst_live_').raw}`),
  await tokenOf('good token', { exp, iss: 'https://id.example.com', aud: 'api' }),
  await tokenOf('expired token', { exp: 1_600_000_000, iss: 'https://id.example.com', aud: 'api' }),
  await tokenOf('audience', { exp, iss: 'https://id.example.com', aud: 'other' }),
  await tokenOf('issuer', { exp, iss: 'https://elsewhere.example.com' }),
  await tokenOf('no exp', { iss: 'https://id.example.com', aud: 'api' }),
  await tokenOf('no user', { sub: 7, exp, iss: 'https://id.example.com', aud: 'api' }),
  await tokenOf('wrong secret', { exp, iss: 'https://id.example.com' }, {}, 'x'.repeat(40)),
  await tokenOf('zip', { exp }, { zip: 'DEF' }),
  seen(
    'no header',
    `${randomBytes(30).toString('base64url')}.${randomBytes(30).toString('base64url')}.${randomBytes(30).toString('base64url')}`,
  ),
  seen(
    'no JSON',
    `${Buffer.from(`{"alg":${randomBytes(12).toString('hex')}`).toString('base64url')}.e30.AAAA`,
  ),
  seen('four parts', `a.b.${randomBytes(20).toString('hex')}.d`),
];

/** Every way to send one; also ways that nobody offers. */
const CHANNELS: readonly ((raw: string) => {
  readonly target: string;
  readonly headers: readonly HeaderLine[];
})[] = [
  (raw) => ({ target: '/v1/x', headers: [['Authorization', `Bearer ${raw}`]] }),
  (raw) => ({ target: '/v1/x', headers: [['Authorization', raw]] }),
  (raw) => ({
    target: '/v1/x',
    headers: [['Authorization', `Basic ${Buffer.from(`u:${raw}`).toString('base64')}`]],
  }),
  (raw) => ({ target: '/v1/x', headers: [['X-Api-Key', raw]] }),
  (raw) => ({ target: `/v1/x?api_key=${encodeURIComponent(raw)}`, headers: [] }),
  (raw) => ({ target: `/v1/x?API%5FKEY=${encodeURIComponent(raw)}`, headers: [] }),
  (raw) => ({ target: `/v1/x?other=${encodeURIComponent(raw)}`, headers: [] }),
  (raw) => ({ target: '/v1/x', headers: [['Cookie', `a=1; session=${raw}; b=2`]] }),
  (raw) => ({
    target: '/v1/x',
    headers: [
      ['X-Api-Key', raw],
      ['Authorization', `Bearer ${raw}`],
    ],
  }),
  (raw) => ({
    target: '/v1/x',
    headers: [
      ['X-Api-Key', raw],
      ['X-Api-Key', raw],
    ],
  }),
  (raw) => ({ target: '/https/x', headers: [['X-Api-Key', raw]] }),
  (raw) => ({ target: '/nowhere', headers: [['X-Api-Key', raw]] }),
  (raw) => ({ target: '/v1/..;/x', headers: [['X-Api-Key', raw]] }),
  (raw) => ({ target: '/v1/x', headers: [['Referer', `https://a.example.com/?k=${raw}`]] }),
  (raw) => ({ target: '/v1/x', headers: [['Origin', `https://${raw}`]] }),
  (raw) => ({ target: '/v1/x', headers: [['X-Auth-Username', raw]] }),
  (raw) => ({ target: '/v1/x', headers: [['X-Forwarded-For', raw]] }),
  (raw) => ({
    target: '/v1/x',
    headers: [
      ['Content-Type', 'application/grpc'],
      ['X-Api-Key', raw],
    ],
  }),
  (raw) => ({
    target: '/v1/x',
    headers: [
      ['Accept', 'application/problem+json'],
      ['X-Api-Key', raw],
    ],
  }),
  (raw) => ({
    target: '/public/x',
    headers: [
      ['X-Api-Key', raw],
      ['Cookie', `session=${raw}`],
    ],
  }),
];

let postern: Postern;
const bodies: string[] = [];

beforeAll(async () => {
  const policy = {
    scopes: { 'docs:read': 'Read.' },
    api_keys: {
      read_from: ['bearer', { header: 'x-api-key' }, { query: 'api_key' }],
      prefixes: { pst_live_: {} },
      declared: [
        { id: 'good', hash: good.hash },
        { id: 'old', hash: old.hash, expires_at: EXPIRED_AT },
        { id: 'off', hash: off.hash, disabled: true },
      ],
    },
    issuers: [
      {
        issuer: 'https://id.example.com',
        audience: 'api',
        secret: SECRET,
        read_from: ['bearer', { cookie: 'session' }],
      },
    ],
    defaults: { access: ['api_key', 'jwt'] },
    routes: [
      { name: 'public', path: '/public/**', access: 'public' },
      { name: 'https', path: '/https/**', https_only: true },
      { name: 'v1', path: '/v1/**', referers: ['a.example.com'] },
    ],
  };
  postern = await startPostern({ policy: policyText(policy), args: ['--log-level', 'debug'] });
});

afterAll(() => postern?.kill());

/** Credentials of which a text holds the whole or the secret part. */
function leaksIn(text: string): readonly string[] {
  const found = secrets.filter(({ raw, part }) => text.includes(raw) || text.includes(part));
  return found.map(({ name }) => name);
}

/** Looks into everything that Postern has said so far. */
async function expectNoLeak(): Promise<void> {
  const last = randomBytes(8).toString('hex');
  const client = openRawClient(postern.checkAddress);
  await client.check(messageOf({ lines: [['x-request-id', last]] }));
  client.close();
  await postern.waitForAudit((line) => line['request_id'] === last);
  const metrics = await (await fetch(`${postern.opsUrl}/metrics`)).text();
  expect(leaksIn(metrics)).toEqual([]);
  expect(leaksIn(bodies.join('\n'))).toEqual([]);
  expect(leaksIn(JSON.stringify(postern.audit()))).toEqual([]);
  expect(leaksIn(postern.stderr())).toEqual([]);
  for (const text of [metrics, ...bodies, JSON.stringify(postern.audit()), postern.stderr()]) {
    expect(text).not.toContain(SECRET);
  }
}

describeEnvoy('through Envoy', () => {
  let envoy: RunningEnvoy;
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await startUpstream();
    envoy = await startEnvoy({ checkAddress: postern.checkAddress, upstreamPort: upstream.port });
  });

  afterAll(async () => {
    await envoy?.stop();
    await upstream?.stop();
  });

  test('no credential is seen in logs, metrics, audit, bodies, and where it was read not upstream either', async () => {
    for (const raw of CREDENTIALS) {
      for (const channel of CHANNELS) {
        const { lines, body } = await send({ port: envoy.port, ...channel(raw) });
        bodies.push(body, JSON.stringify(lines));
      }
    }
    const asked = CREDENTIALS.length * CHANNELS.length;
    await expect.poll(() => envoy.accessLog().length).toBeGreaterThan(asked * 0.9);
    await expectNoLeak();
    expect(leaksIn(JSON.stringify(envoy.accessLog()))).toEqual([]);
    expect(leaksIn(envoy.log())).toEqual([]);
    const reached = upstream.requests.map(({ target, lines }) => {
      const read = lines.filter(([name]) => /^(?:authorization|cookie|x-)/i.test(name));
      return JSON.stringify([target.replace(/other=[^&]*/, ''), read]);
    });
    expect(reached.length).toBeGreaterThan(0);
    expect(leaksIn(reached.join('\n'))).toEqual([]);
    const reasons = new Set(postern.audit().map(({ reason }) => reason));
    for (const reason of [
      'unknown_key',
      'key_expired',
      'key_disabled',
      'duplicate_credential',
      'malformed_credential',
      'token_invalid',
      'token_expired',
      'token_audience',
      'token_issuer',
      'https_required',
    ]) {
      expect(reasons).toContain(reason);
    }
  });
});

describe('asked directly', () => {
  let client: RawClient;

  beforeAll(() => {
    client = openRawClient(postern.checkAddress);
  });
  afterAll(() => client?.close());

  test.each(['raw', 'joined'] as const)('no credential is seen, %s', async (encoding) => {
    for (const raw of CREDENTIALS) {
      for (const channel of CHANNELS) {
        const { target: path, headers } = channel(raw);
        const lines = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
        const answer = await client.check(messageOf({ path, lines, encoding }));
        bodies.push(answer.bytes.toString('latin1'));
        const cut = messageOf({ path, lines, encoding });
        bodies.push((await client.check(cut.subarray(0, cut.length - 5))).bytes.toString('latin1'));
      }
    }
    await expectNoLeak();
  });

  test.each([
    ['as it is', (raw: string) => `/v1/${raw}/x`],
    ['escaped', (raw: string) => `/v1/${raw.replaceAll('_', '%5F').replaceAll('.', '%2E')}`],
    ['with one escape in it', (raw: string) => `/v1/${raw.replace('_', '%5f')}`],
    ['where the path is cut', (raw: string) => `/v1/${'a'.repeat(2020)}/${raw}`],
    ['behind a part that looks like one', (raw: string) => `/v1/pst_live_pst_live_/${raw}`],
  ])('a key in the path, %s, is hidden in the audit', async (_name, write) => {
    await client.check(messageOf({ path: write(good.raw) }));
    await expectNoLeak();
    const start = 'pst_live_'.length + 2;
    expect(JSON.stringify(postern.audit())).not.toContain(good.raw.slice(start, start + 8));
  });
});

test('no client makes the audit long', async () => {
  const client = openRawClient(postern.checkAddress);
  const long = 'A'.repeat(50_000);
  const last = randomBytes(8).toString('hex');
  const lines = ['x-forwarded-for', 'x-request-id', 'user-agent', 'referer', 'authorization'].map(
    (name) => [name, long] as const,
  );
  await client.check(messageOf({ method: long, path: `/v1/${long}?${long}`, host: long, lines }));
  await client.check(messageOf({ path: `/${long}`, lines: [['x-request-id', last]] }));
  client.close();
  await postern.waitForAudit((line) => line['request_id'] === last);
  const lengths = postern.audit().map((line) => JSON.stringify(line).length);
  expect(Math.max(...lengths)).toBeLessThan(4000);
});

test('a policy with problems is told without its secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-secrets-'));
  const path = join(folder, 'policy.yaml');
  const short = 'too-short-a-secret';
  const raw = mint().raw;
  const policy = {
    store: `redis://user:${raw}@localhost`,
    issuers: [
      { name: 'a', secret: short },
      { name: 'b', secret: [short, { [short]: 1 }] },
      { name: 'c', secret: short, algorithms: ['RS256'] },
    ],
    api_keys: {
      declared: [
        { id: 'x', hash: raw },
        { id: 'y', hash: [{ hash: raw }] },
      ],
    },
    routes: [{ path: '/x', access: ['jwt'], plan: 'nope' }],
  };
  writeFileSync(path, JSON.stringify(policy));
  const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
  for (const command of [
    ['validate', path],
    ['serve', '--config', path],
  ]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...command], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stdout + stderr).not.toContain(short);
    expect(stdout + stderr).not.toContain(raw);
  }
  rmSync(folder, { recursive: true });
});
