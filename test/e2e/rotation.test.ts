import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunningPostern, runPostern } from '../../scripts/lib/run-postern.ts';
import { type Authority, type Certificate, makeAuthority } from './certificates.ts';
import { messageOf } from './messages.ts';
import { policyText, sample } from './policy.ts';
import { openRawClient, type RawClient } from './raw-client.ts';

const ANY = '127.0.0.1:0';
const NOT_AFTER = 'postern_certificate_not_after_timestamp_seconds{listener="check"}';
const LOADED = 'postern_certificate_loads_total{outcome="ok"}';
const FAILED = 'postern_certificate_loads_total{outcome="failed"}';

let folder: string;
let mount: string;
let old: Authority;
let next: Authority;
let server: Certificate;
let postern: RunningPostern;
const clients: RawClient[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-rotation-'));
  mount = join(folder, 'mount');
  mkdirSync(mount);
  old = authority('old');
  next = authority('next');
  server = old.issue('server-1', 'DNS:localhost');
  for (const name of ['tls.crt', 'tls.key', 'ca.crt'])
    symlinkSync(join('..data', name), join(mount, name));
  swap(server, [old]);
  const tls = {
    cert: join(mount, 'tls.crt'),
    key: join(mount, 'tls.key'),
    client_ca: join(mount, 'ca.crt'),
    client_names: ['envoy'],
  };
  const configPath = join(folder, 'policy.yaml');
  const listen = { check: { address: ANY, tls }, ops: ANY, api: ANY };
  const routes = [{ name: 'all', path: '/**', access: 'public' }];
  writeFileSync(configPath, policyText({ listen, routes }));
  postern = await runPostern({ configPath });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  postern?.process.kill('SIGKILL');
  await postern?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function authority(name: string): Authority {
  const home = join(folder, name);
  mkdirSync(home);
  return makeAuthority(home, name);
}

let generation = 0;

/** Replaces all files at once, as Kubernetes does with those of a mounted Secret. */
function swap({ cert, key }: Pick<Certificate, 'cert' | 'key'>, cas: readonly Authority[]): void {
  generation += 1;
  const data = `..generation_${generation}`;
  mkdirSync(join(mount, data));
  writeFileSync(join(mount, data, 'tls.crt'), cert);
  writeFileSync(join(mount, data, 'tls.key'), key);
  writeFileSync(join(mount, data, 'ca.crt'), Buffer.concat(cas.map((ca) => ca.cert)));
  symlinkSync(data, join(mount, '..data_tmp'));
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
}

/** A client with connections of its own, which trusts one authority and shows the certificate of another. */
function open(trusted: Authority, issuer: Authority): RawClient {
  const own = issuer.issue('envoy', 'DNS:envoy');
  const security = credentials.createSsl(trusted.cert, own.key, own.cert);
  const apart = {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.ssl_target_name_override': 'localhost',
  };
  const client = openRawClient(postern.addresses['check'] ?? '', security, apart);
  clients.push(client);
  return client;
}

const ask = (client: RawClient) =>
  client.check(messageOf({})).then(
    ({ code }) => code,
    ({ code }) => `failure ${code}`,
  );

/** The certificate that a new connection is shown. */
function shownCertificate(): Promise<Buffer> {
  const port = Number(postern.addresses['check']?.split(':')[1]);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
    socket.on('error', reject).on('secureConnect', () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    });
  });
}

/** A whole handshake, and the session that it leaves. Rejects where the server ends it. */
function shakeHands(
  more: object,
): Promise<{ readonly session: Buffer | undefined; readonly isReused: boolean }> {
  const port = Number(postern.addresses['check']?.split(':')[1]);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, ALPNProtocols: ['h2'], rejectUnauthorized: false, ...more });
    socket.on('error', reject).on('close', () => reject(new Error('closed')));
    socket.resume();
    // TLS 1.3: by its ticket the server says that it took the certificate; a session that goes on gets none.
    const end = (session?: Buffer) => {
      resolve({ session, isReused: socket.isSessionReused() });
      socket.destroy();
    };
    socket.on('session', end).on('secureConnect', () => {
      if (socket.isSessionReused()) end();
    });
  });
}

