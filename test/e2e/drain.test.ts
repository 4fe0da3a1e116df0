import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { makeKey } from '../jwt/tokens.ts';
import { type JwksServer, signWith, startJwks } from '../profiles/jwks.ts';
import { type CheckClient, type CheckSummary, openCheckClient } from './check-client.ts';
import { startLoad, statusesOf } from './load.ts';
import { mint, policyText } from './policy.ts';
import { openRawClient } from './raw-client.ts';

const NOT_SERVING = 2;
const key = mint();
const tokenKey = await makeKey('ES256', 'k1');
let jwks: JwksServer;
let upstream: Upstream;
const running = new Set<Postern>();

beforeAll(async () => {
  jwks = await startJwks({ keys: [tokenKey], behaviour: 'slow' });
  upstream = await startUpstream();
});

afterEach(async () => {
  for (const postern of running) await postern.kill();
  running.clear();
});

afterAll(async () => {
  jwks?.release();
  await jwks?.stop();
  await upstream?.stop();
});

/** A Postern whose checks of tokens all wait until their budget of 150 ms ends. */
async function start(): Promise<Postern> {
  const policy = {
    api_keys: { declared: [{ id: 'one', username: 'ada', hash: key.hash }] },
    issuers: [{ name: 'slow', issuer: 'https://id.example.com', audience: 'api', jwks: jwks.url }],
    routes: [{ name: 'v1', path: '/v1/**', access: ['api_key', 'jwt'] }],
  };
  const postern = await startPostern({ policy: policyText(policy) });
  running.add(postern);
  return postern;
}

/** A client that asks until a call fails. */
function askUntilFailure(client: CheckClient, headers: readonly (readonly [string, string])[]) {
  const answers: CheckSummary[] = [];
  const run = async () => {
    for (;;) answers.push(await client.check({ path: '/v1/x', headers }));
  };
  return run().catch((failure: Error) => ({ answers, failure }));
}

test('SIGTERM: it tells, answers what is on its way, writes every decision down, and exits with 0', async () => {
  const postern = await start();
  const client = openCheckClient(postern.checkAddress);
  const health = openRawClient(postern.checkAddress);
  const token = await signWith(tokenKey, 'ES256', {
    iss: 'https://id.example.com',
    aud: 'api',
    sub: 'ada',
  });
  const slow = Array.from({ length: 20 }, () =>
    askUntilFailure(client, [['authorization', `Bearer ${token}`]]),
  );
  const quick = Array.from({ length: 5 }, () => askUntilFailure(client, [['x-api-key', key.raw]]));
  await expect.poll(() => postern.audit().length).toBeGreaterThan(100);

  const code = postern.stop();
  await expect.poll(() => health.health()).toBe(NOT_SERVING);
  const ready = await fetch(`${postern.opsUrl}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { status: 'unready', because: ['draining'], store: { kind: 'memory', state: 'up' } },
  ]);
  expect((await fetch(`${postern.opsUrl}/livez`)).status).toBe(200);
  const afterNotice = await client.check({ path: '/v1/x', headers: [['x-api-key', key.raw]] });
  expect(afterNotice.allowed).toBe(true);
  expect(await code).toBe(0);

  const slowEnds = await Promise.all(slow);
  const quickEnds = await Promise.all(quick);
  client.close();
  health.close();
  for (const { failure } of [...slowEnds, ...quickEnds]) {
    expect(failure).toMatchObject({ code: 14, message: expect.stringMatching(/ECONNREFUSED/) });
  }
  const counts = (ends: typeof slowEnds) => ends.reduce((sum, one) => sum + one.answers.length, 0);
  const lines = postern.audit();
  expect(lines.filter(({ reason }) => reason === 'unavailable')).toHaveLength(counts(slowEnds));
  expect(lines.filter(({ decision }) => decision === 'allow')).toHaveLength(counts(quickEnds) + 1);
  expect(slowEnds.flatMap(({ answers }) => answers).every(({ status }) => status === 503)).toBe(
    true,
  );
  expect(postern.stderr()).toContain('"stopped"');
});

test('SIGINT does the same', async () => {
  const postern = await start();
  process.kill(postern.pid, 'SIGINT');
  await expect.poll(() => isAlive(postern.pid), { timeout: 5000 }).toBe(false);
  expect(postern.stderr()).toContain('"stopped"');
  expect(await postern.stop()).toBe(0);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describeEnvoy('behind Envoy', { timeout: 60_000 }, () => {
  let envoy: RunningEnvoy;
  afterEach(() => envoy?.stop());

  test('SIGTERM of one of two under load: no request notices, none goes unrecorded', async () => {
    const posterns = [await start(), await start()];
    const checkAddresses = posterns.map(({ checkAddress }) => checkAddress);
    envoy = await startEnvoy({ checkAddresses, upstreamPort: upstream.port });
    const load = startLoad(envoy.port, [
      { target: '/v1/x', headers: { 'x-api-key': key.raw } },
      { target: '/v1/bad', headers: { 'x-api-key': mint().raw } },
    ]);
    const lines = () => posterns.map((one) => one.audit().length);
    await expect.poll(() => Math.min(...lines()), { timeout: 10_000 }).toBeGreaterThan(50);
    expect(await posterns[0]?.stop()).toBe(0);
    const sinceMs = performance.now();
    const isLater = ({ startedMs }: { startedMs: number }) => startedMs > sinceMs;
    await expect.poll(() => load.shots.filter(isLater).length).toBeGreaterThan(100);
    const shots = await load.stop();
    expect(statusesOf(shots)).toEqual({ '/v1/x': [200], '/v1/bad': [401] });
    await expect.poll(() => lines().reduce((sum, one) => sum + one, 0)).toBe(shots.length);
  });

  test('SIGKILL of the only one: 503 in the shape of a refusal, and nothing reaches the upstream', async () => {
    const postern = await start();
    envoy = await startEnvoy({ checkAddress: postern.checkAddress, upstreamPort: upstream.port });
    const ask = () =>
      send({ port: envoy.port, target: '/v1/x', headers: [['X-Api-Key', key.raw]] });
    expect((await ask()).status).toBe(200);
    upstream.clear();
    await postern.kill();
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await ask();
      expect(answer.status).toBe(503);
      expect(answer.header('content-type')).toMatch(/^application\/json/);
      expect(answer.header('retry-after')).toBe('1');
      expect(answer.json()).toEqual({
        error: 'UNAVAILABLE',
        message: expect.any(String),
        reason: 'unavailable',
        request_id: expect.stringMatching(/^[\w-]{36}$/),
      });
    }
    expect(upstream.requests).toHaveLength(0);
  });
});

describe('a client that is not heard', () => {
  test('does not keep it from ending', async () => {
    const postern = await start();
    const idle = openRawClient(postern.checkAddress);
    await idle.health();
    const startedMs = performance.now();
    expect(await postern.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(9000);
    idle.close();
  });
});
