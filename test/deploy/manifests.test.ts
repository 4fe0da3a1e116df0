import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  KUSTOMIZE,
  kustomizations,
  patches,
  placeOf,
  ROOT,
  resources,
  type Tree,
} from './manifests.ts';
import { fieldProblems, requireValid } from './strict.ts';

const all = kustomizations();
const whole = resources();
const parts = patches();

/** Kinds, a field that none of them has, and where it is put. */
const MISSPELT: readonly (readonly [string, string, readonly (string | number)[]])[] = [
  ['Deployment', 'imagee', ['spec', 'template', 'spec', 'containers', 0]],
  ['NetworkPolicy', 'ingres', ['spec']],
  ['AuthorizationPolicy', 'providr', ['spec']],
  ['SecurityPolicy', 'failOpn', ['spec', 'extAuth']],
  ['HTTPRoute', 'externalAuthh', ['spec', 'rules', 0, 'filters', 0]],
  ['PodMonitor', 'podMetricsEndpoint', ['spec']],
  ['Certificate', 'dnsName', ['spec']],
  [
    'IstioOperator',
    'failopen',
    ['spec', 'meshConfig', 'extensionProviders', 0, 'envoyExtAuthzGrpc'],
  ],
];

const step = (at: Tree, name: string | number): Tree => Object(at[name]);
const isAt = (tree: Tree, path: readonly (string | number)[]) =>
  Object.keys(path.reduce(step, tree)).length > 0;

describe('kustomizations', () => {
  test.each(all.map((one) => [one.folder, one] as const))('%s names what is there', (_, one) => {
    const files = [...one.configMapGenerator, ...one.secretGenerator].flatMap(
      ({ files = [] }) => files,
    );
    const named = [...one.resources, ...one.components, ...files];
    const patched = one.patches.flatMap(({ path }) => (path === undefined ? [] : [path]));
    for (const path of [...named, ...patched]) {
      const place = join(ROOT, placeOf(one, path));
      const isFolder = existsSync(join(place, 'kustomization.yaml'));
      expect([path, isFolder || /\.\w+$/.test(path), existsSync(place)]).toEqual([
        path,
        true,
        true,
      ]);
    }
  });

  test('name every file that stands there', () => {
    const named = all.flatMap((one) => {
      const generated = [...one.configMapGenerator, ...one.secretGenerator];
      const files = [
        ...one.resources,
        ...generated.flatMap(({ files = [] }) => files),
        ...one.patches.flatMap(({ path }) => (path === undefined ? [] : [path])),
      ];
      return [`${one.folder}/kustomization.yaml`, ...files.map((file) => placeOf(one, file))];
    });
    const standing = globSync(`${KUSTOMIZE}/**/*.*`, { cwd: ROOT });
    const apart = [`${KUSTOMIZE}/overlays/istio/mesh-config.yaml`];
    expect(standing.filter((file) => !named.includes(file))).toEqual(apart);
  });

  test('take no file from outside their own folder, which kubectl refuses', () => {
    for (const one of all) {
      const files = one.configMapGenerator.flatMap(({ files = [] }) => files);
      const patched = one.patches.flatMap(({ path }) => (path === undefined ? [] : [path]));
      const own = [...files, ...patched, ...one.resources.filter((path) => path.endsWith('.yaml'))];
      expect(own.filter((path) => path.startsWith('..'))).toEqual([]);
    }
  });

  test('of the policy keep its name, so that it reloads live', () => {
    const policies = all
      .flatMap((one) => one.configMapGenerator)
      .filter(({ name }) => /policy/.test(name));
    expect(policies.length).toBeGreaterThan(4);
    for (const { options } of policies) expect(options).toEqual({ disableNameSuffixHash: true });
  });
});

describe('manifests', () => {
  test.each(whole.map((one) => [`${one.file} ${one.kind}`, one] as const))(
    '%s has values that its schema takes',
    async (_, one) => {
      await requireValid(one);
    },
  );

  test('have fields that their types know, and no others', () => {
    expect(fieldProblems(whole, parts)).toEqual([]);
  });

  test('with a field that is misspelt are refused, whatever their kind', async () => {
    const spoilt = MISSPELT.map(([kind, field, path]) => {
      const found = whole.find((one) => one.kind === kind && isAt(one.document, path));
      if (!found) throw new Error(`no ${kind}`);
      const document = structuredClone(found.document);
      Object.assign(path.reduce(step, document), { [field]: 'x' });
      return { ...found, document };
    });
    const problems = fieldProblems(spoilt).join('\n');
    const unseen = MISSPELT.filter(([, field]) => !problems.includes(`'"${field}"'`));
    expect(unseen.map(([kind]) => kind)).toEqual(['Certificate', 'IstioOperator']);
    for (const one of spoilt.filter(({ kind }) => /Cert|Oper/.test(kind)))
      await expect(requireValid(one)).rejects.toThrow('unrecognized_keys');
  });

  test('a patch with an unknown field is refused', () => {
    const [patch] = parts;
    if (!patch) throw new Error('no patch');
    const document = { ...patch.document, spec: { template: { spec: { contaners: [] } } } };
    expect(fieldProblems([], [{ ...patch, document }])).not.toEqual([]);
  });
});
