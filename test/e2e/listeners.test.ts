import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunningPostern, runPostern } from '../../scripts/lib/run-postern.ts';
import { isNodeNewEnough } from '../../src/cli/serve.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream } from '../envoy-harness/upstream.ts';
import { type Certificate, makeAuthority } from './certificates.ts';
import { messageOf } from './messages.ts';
import { openRawClient, type RawClient } from './raw-client.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const SERVING = 1;
const ANY = '127.0.0.1:0';
const ROUTES = [{ name: 'all', path: '/**', access: 'public' }];

let folder: string;
let postern: RunningPostern | undefined;
let client: RawClient | undefined;
let configPath: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-listen-'));
  configPath = join(folder, 'policy.yaml');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(async () => {
  client?.close();
  postern?.process.kill('SIGKILL');
  await postern?.stop();
  postern = undefined;
});

async function start(check: unknown): Promise<RunningPostern> {
  writePolicy({ check });
  postern = await runPostern({ configPath });
  return postern;
}

function writePolicy(listen: object, rest: object = {}): void {
  const policy = { listen: { check: ANY, ops: ANY, api: ANY, ...listen }, routes: ROUTES, ...rest };
  writeFileSync(configPath, JSON.stringify(policy));
}

function serve(): SpawnSyncReturns<string> {
  const args = [MAIN, 'serve', '--config', configPath];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000 });
}

describe('a unix socket', () => {
  const path = () => join(folder, 'check.sock');

  test('is served, and taken over from a process that was killed', async () => {
    await start(`unix:${path()}`);
    expect(postern?.addresses['check']).toBe(`unix:${path()}`);
    postern?.process.kill('SIGKILL');
    await postern?.stop();
    expect(existsSync(path())).toBe(true);
    await start(`unix:${path()}`);
    client = openRawClient(`unix:${path()}`);
    expect(await client.health()).toBe(SERVING);
    expect((await client.check(messageOf({}))).code).toBe(0);
  });

  test('of a running process is left to it', async () => {
    await start(`unix:${path()}`);
    const { status, stderr } = serve();
    expect([status, stderr]).toEqual([1, expect.stringContaining(path())]);
    client = openRawClient(`unix:${path()}`);
    expect(await client.health()).toBe(SERVING);
  });

  test('is no reason to remove a file that stands there', async () => {
    const file = join(folder, 'precious');
    writeFileSync(file, 'content');
    writePolicy({ check: `unix:${file}` });
    const { status, stderr } = serve();
    expect([status, stderr]).toEqual([1, expect.stringContaining(file)]);
    expect(existsSync(file)).toBe(true);
  });

  describeEnvoy('behind Envoy', () => {
    test('lets requests through', async () => {
      await start(`unix:${path()}`);
      const upstream = await startUpstream();
      const envoy = await startEnvoy({
        checkAddress: `unix:${path()}`,
        upstreamPort: upstream.port,
      });
      expect((await send({ port: envoy.port, target: '/x' })).status).toBe(200);
      await envoy.stop();
      await upstream.stop();
    });
  });
});

