import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadPolicy } from '../../src/config/load.ts';
import { readSettings } from '../../src/config/settings.ts';
import { ROOT } from './manifests.ts';

const BASE = 'deploy/kustomize/base/policy';
const COMPONENTS = 'deploy/kustomize/components';
const base = ['listen', 'store', 'routes'].map((name) => `${BASE}/${name}.yaml`);
const redis = `${COMPONENTS}/redis/store.yaml`;
const mtls = `${COMPONENTS}/mtls/listen.yaml`;
const ops = { kind: 'tcp', host: '0.0.0.0', port: 9193 };
const check = (port: number) => ({ kind: 'tcp', host: '0.0.0.0', port });

/** Files of a policy as they come together in one folder, a later one in the place of one of the same name. */
const POLICIES: readonly (readonly [string, readonly string[], object])[] = [
  ['base', base, { listen: { check: { address: check(9191) } }, store: { kind: 'memory' } }],
  [
    'shared',
    [...base, redis, mtls],
    {
      listen: { check: { tls: { clientNames: ['envoy.edge.svc'] } } },
      store: { kind: 'redis', password: 'from a file' },
    },
  ],
  ['istio', [...base, redis], { listen: { check: { tls: undefined } } }],
  [
    'gateway-api',
    [...base, redis, mtls, 'deploy/kustomize/overlays/gateway-api/listen.yaml'],
    { listen: { check: { tls: { clientCa: undefined } } } },
  ],
  [
    'sidecar',
    ['listen', 'routes'].map((name) => `${COMPONENTS}/sidecar/policy/${name}.yaml`),
    { listen: { check: { address: { kind: 'unix', path: '/run/postern/check.sock' } } } },
  ],
  [
    'compose',
    ['listen', 'store', 'routes'].map((name) => `deploy/compose/policy/${name}.yaml`),
    { store: { kind: 'redis', urls: ['redis://redis:6379/0'] } },
  ],
];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-policies-'));
  writeFileSync(join(folder, 'password'), 'from a file\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(POLICIES)('the policy of %s is sound', (name, files, settings) => {
  const path = join(folder, name);
  mkdirSync(path);
  for (const file of files) {
    const text = readFileSync(join(ROOT, file), 'utf8').replace('/run/secrets/redis', folder);
    writeFileSync(join(path, basename(file)), text);
  }
  const { config, problems } = loadPolicy({ path, env: {}, nowMs: Date.now() });
  expect(problems).toEqual([]);
  expect(config && readSettings(config)).toMatchObject({ ...settings, product: 'example' });
  expect(config && readSettings(config).listen.ops).toEqual(ops);
});
