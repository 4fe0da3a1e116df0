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
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { type Authority, type Certificate, makeAuthority } from '../e2e/certificates.ts';
import { sample } from '../e2e/policy.ts';
import { describeEnvoy, envoyBinary } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { KUSTOMIZE, ROOT } from './manifests.ts';
import { runAt } from './places.ts';

const FILES = ['tls.crt', 'tls.key', 'ca.crt'];
const ANY = '127.0.0.1:0';
const read = (file: string) => readFileSync(join(ROOT, KUSTOMIZE, file), 'utf8');

let folder: string;
let upstream: Upstream;
let postern: Postern;
let envoy: RunningEnvoy;
let generation = 0;

/** The folder that a Secret is mounted in, and how Kubernetes replaces what is in it. */
function mountSecret(name: string) {
  const path = join(folder, name);
  mkdirSync(path);
  for (const file of FILES) symlinkSync(join('..data', file), join(path, file));
  const put = ({ cert, key }: Certificate, ca: Authority) => {
    generation += 1;
    const data = join(path, `..${generation}`);
    mkdirSync(data);
    const contents = [cert, key, ca.cert];
    for (const [at, file] of FILES.entries()) writeFileSync(join(data, file), contents[at] ?? '');
    symlinkSync(`..${generation}`, join(path, '..data_tmp'));
    renameSync(join(path, '..data_tmp'), join(path, '..data'));
  };
  return { path, put };
}

function makeCa(name: string): Authority {
  mkdirSync(join(folder, name));
  return makeAuthority(join(folder, name), 'ca');
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-edge-'));
  upstream = await startUpstream();
});

afterEach(async () => {
  await envoy?.stop();
  await postern?.kill();
  await upstream?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Postern as components/mtls says it, and the Envoy of edge/; both with what they have mounted. */
async function start(posternTls: string, envoyTls: string): Promise<void> {
  const { check } = parse(read('components/mtls/listen.yaml')).listen;
  const tls = JSON.parse(JSON.stringify(check.tls).replaceAll('/run/secrets/tls', posternTls));
  postern = await startPostern({
    policy: read('base/policy/routes.yaml'),
    change: (policy) => policy.set('listen', { check: { address: ANY, tls }, api: ANY, ops: ANY }),
  });
  const here = (text: string) =>
    text.replaceAll('/run/secrets/tls', envoyTls).replaceAll('/etc/envoy/', `${folder}/`);
  for (const file of ['sds-certificate.yaml', 'sds-authority.yaml'])
    writeFileSync(join(folder, file), here(read(`edge/${file}`)));
  const places = { checkAddress: postern.checkAddress, upstreamPort: upstream.port };
  envoy = await runAt(envoyBinary, here(read('edge/envoy.yaml')), places);
}

const ask = () => send({ port: envoy.port, target: '/hello' });

describeEnvoy('the Envoy of edge/ and Postern, by certificates', () => {
  test('ask each other, through a rotation of both', async () => {
    const ca = makeCa('ca');
    const [server, client] = [mountSecret('postern'), mountSecret('envoy')];
    server.put(ca.issue('server', 'DNS:postern.postern.svc'), ca);
    client.put(ca.issue('client', 'DNS:envoy.edge.svc'), ca);
    await start(server.path, client.path);
    expect((await ask()).status).toBe(200);

    const statuses: number[] = [];
    let isOver = false;
    const load = (async () => {
      while (!isOver) statuses.push((await ask()).status);
    })();
    server.put(ca.issue('server-2', 'DNS:postern.postern.svc'), ca);
    client.put(ca.issue('client-2', 'DNS:envoy.edge.svc'), ca);
    const loaded = 'postern_certificate_loads_total{outcome="ok"}';
    const metrics = async () => (await fetch(`${postern.opsUrl}/metrics`)).text();
    await expect.poll(async () => sample(await metrics(), loaded), { timeout: 10_000 }).toBe(2);
    const taken = async () => {
      const stats = await envoy.stats();
      return ['envoy', 'authority'].map((name) => stats[`sds.${name}.update_success`]);
    };
    await expect.poll(taken, { timeout: 10_000 }).toEqual([2, 2]);
    const before = statuses.length;
    await expect.poll(() => statuses.length).toBeGreaterThan(before + 20);
    isOver = true;
    await load;
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test('a stranger with a certificate of the same authority gets no answer: 503', async () => {
    const ca = makeCa('ca');
    const [server, client] = [mountSecret('postern'), mountSecret('envoy')];
    server.put(ca.issue('server', 'DNS:postern.postern.svc'), ca);
    client.put(ca.issue('client', 'DNS:other.edge.svc'), ca);
    await start(server.path, client.path);
    const answer = await ask();
    expect([answer.status, answer.json()]).toMatchObject([503, { reason: 'unavailable' }]);
    expect(upstream.requests).toEqual([]);
  });

  test('a Postern with a certificate of another name is not believed: 503', async () => {
    const ca = makeCa('ca');
    const [server, client] = [mountSecret('postern'), mountSecret('envoy')];
    server.put(ca.issue('server', 'DNS:impostor.postern.svc'), ca);
    client.put(ca.issue('client', 'DNS:envoy.edge.svc'), ca);
    await start(server.path, client.path);
    expect((await ask()).status).toBe(503);
    expect(upstream.requests).toEqual([]);
  });
});
