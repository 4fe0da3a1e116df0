import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type CheckServer, openCheckServer } from '../../src/envoy/server.ts';
import { type Authority, makeAuthority } from '../e2e/certificates.ts';
import { openRawClient, PROTOCOL, type RawClient } from '../e2e/raw-client.ts';

const ASKED = 20;

let folder: string;
let ca: Authority;
let server: CheckServer;
const clients: RawClient[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-names-'));
  ca = makeAuthority(folder, 'ca');
  const { cert, key } = ca.issue('server', 'DNS:localhost');
  server = await openCheckServer({
    address: '127.0.0.1:0',
    tls: { cert, key, clientCa: ca.cert, clientNames: ['envoy'] },
    protocol: PROTOCOL,
    handleCheck: async () => new Uint8Array(),
  });
});

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  vi.restoreAllMocks();
});

afterAll(async () => {
  await server?.close(0);
  rmSync(folder, { recursive: true, force: true });
});

function open(name: string): RawClient {
  const own = ca.issue(name, `DNS:${name}`);
  const security = credentials.createSsl(ca.cert, own.key, own.cert);
  const apart = {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.ssl_target_name_override': 'localhost',
  };
  const client = openRawClient(server.address, security, apart);
  clients.push(client);
  return client;
}

/** Asks several times over one connection; answers what came back, each once. */
async function askAll(client: RawClient): Promise<ReadonlySet<unknown>> {
  const outcomes = new Set<unknown>();
  for (let turn = 0; turn < ASKED; turn += 1) {
    const outcome = client.check(new Uint8Array()).then(
      () => 'answered',
      ({ code }) => code,
    );
    outcomes.add(await outcome);
  }
  return outcomes;
}

test.each([
  ['envoy', 'answered'],
  ['stranger', 7],
])('the certificate of %s is read once for all calls of its connection', async (name, outcome) => {
  const readByServer = vi.spyOn(TLSSocket.prototype, 'getPeerCertificate');
  const isReadByServer = ({ instances }: typeof readByServer.mock, index: number) =>
    Reflect.get(instances[index] ?? {}, 'server') !== undefined;
  expect(await askAll(open(name))).toEqual(new Set([outcome]));
  const reads = readByServer.mock.calls.filter((_, at) => isReadByServer(readByServer.mock, at));
  expect(reads).toHaveLength(1);
});

test('what one connection may is nothing to another', async () => {
  const [envoy, stranger] = [open('envoy'), open('stranger')];
  expect(await askAll(envoy)).toEqual(new Set(['answered']));
  expect(await askAll(stranger)).toEqual(new Set([7]));
  expect(await askAll(envoy)).toEqual(new Set(['answered']));
});