const isShown = async ({ cert }: Certificate) =>
  cert
    .toString()
    .replaceAll('\n', '')
    .includes((await shownCertificate()).toString('base64'));

async function metric(name: string): Promise<number> {
  const page = await (await fetch(`http://${postern.addresses['ops']}/metrics`)).text();
  return sample(page, name);
}

describe('a certificate that is rotated', () => {
  test('is shown to new connections, while the old ones go on without a failed call', async () => {
    const standing = open(old, old);
    expect(await ask(standing)).toBe(0);
    const answers: unknown[] = [];
    let isOver = false;
    const stream = (async () => {
      while (!isOver) answers.push(await ask(standing));
    })();

    const renewed = next.issue('server-2', 'DNS:localhost');
    swap(renewed, [next]);
    await expect.poll(() => isShown(renewed), { timeout: 10_000 }).toBe(true);
    expect(await ask(open(next, next))).toBe(0);
    expect(await ask(open(next, old))).toBe('failure 14');

    const before = answers.length;
    await expect.poll(() => answers.length).toBeGreaterThan(before + 10);
    isOver = true;
    await stream;
    expect(new Set(answers)).toEqual(new Set([0]));
    expect(await metric(LOADED)).toBe(2);
    expect(await metric(NOT_AFTER)).toBeGreaterThan(Date.now() / 1000);
  });

  test('leaves no session to be taken up again with a certificate of before', async () => {
    const own = old.issue('envoy', 'DNS:envoy');
    const { session, isReused } = await shakeHands({ cert: own.cert, key: own.key });
    expect(isReused).toBe(false);
    expect((await shakeHands({ cert: own.cert, key: own.key, session })).isReused).toBe(true);
    const renewed = next.issue('server-2', 'DNS:localhost');
    swap(renewed, [next]);
    await expect.poll(() => isShown(renewed), { timeout: 10_000 }).toBe(true);
    await expect(shakeHands({ cert: own.cert, key: own.key, session })).rejects.toThrow();
  });

  test('and then its authority: two are trusted in between, so that nobody is left out', async () => {
    swap(server, [old, next]);
    await expect.poll(() => ask(open(old, next)), { timeout: 10_000 }).toBe(0);
    expect(await ask(open(old, old))).toBe(0);
  });

  test('with a key that is not its own changes nothing, until the right one comes', async () => {
    const renewed = old.issue('server-2', 'DNS:localhost');
    swap({ cert: renewed.cert, key: server.key }, [old]);
    await expect.poll(() => metric(FAILED), { timeout: 10_000 }).toBe(1);
    expect(await isShown(server)).toBe(true);
    expect(await ask(open(old, old))).toBe(0);
    expect(postern.stderr()).toContain('the certificate cannot be renewed');
    expect(postern.stderr()).not.toContain(readFileSync(server.keyPath, 'utf8').slice(30, 60));
    swap(renewed, [old]);
    await expect.poll(() => isShown(renewed), { timeout: 10_000 }).toBe(true);
  });

  test('to nothing at all changes nothing', async () => {
    rmSync(join(mount, '..data'));
    await expect.poll(() => metric(FAILED), { timeout: 10_000 }).toBeGreaterThan(0);
    expect(await ask(open(old, old))).toBe(0);
  });

  test('written again as it was is no renewal', async () => {
    swap(server, [old]);
    const renewed = old.issue('server-2', 'DNS:localhost');
    swap(renewed, [old]);
    await expect.poll(() => isShown(renewed), { timeout: 10_000 }).toBe(true);
    expect([await metric(LOADED), await metric(FAILED)]).toEqual([2, 0]);
  });
});
