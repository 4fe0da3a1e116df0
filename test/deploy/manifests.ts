import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

/** The project's root. */
export const ROOT = join(import.meta.dirname, '..', '..');
/** The folder of all manifests, from the root. */
export const KUSTOMIZE = 'deploy/kustomize';
export const OVERLAYS = ['sidecar', 'shared', 'istio', 'envoy-gateway', 'gateway-api'] as const;

/** A YAML document that Kubernetes is given, and where it stands. */
export type Manifest = {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly document: Tree;
};

export type Tree = { readonly [field: string]: unknown };

const generator = z.strictObject({
  name: z.string(),
  namespace: z.string().optional(),
  behavior: z.literal('merge').optional(),
  files: z.array(z.string()).optional(),
  literals: z.array(z.string()).optional(),
  options: z
    .strictObject({
      disableNameSuffixHash: z.literal(true),
      labels: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});

const target = z.strictObject({
  kind: z.string().optional(),
  name: z.string().optional(),
  labelSelector: z.string().optional(),
});

/** What of kustomize is used here; any other field is a mistake. */
const kustomization = z.strictObject({
  apiVersion: z.enum(['kustomize.config.k8s.io/v1beta1', 'kustomize.config.k8s.io/v1alpha1']),
  kind: z.enum(['Kustomization', 'Component']),
  namespace: z.string().optional(),
  labels: z.array(z.strictObject({ pairs: z.record(z.string(), z.string()) })).optional(),
  resources: z.array(z.string()).default([]),
  components: z.array(z.string()).default([]),
  configMapGenerator: z.array(generator).default([]),
  secretGenerator: z.array(generator).default([]),
  patches: z
    .array(
      z.strictObject({
        path: z.string().optional(),
        patch: z.string().optional(),
        target: target.optional(),
      }),
    )
    .default([]),
  images: z.array(z.strictObject({ name: z.string(), newTag: z.string() })).optional(),
});

export type Kustomization = z.infer<typeof kustomization> & { readonly folder: string };

/** Every kustomization and component, checked. Throws for one that kustomize would not understand. */
export function kustomizations(): readonly Kustomization[] {
  return globSync(`${KUSTOMIZE}/**/kustomization.yaml`, { cwd: ROOT }).map((file) => {
    const [document] = documentsOf(file);
    return { ...kustomization.parse(document), folder: dirname(file) };
  });
}

/** A path that a kustomization names, from the root. */
export function placeOf({ folder }: Kustomization, named: string): string {
  return normalize(join(folder, named));
}

/** The whole resources of all kustomizations. */
export function resources(): readonly Manifest[] {
  const files = kustomizations().flatMap((one) =>
    one.resources.filter((path) => path.endsWith('.yaml')).map((path) => placeOf(one, path)),
  );
  return [...files, `${KUSTOMIZE}/overlays/istio/mesh-config.yaml`].flatMap(manifestsOf);
}

/** The patches of all kustomizations, which say a part of a resource each. */
export function patches(): readonly Manifest[] {
  const files = kustomizations().flatMap((one) =>
    one.patches.flatMap(({ path }) => (path === undefined ? [] : [placeOf(one, path)])),
  );
  return files.flatMap(manifestsOf);
}

function manifestsOf(file: string): readonly Manifest[] {
  return documentsOf(file).map((document) => manifest(file, document));
}

/** The manifests in a text of several documents. */
export function manifestsIn(file: string, text: string): readonly Manifest[] {
  return parse(text, file).map((document) => manifest(file, document));
}

function manifest(file: string, document: Tree): Manifest {
  const { apiVersion, kind } = z
    .looseObject({ apiVersion: z.string(), kind: z.string() })
    .parse(document);
  return { file, apiVersion, kind, document };
}

/** The YAML documents of a file of the project. Throws for text that is no YAML, or names a key twice. */
export function documentsOf(file: string): readonly Tree[] {
  return parse(readFileSync(join(ROOT, file), 'utf8'), file);
}

function parse(text: string, file: string): readonly Tree[] {
  return parseAllDocuments(text, { uniqueKeys: true }).map((document) => {
    const [fault] = document.errors;
    if (fault) throw new Error(`${file}: ${fault.message}`);
    return document.toJS() as Tree;
  });
}

/** The pod that a manifest describes; undefined when it describes none. */
export function podSpec({ spec }: Tree): Tree | undefined {
  const template = Object(spec)['template'];
  return Object(template)['spec'];
}

/** `Kind namespace/name` */
export function idOf({ kind, document }: Manifest): string {
  const { namespace = '-', name } = Object(document['metadata']);
  return `${kind} ${namespace}/${name}`;
}
