import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../cli/shell.ts';
import { openDirectory } from '../config/policy-file.ts';
import { KUSTOMIZE, type Kustomization, kustomizations, placeOf, ROOT } from './manifests.ts';

/** Files that are applied together, from the root. */
type Applied = { readonly policy: readonly string[]; readonly wiring: readonly string[] };

const all = kustomizations();
const IN_COMPOSE = ['listen', 'store', 'routes'].map(
  (name) => `deploy/compose/policy/${name}.yaml`,
);

/** Everything that a kustomization brings: what a component or an overlay says of a file comes after what it builds on. */
function appliedBy(folder: string): Applied {
  const one = all.find((each) => each.folder === folder);
  if (!one) throw new Error(`${folder} is no kustomization`);
  const named = [...one.resources, ...one.components].map((path) => placeOf(one, path));
  const below = named.filter((path) => !path.endsWith('.yaml')).map(appliedBy);
  const { policy, others } = mapsOf(one);
  return {
    policy: [...below.flatMap((each) => each.policy), ...policy],
    wiring: [
      ...below.flatMap((each) => each.wiring),
      ...named.filter((path) => path.endsWith('.yaml')),
      ...others,
    ],
  };
}

/** The files of its ConfigMaps: those of Postern's policy, and other configuration. */
function mapsOf(one: Kustomization) {
  const files = one.configMapGenerator.map(({ name, files: named = [] }) => ({
    isPolicy: name.endsWith('policy'),
    files: named.map((path) => placeOf(one, path)).filter((path) => path.endsWith('.yaml')),
  }));
  return {
    policy: files.flatMap((map) => (map.isPolicy ? map.files : [])),
    others: files.flatMap((map) => (map.isPolicy ? [] : map.files)),
  };
}

const overlay = (name: string) => appliedBy(`${KUSTOMIZE}/overlays/${name}`);
const istio = overlay('istio');
const mesh = `${KUSTOMIZE}/overlays/istio/mesh-config.yaml`;

/** What is applied together, and the warnings that stay: docs/operations.md says why. */
const PLACES: readonly (readonly [string, Applied, readonly string[]])[] = [
  [
    'sidecar',
    overlay('sidecar'),
    [`${KUSTOMIZE}/components/sidecar/envoy.yaml unguarded_listener`],
  ],
  ['shared', overlay('shared'), [`${KUSTOMIZE}/edge/envoy.yaml unguarded_listener`]],
  ['istio', { ...istio, wiring: [...istio.wiring, mesh] }, []],
  ['envoy-gateway', overlay('envoy-gateway'), []],
  ['gateway-api', overlay('gateway-api'), []],
  [
    'compose',
    { policy: IN_COMPOSE, wiring: ['deploy/compose/envoy.yaml'] },
    ['deploy/compose/envoy.yaml unguarded_listener', 'deploy/compose/envoy.yaml no_tls'],
  ],
  ['envoy.yaml with the example', { policy: ['examples/policy.yaml'], wiring: ['envoy.yaml'] }, []],
  [
    'the edge with the policy of the base alone',
    { policy: appliedBy(`${KUSTOMIZE}/base`).policy, wiring: [`${KUSTOMIZE}/edge/envoy.yaml`] },
    [`${KUSTOMIZE}/edge/envoy.yaml unguarded_listener`, `${KUSTOMIZE}/edge/envoy.yaml tls_differs`],
  ],
];

type Found = {
  readonly policy: { readonly problems: readonly unknown[] };
  readonly wiring: {
    readonly problems: readonly unknown[];
    readonly warnings: readonly { readonly file: string; readonly name: string }[];
  };
};

test.each(PLACES)('postern validate --envoy: %s', async (_name, { policy, wiring }, stays) => {
  const texts = policy.map((file) => [basename(file), readFileSync(join(ROOT, file), 'utf8')]);
  using folder = openDirectory({ ...Object.fromEntries(texts), password: 'from a file\n' });
  for (const [file = '', text = ''] of texts)
    folder.write(file, text.replace('/run/secrets/redis', folder.path));
  const files = wiring.flatMap((file) => ['--envoy', join(ROOT, file)]);
  const { out } = await run(['validate', folder.path, '--json', ...files]);
  const found = JSON.parse(out) as Found;
  expect([...found.policy.problems, ...found.wiring.problems]).toEqual([]);
  const warnings = found.wiring.warnings.map(({ file, name }) => `${relative(ROOT, file)} ${name}`);
  expect(warnings).toEqual(stays);
});

test('every warning that stays is explained', () => {
  const text = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8');
  const names = PLACES.flatMap(([, , stays]) => stays.map((one) => one.split(' ')[1]));
  for (const name of new Set(names)) expect(text).toContain(`\`${name}\``);
});
