import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openApiClient } from '../envoy-harness/api.ts';
import { runCli } from '../envoy-harness/cli.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type RedisServer, startRedis } from '../redis-harness/redis.ts';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { waitFor } from '../redis-harness/wait.ts';
import { makeAuthority } from './certificates.ts';
import { policyText, sample } from './policy.ts';

const PASSWORD = randomBytes(12).toString('hex');
const ADMIN_TOKEN = randomBytes(32).toString('base64url');
const COMMAND_MS = 10_000;

let redis: RedisServer;
let folder: string;
let postern: Postern | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-away-'));
  redis = await startRedis({ password: PASSWORD, persistence: 'aof' });
});

afterEach(async () => {
  await postern?.kill();
  postern = undefined;
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

function policy(more: object = {}): string {
  return policyText({ store: redis.url, routes: [{ path: '/v1', access: ['api_key'] }], ...more });
}

async function start(more: object = {}): Promise<Postern> {
  postern = await startPostern({
    folder,
    policy: policy(more),
    env: { POSTERN_ADMIN_TOKEN: ADMIN_TOKEN },
  });
  return postern;
}

async function pageOf({ opsUrl }: Postern, path: string) {
  const response = await fetch(`${opsUrl}${path}`);
  return { status: response.status, text: await response.text() };
}

async function untilReady(running: Postern): Promise<void> {
  const isReady = async () => (await pageOf(running, '/readyz')).status === 200;
  await waitFor('Postern is ready', isReady);
}

/** How many lines of the log hold a text. */
function logged(running: Postern, text: string): number {
  return running
    .stderr()
    .split('\n')
    .filter((line) => line.includes(text)).length;
}

describeRedisServer('a Redis that is away', () => {
  test('stops no start: Postern is not ready, says so once, and becomes ready by itself', async () => {
    await redis.kill();
    const running = await start();
    const unready = await pageOf(running, '/readyz');
    expect(unready.status).toBe(503);
    expect(JSON.parse(unready.text)).toMatchObject({
      status: 'unready',
      because: [expect.stringMatching(/./)],
      store: { kind: 'redis', state: 'down' },
    });
    expect((await pageOf(running, '/livez')).status).toBe(200);
    expect(sample((await pageOf(running, '/metrics')).text, 'postern_store_up')).toBe(0);
    expect(logged(running, 'Postern is not ready')).toBe(1);
    await redis.restart();
    await untilReady(running);
    const ready = await pageOf(running, '/readyz');
    expect(JSON.parse(ready.text)).toMatchObject({ status: 'ok', store: { state: 'up' } });
    await waitFor('the log says so', () => logged(running, 'the store answers again') === 1);
    const { text } = await pageOf(running, '/metrics');
    expect([sample(text, 'postern_store_up'), sample(text, 'postern_degraded')]).toEqual([1, 0]);
    expect(text).toMatch(
      /^postern_store_trip_duration_seconds_count\{operation="[\w-]+",outcome="ok"\} [1-9]/m,
    );
    expect(text).toContain(
      `postern_store_breaker{node="127.0.0.1:${redis.port}",state="closed"} 1`,
    );
    expect(logged(running, 'Postern is not ready')).toBe(1);
  });

  test('later leaves Postern ready, and is told once when it goes and once when it is back', async () => {
    const running = await start();
    await untilReady(running);
    await redis.kill();
    await waitFor('the log says so', () => logged(running, 'the store does not answer:') === 1);
    const page = await pageOf(running, '/readyz');
    expect(page.status).toBe(200);
    expect(JSON.parse(page.text)).toMatchObject({ status: 'ok', store: { state: 'down' } });
    await redis.restart();
    await waitFor('the log says so', () => logged(running, 'the store answers again') === 1);
    expect(logged(running, 'the store does not answer:')).toBe(1);
  });

  test('hides clashes between policy and store until it answers; then the log names them', async () => {
    const first = await start();
    await untilReady(first);
    const api = openApiClient(first.apiUrl ?? '', ADMIN_TOKEN);
    await api.make('/v1/workspaces', { method: 'POST', body: { id: 'shared' } });
    await first.kill();
    await redis.kill();
    const second = await start({ workspaces: { shared: {} } });
    await redis.restart();
    await waitFor('the log says so', () => logged(second, 'found now that the store') > 0);
    expect(logged(second, 'workspaces: the id \\"shared\\"')).toBe(1);
  });

  test('ends commands within seconds, with its address and without its password', async () => {
    await redis.kill();
    const path = join(folder, 'policy.yaml');
    writeFileSync(path, policy());
    const startedMs = performance.now();
    const commands = [['keys', 'list'], ['init']];
    const ended = await Promise.all(
      commands.map((command) => runCli([...command, '--config', path])),
    );
    expect(performance.now() - startedMs).toBeLessThan(COMMAND_MS);
    for (const { code, stderr } of ended) {
      expect(code).toBeGreaterThan(0);
      expect(stderr).toContain(`127.0.0.1:${redis.port}`);
      expect(stderr).toContain('does not answer');
      expect(stderr).not.toContain(PASSWORD);
    }
  });
});

describeRedisServer('a password that Redis refuses', () => {
  test('is told of and never shown', async () => {
    const wrong = `wrong${PASSWORD}`;
    const running = await start({ store: redis.url.replace(PASSWORD, wrong) });
    await waitFor('the log says why', () => logged(running, 'WRONGPASS') > 0);
    expect((await pageOf(running, '/readyz')).status).toBe(503);
    const pages = await Promise.all(
      ['/readyz', '/health', '/metrics'].map((path) => pageOf(running, path)),
    );
    const written = [
      running.stderr(),
      JSON.stringify(running.lines()),
      ...pages.map((one) => one.text),
    ];
    expect(written.join('\n')).not.toContain(PASSWORD);
  });
});

describeRedisServer('a Redis that speaks TLS only', () => {
  test('is reached with files that stand beside the policy', async () => {
    const authority = makeAuthority(folder, 'ca');
    const server = authority.issue('redis.test', 'DNS:redis.test');
    const client = authority.issue('postern');
    const guarded = await startRedis({
      tls: { ca: authority.certPath, cert: server.certPath, key: server.keyPath },
    });
    try {
      const tls = {
        ca: basename(authority.certPath),
        cert: basename(client.certPath),
        key: basename(client.keyPath),
        server_name: 'redis.test',
      };
      await untilReady(await start({ store: { urls: guarded.url, tls } }));
    } finally {
      await guarded.stop();
    }
  });
});