describe('TLS', () => {
  let server: Certificate;
  let ca: ReturnType<typeof makeAuthority>;
  let otherCa: ReturnType<typeof makeAuthority>;

  beforeAll(() => {
    const certificates = mkdtempSync(join(folder, 'tls-'));
    ca = makeAuthority(certificates, 'ca');
    otherCa = makeAuthority(certificates, 'other-ca');
    server = ca.issue('server', 'DNS:localhost', 'IP:127.0.0.1');
  });

  async function startTls(more: object = {}): Promise<string> {
    const tls = { cert: server.certPath, key: server.keyPath, ...more };
    await start({ address: ANY, tls });
    return postern?.addresses['check'] ?? '';
  }

  /** The code of the answer, or of the call's own failure. */
  async function outcome(address: string, own?: Certificate): Promise<string> {
    const security = own
      ? credentials.createSsl(ca.cert, own.key, own.cert)
      : credentials.createSsl(ca.cert);
    client = openRawClient(address, security);
    return client.check(messageOf({})).then(
      ({ code }) => `answer ${code}`,
      ({ code }) => `failure ${code}`,
    );
  }

  test('without client certificates serves whoever trusts its own, and nobody in plain text', async () => {
    const address = await startTls();
    expect(await outcome(address)).toBe('answer 0');
    client?.close();
    client = openRawClient(address);
    await expect(client.check(messageOf({}))).rejects.toMatchObject({ code: 14 });
  });

  test('with client_ca serves its certificates alone', async () => {
    const address = await startTls({ client_ca: ca.certPath });
    expect(await outcome(address, ca.issue('envoy', 'DNS:envoy'))).toBe('answer 0');
    expect(await outcome(address)).toBe('failure 14');
    expect(await outcome(address, otherCa.issue('stranger', 'DNS:envoy'))).toBe('failure 14');
  });

  test.each([
    ['answer 0', ['DNS:envoy']],
    ['answer 0', ['DNS:other', 'IP:127.0.0.1', 'DNS:envoy']],
    ['answer 0', ['email:a@example.com', 'URI:spiffe://cluster/ns/a/sa/envoy']],
    ['answer 0', ['URI:urn:a, with a comma', 'DNS:envoy']],
    ['failure 7', ['DNS:other']],
    ['failure 7', ['DNS:envoy.evil.example']],
    ['failure 7', ['email:envoy@example.com']],
    ['failure 7', ['IP:127.0.0.1']],
    ['failure 7', ['URI:spiffe://cluster/ns/b, DNS:envoy']],
    ['failure 7', ['URI:spiffe://cluster/ns/b, DNS:envoy, URI:urn:c']],
    ['failure 7', ['URI:urn:"b", DNS:envoy, "c"']],
  ])('with client_names: %s for %j', async (expected, alternatives) => {
    const names = ['envoy', 'spiffe://cluster/ns/a/sa/envoy'];
    const address = await startTls({ client_ca: ca.certPath, client_names: names });
    expect(await outcome(address, ca.issue('peer', ...alternatives))).toBe(expected);
  });

  test('a file that is not there: the error names it', () => {
    const path = join(folder, 'nowhere.pem');
    writePolicy({ check: { address: ANY, tls: { cert: path, key: server.keyPath } } });
    const { status, stderr } = serve();
    expect(status).toBeGreaterThan(0);
    expect(stderr).toContain(path);
  });
});

describe('an address that is taken', () => {
  let occupied: Server;
  let address: string;

  beforeAll(async () => {
    occupied = createServer();
    await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(occupied.address() as AddressInfo).port}`;
  });
  afterAll(() => occupied.close());

  test.each(['check', 'ops'])(
    'by another, listen.%s: the error names it, exit code 1',
    (listener) => {
      writePolicy({ [listener]: address });
      const { status, stderr, signal } = serve();
      expect([status, signal]).toEqual([1, null]);
      expect(stderr).toContain(`cannot listen on ${address}`);
      expect(stderr).toMatch(/EADDRINUSE|in use/);
      expect(stderr).not.toContain('    at ');
    },
  );

  test('though a sink of the audit goes on asking for its Redis: exit code 1', () => {
    const sinks = [{ redis: { url: 'redis://127.0.0.1:1', stream: 'audit' } }];
    writePolicy({ check: address }, { audit: { spool: 'spool', sinks } });
    const { status, signal } = serve();
    expect([status, signal]).toEqual([1, null]);
  });
});

describe('a policy that cannot be served', () => {
  test('exit code 2, each problem with its place', () => {
    writeFileSync(configPath, 'rutes: []\nroutes:\n  - path: x\n    access: [api_kee]\n');
    const { status, stdout, stderr } = serve();
    expect(status).toBe(2);
    expect(stderr).toMatch(/policy\.yaml:1:1.*rutes.*routes/);
    expect(stderr).toMatch(/policy\.yaml:3:\d+/);
    expect(stderr).toMatch(/policy\.yaml:4:\d+.*api_key/);
    expect(stdout).toBe('');
  });

  test.each([
    ['no file', () => rmSync(configPath)],
    ['an empty file', () => writeFileSync(configPath, '')],
    ['no YAML', () => writeFileSync(configPath, 'a: [}')],
    ['bytes that are no text', () => writeFileSync(configPath, Buffer.from([0, 255, 254]))],
  ])('%s: exit code 2, and a sentence', (_name, make) => {
    make();
    const { status, stderr } = serve();
    expect(status).toBe(2);
    expect(stderr).toContain('policy.yaml');
    expect(stderr).not.toContain('    at ');
  });
});

test.each([
  ['24.14.1', true],
  ['24.14.2', true],
  ['24.15.0', true],
  ['25.0.0', true],
  ['100.0.0', true],
  ['24.14.0', false],
  ['24.9.9', false],
  ['20.19.5', false],
  ['v24.14.1', false],
  ['', false],
])('Node %s is new enough: %s', (version, expected) => {
  expect(isNodeNewEnough(version)).toBe(expected);
});
