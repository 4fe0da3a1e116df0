import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type BootstrapChange,
  deriveBootstrap,
  EXT_AUTHZ,
  HTTP_CONNECTION_MANAGER,
} from '../../scripts/lib/bootstrap.ts';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { BOOTSTRAP_PATH, describeEnvoy, envoyBinary, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';

const KEY = /pst_\w{38}/.exec(readFileSync(examplePath(), 'utf8'))?.[0] ?? '';
const POLICY = `
api_keys:
  read_from: [bearer, { header: x-api-key }, { query: api_key }]
  declared: [{ id: demo, name: demo, hash: "${declaredHash()}", username: demo }]
routes:
  - { name: hello, path: /hello, access: public }
  - { name: reports, path: /v1/reports/**, access: [api_key] }
`;

describeEnvoy('envoy --mode validate', () => {
  const variants: readonly (readonly [string, BootstrapChange])[] = [
    ['envoy.yaml as it stands', {}],
    ['without its edge rules', { edge: false }],
    ['with joined headers', { rawHeaders: false }],
    ['behind a load balancer', { trustedHops: 1 }],
    ['with two Posterns', { checkAddresses: ['127.0.0.1:9191', '127.0.0.1:9291'] }],
    ['with a unix socket', { checkAddresses: ['unix:/run/postern/check.sock'] }],
  ];

  test.each(variants)('accepts %s', (_name, change) => {
    const { output, status } = validate(change);
    expect(output).toContain('OK');
    expect(status).toBe(0);
  });

  test('refuses a setting that does not exist', () => {
    const change = {
      overrides: (doc: Parameters<NonNullable<BootstrapChange['overrides']>>[0]) =>
        doc.setIn([...EXT_AUTHZ, 'failure_mode_allowed'], false),
    };
    expect(validate(change).status).not.toBe(0);
  });

  test.each([
    ['a failed check admits nobody', [...EXT_AUTHZ, 'failure_mode_allow'], 'false'],
    [
      'a failed check reads as an outage',
      [...EXT_AUTHZ, 'status_on_error', 'code'],
      'ServiceUnavailable',
    ],
    ['changes are validated', [...EXT_AUTHZ, 'validate_mutations'], 'true'],
    ['each header line is seen', [...EXT_AUTHZ, 'encode_raw_headers'], 'true'],
    ['the peer is the client', [...HTTP_CONNECTION_MANAGER, 'use_remote_address'], 'true'],
  ])('%s', (_name, path, want) => {
    const seen: unknown[] = [];
    deriveBootstrap(readFileSync(BOOTSTRAP_PATH, 'utf8'), {
      overrides: (doc) => seen.push(doc.getIn(path)),
    });
    expect(seen.map(String)).toEqual([want]);
  });
});

describeEnvoy('envoy.yaml with Postern behind it', () => {
  let upstream: Upstream;
  let postern: Postern;
  let envoy: RunningEnvoy;

  beforeAll(async () => {
    upstream = await startUpstream(() => ({ headers: [['server', 'secret/1.0']] }));
    postern = await startPostern({ policy: POLICY });
    envoy = await startEnvoy({
      checkAddress: postern.checkAddress,
      opsAddress: new URL(postern.opsUrl).host,
      upstreamPort: upstream.port,
    });
  });
  beforeEach(() => upstream.clear());
  afterAll(async () => {
    await envoy?.stop();
    await postern?.stop();
    await upstream?.stop();
  });

  test('lets an allowed request through, its key gone and its identity set', async () => {
    const response = await send({
      port: envoy.port,
      target: '/v1/reports/7?b=2&a=1',
      headers: [
        ['X-API-Key', KEY],
        ['x-auth-username', 'mallory'],
      ],
    });
    expect(response.status).toBe(200);
    expect(upstream.last().target).toBe('/v1/reports/7?b=2&a=1');
    expect(upstream.last().header('x-auth-username')).toBe('demo');
    expect(JSON.stringify(upstream.last())).not.toContain(KEY);
    const line = await postern.waitForAudit(({ path }) => path === '/v1/reports/7');
    expect(line).toMatchObject({ decision: 'allow', username: 'demo', key_id: 'demo' });
  });

  test('lets Postern take a key out of the query, the rest byte for byte', async () => {
    const target = `/v1/reports/8?z=%2f%20&api_key=${KEY}&a=1&a=0&B`;
    const response = await send({ port: envoy.port, target });
    expect(response.status).toBe(200);
    expect(upstream.last().target).toBe('/v1/reports/8?z=%2f%20&a=1&a=0&B');
  });

  test("leaves Postern's refusal alone", async () => {
    const response = await send({ port: envoy.port, target: '/v1/reports/7' });
    expect(response.status).toBe(401);
    expect(response.header('content-type')).toMatch(/^application\/json/);
    expect(response.header('www-authenticate')).toContain('realm=');
    expect(response.json()).toMatchObject({ error: 'UNAUTHORIZED', reason: 'missing_credential' });
    expect(upstream.requests).toEqual([]);
  });

  test("leaves a problem document's content type alone", async () => {
    const headers = [['accept', 'application/problem+json']] as const;
    const response = await send({ port: envoy.port, target: '/v1/reports/7', headers });
    expect(response.header('content-type')).toMatch(/^application\/problem\+json/);
  });

  test.each([
    ['an encoded slash', '/hello%2fthere', []],
    ['a header name with an underscore', '/hello', [['x_auth_username', 'mallory']]],
  ] as const)(
    'refuses %s before Postern is asked, in the same shape',
    async (_name, target, headers) => {
      const asked = (await envoy.stats())['cluster.upstream.ext_authz.postern.ok'] ?? 0;
      const response = await send({ port: envoy.port, target, headers });
      expect(response.status).toBe(400);
      expect(response.json()).toEqual({
        error: 'BAD_REQUEST',
        message: expect.any(String),
        reason: 'malformed_request',
        // Envoy gives a request its id after these checks.
        request_id: null,
      });
      expect((await envoy.stats())['cluster.upstream.ext_authz.postern.ok'] ?? 0).toBe(asked);
    },
  );

  test('normalises what can be normalised', async () => {
    expect((await send({ port: envoy.port, target: '//v1/../hello' })).status).toBe(200);
    expect(upstream.last().target).toBe('/hello');
  });

  test('answers headers over its limit in the same shape', async () => {
    const headers = [['x-long', 'a'.repeat(70_000)]] as const;
    const response = await send({ port: envoy.port, target: '/hello', headers });
    expect(response.status).toBe(431);
    expect(response.json()).toMatchObject({ error: 'BAD_REQUEST', reason: 'headers_too_large' });
  });

  test('appends itself to X-Forwarded-For, and hides what the upstream says of itself', async () => {
    const headers = [['x-forwarded-for', '9.9.9.9']] as const;
    const response = await send({ port: envoy.port, target: '/hello', headers });
    expect(response.header('server')).toBe('envoy');
    expect(upstream.last().header('x-forwarded-for')).toMatch(/^9\.9\.9\.9,[\d.]+$/);
  });

  test.each([
    ['a forwarded client', [['x-forwarded-for', '9.9.9.9']]],
    ['a client on this machine', []],
  ] as const)('believes nothing that %s says of Envoy', async (_name, more) => {
    const headers = [
      ['x-request-id', 'chosen-by-client'],
      ['x-envoy-original-path', '/admin'],
      ['x-envoy-internal', 'true'],
      ...more,
    ] as const;
    await send({ port: envoy.port, target: '/hello', headers });
    const received = upstream.last();
    expect(received.header('x-request-id')).not.toBe('chosen-by-client');
    expect(received.header('x-envoy-original-path')).toBeUndefined();
    expect(received.header('x-envoy-internal')).toBeUndefined();
  });

  test('sends /health to Postern, without credentials and without a decision', async () => {
    const headers = [['authorization', `Bearer ${KEY}`]] as const;
    const health = await send({ port: envoy.port, target: '/health', headers });
    expect(health.status).toBe(200);
    expect(health.json()).toMatchObject({ status: 'ok' });
    await postern.waitForAudit(({ path }) => path === '/hello');
    expect(postern.audit().filter(({ path }) => path === '/health')).toEqual([]);
  });

  test('opens /monitoring to nobody whom no route admits', async () => {
    const before = upstream.requests.length;
    const answer = await send({ port: envoy.port, target: '/monitoring/status' });
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({ reason: 'no_route' });
    expect(upstream.requests).toHaveLength(before);
  });

  test('logs the decision and never the query', async () => {
    await send({ port: envoy.port, target: `/v1/reports/log?api_key=${KEY}` });
    await send({ port: envoy.port, target: '/v1/reports/log?api_key=wrong&secret=1' });
    const lines = () => envoy.accessLog().filter(({ path }) => path === '/v1/reports/log');
    await expect.poll(lines).toHaveLength(2);
    expect(lines()).toMatchObject([
      { status: 200, decision: 'allow', route: 'reports', username: 'demo', key_id: 'demo' },
      { decision: 'deny', route: 'reports', details: 'ext_authz_denied', flags: 'UAEX' },
    ]);
    expect(lines()[0]?.['authz_us']).toMatch(/^\d+$/);
    expect(JSON.stringify(envoy.accessLog())).not.toMatch(/api_key=|secret=1/);
  });
});

describeEnvoy('envoy.yaml when something is missing', () => {
  test('an upstream that is down is named as the upstream', async () => {
    await using parts = await startParts({ upstreamPort: 9 });
    const response = await send({ port: parts.envoy.port, target: '/hello' });
    expect(response.status).toBe(503);
    expect(response.json()).toMatchObject({ error: 'UNAVAILABLE', reason: 'upstream_unavailable' });
  });

  test('a Postern that is down admits nobody and is named', async () => {
    await using parts = await startParts({});
    await parts.postern.kill();
    const response = await send({ port: parts.envoy.port, target: '/hello' });
    expect(response.status).toBe(503);
    expect(response.header('retry-after')).toBe('1');
    expect(response.json()).toMatchObject({ error: 'UNAVAILABLE', reason: 'unavailable' });
    expect(parts.upstream.requests).toEqual([]);
  });

  test('without the edge rules Postern sees paths as sent', async () => {
    await using parts = await startParts({ edge: false });
    const response = await send({ port: parts.envoy.port, target: '//v1/../hello%2f' });
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ reason: 'ambiguous_path' });
  });

  test('with two Posterns, the death of one is not noticed', async () => {
    await using parts = await startParts({});
    const other = await startPostern({ policy: POLICY });
    const both = { checkAddresses: [parts.postern.checkAddress, other.checkAddress] };
    const envoy = await startEnvoy({ ...both, upstreamPort: parts.upstream.port });
    const statuses: number[] = [];
    for (let count = 0; count < 40; count += 1) {
      if (count === 10) await parts.postern.kill();
      statuses.push((await send({ port: envoy.port, target: '/hello' })).status);
    }
    await envoy.stop();
    await other.stop();
    expect(statuses).toEqual(new Array(40).fill(200));
  });
});

