import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { EXT_AUTHZ } from '../../scripts/lib/bootstrap.ts';
import { impliedEnvoys } from '../../scripts/lib/implied-envoys.ts';
import { makeAuthority } from '../e2e/certificates.ts';
import { describeEnvoy, envoyBinary } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { KUSTOMIZE, ROOT, type Tree } from './manifests.ts';
import { runAt } from './places.ts';

const KEY = 'pst_o7LAEq10b777Vc0p7igZNk6H1it0VBal22zCF3';
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The bootstraps that are there as files, and those that a control plane makes of an overlay. */
const WRITTEN = new Map([
  ['sidecar', read(`${KUSTOMIZE}/components/sidecar/envoy.yaml`)],
  ['edge', read(`${KUSTOMIZE}/edge/envoy.yaml`)],
  ['compose', read('deploy/compose/envoy.yaml')],
]);
const ENVOYS = [...WRITTEN, ...impliedEnvoys()];

let folder: string;

/** What the edge has mounted, in a folder of this machine. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-deploy-'));
  mkdirSync(join(folder, 'tls'));
  const ca = makeAuthority(folder, 'ca');
  const own = ca.issue('envoy', 'DNS:envoy.edge.svc');
  writeFileSync(join(folder, 'tls', 'tls.crt'), own.cert);
  writeFileSync(join(folder, 'tls', 'tls.key'), own.key);
  writeFileSync(join(folder, 'tls', 'ca.crt'), ca.cert);
  for (const file of ['sds-certificate.yaml', 'sds-authority.yaml'])
    writeFileSync(join(folder, file), here(read(`${KUSTOMIZE}/edge/${file}`)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function here(text: string): string {
  return text
    .replaceAll('/run/secrets/tls', join(folder, 'tls'))
    .replaceAll('/etc/envoy/', `${folder}/`);
}

describeEnvoy('envoy --mode validate', () => {
  test.each(ENVOYS)('accepts what %s implies', (name, text) => {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(path, here(text));
    const args = ['--mode', 'validate', '-c', path];
    const { stdout, stderr, status } = spawnSync(envoyBinary, args, { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toContain('OK');
    expect(`${stdout}${stderr}`).not.toMatch(/deprecated/i);
    expect(status).toBe(0);
  });
});

describe('every bootstrap', () => {
  const filterOf = (text: string): Tree => {
    const at = (tree: unknown, name: string | number) => Object(tree)[name];
    return EXT_AUTHZ.reduce<Tree>(at, parse(text));
  };
  const seconds = (duration: unknown) => Number(/^([\d.]+)s$/.exec(String(duration))?.[1]);
  const mesh = ENVOYS.filter(([name]) => name !== 'gateway-api');

  test.each(mesh)('%s: fails closed, reads as an outage, sees and checks each line', (_, text) => {
    const filter = filterOf(text);
    expect(filter).toMatchObject({
      failure_mode_allow: false,
      encode_raw_headers: true,
      validate_mutations: true,
      decoder_header_mutation_rules: { disallow_is_error: true },
    });
    expect([503, 'ServiceUnavailable']).toContain(Object(filter['status_on_error'])['code']);
    expect(filter['allowed_headers']).toBeUndefined();
  });

  test.each(mesh)('%s: one try may take as long as the whole call', (_, text) => {
    const { timeout, retry_policy } = Object(filterOf(text)['grpc_service']);
    expect(seconds(timeout)).toBe(0.25);
    expect(seconds(retry_policy.retry_back_off.max_interval)).toBeGreaterThanOrEqual(
      seconds(timeout),
    );
  });
});

describeEnvoy('with a real Envoy and a real Postern', () => {
  let upstream: Upstream;
  let postern: Postern;

  beforeAll(async () => {
    upstream = await startUpstream();
    postern = await startPostern({
      policy: { path: join(ROOT, KUSTOMIZE, 'base/policy/routes.yaml') },
    });
  });
  afterAll(async () => {
    await postern?.stop();
    await upstream?.stop();
  });

  test.each(ENVOYS.filter(([name]) => !['edge', 'gateway-api'].includes(name)))(
    '%s: lets in whom the policy admits, without their key, and leaves refusals alone',
    async (_, text) => {
      const places = { checkAddress: postern.checkAddress, upstreamPort: upstream.port };
      const envoy = await runAt(envoyBinary, text, places);
      try {
        const forged = ['x-auth-username', 'mallory'] as const;
        const ask = (target: string, ...headers: (readonly [string, string])[]) =>
          send({ port: envoy.port, target, headers });
        const allowed = await ask('/v1/reports/7', ['x-api-key', KEY], forged);
        expect(allowed.status).toBe(200);
        expect(upstream.last().header('x-auth-username')).toBe('demo');
        expect(JSON.stringify(upstream.last())).not.toContain(KEY);
        const twice = await ask('/v1/reports/7', ['x-api-key', KEY], ['x-api-key', KEY]);
        expect(twice.json()).toMatchObject({ reason: 'duplicate_credential' });
        const refused = await ask('/v1/reports/7');
        expect([refused.status, refused.json()]).toMatchObject([
          401,
          { reason: 'missing_credential' },
        ]);
        expect(refused.header('www-authenticate')).toContain('realm="example"');
        const escaped = await ask('/hello%2fthere');
        expect([escaped.status, escaped.json()]).toMatchObject([
          400,
          { reason: 'malformed_request' },
        ]);
        expect((await ask('/hello', ['x_auth_username', 'mallory'])).status).toBe(400);
      } finally {
        await envoy.stop();
      }
    },
  );
});
