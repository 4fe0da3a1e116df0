import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Manifest, ROOT, type Tree } from './manifests.ts';
import { externalAuth, OWN_SCHEMAS } from './own-schemas.ts';

const PACKAGES: { readonly [group: string]: string } = {
  'networking.istio.io': '@kubernetes-models/istio',
  'security.istio.io': '@kubernetes-models/istio',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'gateway.envoyproxy.io': '@kubernetes-models/envoy-gateway',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** The module that knows a kind of manifest; undefined for those whose schema is our own. */
function moduleOf({ apiVersion, kind }: Manifest): string | undefined {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  if (OWN_SCHEMAS[kind]) return undefined;
  const own = PACKAGES[group];
  if (own) return `${own}/${group}/${version}/${kind}`;
  return ['kubernetes-models', group, version, kind].filter((part) => part !== '').join('/');
}

/** Checks values: types, enums, patterns. Throws for the first manifest that its schema refuses, or that none knows. */
export async function requireValid(manifest: Manifest): Promise<void> {
  const module = moduleOf(manifest);
  if (module === undefined) {
    OWN_SCHEMAS[manifest.kind]?.parse(manifest.document);
    return;
  }
  const models: { readonly [kind: string]: new (data: Tree) => { validate: () => void } } =
    await import(/* @vite-ignore */ module);
  const Model = models[manifest.kind];
  if (!Model) throw new Error(`${module} knows no ${manifest.kind}`);
  new Model(withoutExternalAuth(manifest.document)).validate();
}

/** Takes experimental filters out of a copy, each checked by a schema of our own. */
function withoutExternalAuth(document: Tree): Tree {
  const isExternal = (value: unknown) => Object(value)['type'] === 'ExternalAuth';
  return JSON.parse(
    JSON.stringify(document, (key, value) => {
      if (key !== 'filters' || !Array.isArray(value)) return value;
      for (const filter of value.filter(isExternal)) externalAuth.parse(filter);
      return value.filter((filter) => !isExternal(filter));
    }),
  );
}

/** A patch says a part of a resource, at any depth. */
const PART =
  'type Part<T> = T extends readonly (infer U)[] ? Part<U>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;';

/**
 * Checks fields: the compiler reads each manifest as a literal of its type, and refuses a field that the type does not have.
 * The answer is what it says, a line each; empty when all are sound.
 */
export function fieldProblems(
  whole: readonly Manifest[],
  parts: readonly Manifest[] = [],
): readonly string[] {
  const lines = [
    PART,
    ...whole.flatMap((one, at) => literal(one, `whole${at}`, (type) => type)),
    ...parts.flatMap((one, at) => literal(one, `part${at}`, (type) => `Part<${type}>`)),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'postern-manifests-'));
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'manifests.ts'), `${lines.join('\n')}\n`);
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const options =
      '--noEmit --strict --skipLibCheck --module nodenext --target esnext --types node';
    const args = [tsc, ...options.split(' '), 'manifests.ts'];
    const { stdout, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    const problems = stdout.split('\n').filter((line) => line.includes('error TS'));
    return status === 0 || problems.length > 0 ? problems : [stdout];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function literal(
  manifest: Manifest,
  name: string,
  wrap: (type: string) => string,
): readonly string[] {
  const module = moduleOf(manifest);
  if (module === undefined) return [];
  const type = wrap(`import('${module}').I${manifest.kind}`);
  const text = JSON.stringify(withoutDirectives(manifest.document), undefined, 1);
  return [`// ${manifest.file}`, `export const ${name}: ${type} = ${text};`];
}

/** Without what speaks to kustomize: `$patch`, and a null, which takes a field away. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key, one]) => key !== '$patch' && one !== null);
  return Object.fromEntries(kept.map(([key, one]) => [key, withoutDirectives(one)]));
}
