import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  idOf,
  KUSTOMIZE,
  type Manifest,
  manifestsIn,
  OVERLAYS,
  podSpec,
  ROOT,
  type Tree,
} from './manifests.ts';
import { fieldProblems, requireValid } from './strict.ts';

const kustomize = findKustomize();

function findKustomize(): string | undefined {
  const candidates = [process.env['KUSTOMIZE_BIN'], 'kustomize'].filter((one) => one !== undefined);
  return candidates.find((one) => spawnSync(one, ['version']).status === 0);
}

const built = new Map<string, readonly Manifest[]>();

function build(overlay: string): readonly Manifest[] {
  const known = built.get(overlay);
  if (known) return known;
  const folder = join(ROOT, KUSTOMIZE, 'overlays', overlay);
  const { stdout, stderr } = spawnSync(kustomize ?? '', ['build', folder], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const manifests = manifestsIn(overlay, stdout);
  built.set(overlay, manifests);
  return manifests;
}

/** What the pods of a manifest mount, as ids. */
function mounted({ document }: Manifest): readonly string[] {
  const { namespace } = Object(document['metadata']);
  const volumes = (podSpec(document)?.['volumes'] ?? []) as readonly Tree[];
  return volumes.flatMap(({ configMap, secret }) => {
    if (configMap) return [`ConfigMap ${namespace}/${Object(configMap)['name']}`];
    return secret ? [`Secret ${namespace}/${Object(secret)['secretName']}`] : [];
  });
}

/** What is there once the manifests are applied, as ids; cert-manager makes a Secret for each Certificate. */
function standing(manifests: readonly Manifest[]): readonly string[] {
  const certificates = manifests.filter(({ kind }) => kind === 'Certificate');
  const secrets = certificates.map(({ document }) => {
    const { namespace } = Object(document['metadata']);
    return `Secret ${namespace}/${Object(document['spec'])['secretName']}`;
  });
  return [...manifests.map(idOf), ...secrets];
}

/** Where the tool is present; what it builds is checked as strictly as what it builds from. */
describe.skipIf(kustomize === undefined)('kustomize build', () => {
  test.each(OVERLAYS)('%s: every manifest is sound', async (overlay) => {
    const manifests = build(overlay);
    expect(manifests.length).toBeGreaterThan(4);
    for (const one of manifests) await requireValid(one);
    expect(fieldProblems(manifests)).toEqual([]);
  });

  test.each(OVERLAYS)('%s: what pods mount is there, and nothing is made twice', (overlay) => {
    const manifests = build(overlay);
    const ids = standing(manifests);
    expect(new Set(ids).size).toBe(ids.length);
    expect(manifests.flatMap(mounted).filter((id) => !ids.includes(id))).toEqual([]);
    expect(manifests.flatMap(mounted).length).toBeGreaterThan(2);
  });

  test('sidecar: Postern, then Envoy, then the application, which nobody else reaches', () => {
    const manifests = build('sidecar');
    const pod = manifests.map(({ document }) => podSpec(document)).find((one) => one);
    const sidecars = (pod?.['initContainers'] ?? []) as readonly Tree[];
    expect(sidecars.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([
      ['postern', 'Always'],
      ['envoy', 'Always'],
    ]);
    for (const { startupProbe } of sidecars) expect(startupProbe).toBeDefined();
    expect(manifests.filter(({ kind }) => kind === 'Service').map(idOf)).toEqual([
      'Service edge/api',
    ]);
  });
});