async function startParts(change: BootstrapChange) {
  const upstream = await startUpstream();
  const postern = await startPostern({ policy: POLICY });
  const places = { checkAddress: postern.checkAddress, upstreamPort: upstream.port };
  const envoy = await startEnvoy({ ...places, ...change });
  return {
    upstream,
    postern,
    envoy,
    [Symbol.asyncDispose]: async () => {
      await envoy.stop();
      await postern.stop();
      await upstream.stop();
    },
  };
}

function validate(change: BootstrapChange): {
  readonly output: string;
  readonly status: number | null;
} {
  const folder = mkdtempSync(join(tmpdir(), 'postern-validate-'));
  const path = join(folder, 'envoy.yaml');
  const text = readFileSync(BOOTSTRAP_PATH, 'utf8');
  const isChanged = Object.keys(change).length > 0;
  writeFileSync(path, isChanged ? deriveBootstrap(text, change) : text);
  const { stdout, stderr, status } = spawnSync(envoyBinary, ['--mode', 'validate', '-c', path]);
  rmSync(folder, { recursive: true, force: true });
  return { output: `${stdout}${stderr}`, status };
}

function examplePath(): string {
  return join(import.meta.dirname, '..', '..', 'examples', 'policy.yaml');
}

function declaredHash(): string {
  return /sha256:[0-9a-f]{64}/.exec(readFileSync(examplePath(), 'utf8'))?.[0] ?? '';
}
