import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { mint, policyText } from './policy.ts';

const viewer = mint();
const guest = mint();
const TOKEN = 'hidden-in-the-address';
/** Nobody listens there. */
const JWKS = `http://127.0.0.1:9/keys?token=${TOKEN}`;
const PATHS = ['/monitoring', '/monitoring/status', '/monitoring/metrics', '/monitoring/alerts'];

const POLICY = {
  product: 'Acme Gate',
  roles: { viewer: { scopes: [] } },
  api_keys: {
    declared: [
      { id: 'viewer', username: 'ada', roles: ['viewer'], hash: viewer.hash },
      { id: 'guest', username: 'bob', hash: guest.hash },
    ],
  },
  issuers: [{ name: 'partners', jwks: JWKS, audience: 'api' }],
  routes: [{ name: 'v1', path: '/v1/**', access: ['api_key', 'jwt'] }],
};
const GUARDED = {
  ...POLICY,
  routes: [
    ...POLICY.routes,
    { name: 'monitoring', path: '/monitoring/**', access: ['api_key'], role: 'viewer' },
  ],
};

let upstream: Upstream;
let postern: Postern;
let envoy: RunningEnvoy;
/** What the policy's file holds. */
let written = policyText(POLICY);

/** Puts a policy in force, where it is not. */
async function use(policy: object): Promise<void> {
  const text = policyText(policy);
  if (text === written) return;
  const reloads = () => postern.stderr().split('policy reloaded').length;
  const before = reloads();
  write(text);
  await expect.poll(reloads, { timeout: 10_000 }).toBeGreaterThan(before);
}

function write(text: string): void {
  written = text;
  postern.writePolicy(text);
}

/** Asks through Envoy. */
function ask(target: string, key?: string, accept = '*/*') {
  const credential = key === undefined ? [] : ([['x-api-key', key]] as const);
  const headers = [...credential, ['accept', accept]] as const;
  return send({ port: envoy.port, target, headers });
}

describeEnvoy('/monitoring through Envoy', () => {
  beforeAll(async () => {
    upstream = await startUpstream();
    postern = await startPostern({ policy: written });
    envoy = await startEnvoy({
      upstreamPort: upstream.port,
      checkAddress: postern.checkAddress,
      opsAddress: new URL(postern.opsUrl).host,
    });
  });
  afterAll(async () => {
    await envoy?.stop();
    await postern?.kill();
    await upstream?.stop();
  });
  beforeEach(() => upstream.clear());

  test('is nobody’s where the policy has no route for it', async () => {
    await use(POLICY);
    for (const path of PATHS) {
      for (const key of [undefined, viewer.raw]) {
        const { status, json } = await ask(path, key, 'text/html');
        expect([status, json()['reason']]).toEqual([403, 'no_route']);
      }
    }
  });

  test('is theirs whom a route admits, and nobody else’s', async () => {
    await use(GUARDED);
    for (const path of PATHS) {
      expect((await ask(path)).json()['reason']).toBe('missing_credential');
      expect((await ask(path, guest.raw)).json()['reason']).toBe('insufficient_role');
    }
    const first = await ask('/monitoring', viewer.raw, 'text/html');
    expect([first.status, first.header('location')]).toEqual([303, '/monitoring/status']);
    const page = await ask('/monitoring/status', viewer.raw, 'text/html');
    expect([page.status, page.header('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.header('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    );
    expect(page.body).toContain('<h1>Acme Gate</h1>');
    expect((await ask('/monitoring/alerts', viewer.raw, 'text/html')).body).toContain('<h1>');
    expect(upstream.requests).toEqual([]);
  });

  test('tells what happened, by reason', async () => {
    await use(GUARDED);
    const before = (await ask('/monitoring/metrics', viewer.raw)).json()['since_start'];
    for (const key of [guest.raw, viewer.raw, guest.raw, undefined]) await ask('/v1/x', key);
    const after = (await ask('/monitoring/metrics', viewer.raw)).json()['since_start'];
    const counts = (of: unknown) => {
      const { allowed, refused, reasons } = of as Record<string, Record<string, number>>;
      return [Number(allowed), Number(refused), reasons?.['missing_credential'] ?? 0];
    };
    const [allowed = 0, refused = 0, missing = 0] = counts(before);
    // The question itself is one that was allowed.
    expect(counts(after)).toEqual([allowed + 4, refused + 1, missing + 1]);
    expect(after).toMatchObject({ latency_ms: { p50: expect.any(Number) } });
  });

  test('tells what is in trouble and since when, and nothing that is hidden', async () => {
    await use(GUARDED);
    const status = async () => (await ask('/monitoring/status', viewer.raw)).json();
    const failed = { state: 'down', issuers: [{ name: 'partners', status: 'failed', keys: 0 }] };
    const sound = { state: 'ok', hash: expect.stringMatching(/^[0-9a-f]+$/) };
    await expect.poll(status).toMatchObject({
      ...{ state: 'degraded', product: 'Acme Gate', version: '0.1.0' },
      components: {
        gate: { state: 'ok' },
        management_api: { state: 'ok' },
        store: { state: 'ok', kind: 'memory' },
        policy: sound,
        key_sets: failed,
        audit: { state: 'ok', sinks: [{ name: 'stdout', dropped: 0 }] },
      },
    });
    write('routes: nonsense');
    await expect.poll(status, { timeout: 10_000 }).toMatchObject({
      components: { policy: { state: 'degraded', failing_since: expect.any(String) } },
    });
    const pages = await Promise.all(
      PATHS.flatMap((path) => ['text/html', '*/*'].map((accept) => ask(path, viewer.raw, accept))),
    );
    for (const { body } of pages) {
      for (const hidden of [TOKEN, '/keys', viewer.raw, viewer.hash, 'ada', 'viewer']) {
        expect(body).not.toContain(hidden);
      }
    }
    await use(GUARDED);
    const { components } = (await status()) as { components: Record<string, object> };
    expect(components['policy']).toMatchObject(sound);
    expect(components['policy']).not.toHaveProperty('failing_since');
  });
});
