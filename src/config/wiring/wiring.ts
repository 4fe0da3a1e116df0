import type { Guard, Patch } from './guard.ts';
import { readJsonPatch } from './json-patch.ts';
import type { WiringDocument } from './parse.ts';
import { at, everyMap, findAbove, isThere, itemsOf, rootOf, type Spot, textAt } from './spot.ts';

/** An HTTP connection manager; `isWhole` as for a guard. */
export type Connection = { readonly spot: Spot; readonly isWhole: boolean };

/** A Kubernetes object. */
export type Resource = { readonly kind: string; readonly root: Spot; readonly spec: Spot };

/** All that wiring files say about how Postern is asked. */
export type Wiring = {
  readonly maps: readonly Spot[];
  readonly guards: readonly Guard[];
  readonly connections: readonly Connection[];
  /** What single routes, hosts and clusters say of ext_authz. */
  readonly overrides: readonly Spot[];
  readonly clusters: ReadonlyMap<string, Spot>;
  readonly resources: readonly Resource[];
  /** Istio's mesh configurations. */
  readonly meshes: readonly Spot[];
};

/** Collects what the documents hold, whatever they are wrapped in. */
export function readWiring(documents: readonly WiringDocument[]): Wiring {
  const maps = documents.flatMap((document) => everyMap(rootOf(document)));
  const resources = maps.flatMap(resourceOf);
  const meshes = maps.filter(isMesh);
  const filters = maps.filter((map) => hasType(map, 'ExtAuthz'));
  const patches = [...filters.flatMap(mergeOf), ...resources.flatMap(jsonPatchesOf)];
  return {
    maps,
    guards: [
      ...filters.map((spot): Guard => {
        return { dialect: 'envoy', spot, isWhole: !isMerged(spot), patches: [] };
      }),
      ...meshes.flatMap(providersOf).map((spot) => guardOf('istio', spot, patches)),
      ...resources.flatMap((resource) => extAuthOf(resource, patches)),
      ...resources.flatMap(externalAuthOf).map((spot) => guardOf('gateway_api', spot, patches)),
      ...resources.flatMap((resource) => patchPolicyOf(resource, patches)),
    ],
    connections: maps
      .filter((map) => hasType(map, 'HttpConnectionManager'))
      .map((spot) => ({ spot, isWhole: !isMerged(spot) })),
    overrides: maps.filter(isOverride),
    clusters: new Map(
      maps.filter(isCluster).map((spot) => [textAt(at(spot, 'name')) ?? '', spot] as const),
    ),
    resources,
    meshes,
  };
}

/** Whether a map is an Envoy message of a type, by the last part of its name. */
export function hasType(spot: Spot, name: string): boolean {
  return textAt(at(spot, '@type'))?.endsWith(`.${name}`) === true;
}

/** The resources of a kind. */
export function resourcesOf({ resources }: Wiring, kind: string): readonly Resource[] {
  return resources.filter((resource) => resource.kind === kind);
}

function guardOf(dialect: Guard['dialect'], spot: Spot, patches: readonly Patch[]): Guard {
  return { dialect, spot, isWhole: true, patches };
}

function resourceOf(root: Spot): readonly Resource[] {
  const kind = textAt(at(root, 'kind'));
  const isResource = kind !== undefined && isThere(at(root, 'apiVersion'));
  return isResource ? [{ kind, root, spec: at(root, 'spec') }] : [];
}

function isMesh(map: Spot): boolean {
  const last = map.path.at(-1);
  return isThere(at(map, 'extensionProviders')) || last === 'meshConfig';
}

/** Istio's providers of ext_authz, by gRPC and by HTTP. */
function providersOf(mesh: Spot): readonly Spot[] {
  return itemsOf(at(mesh, 'extensionProviders'))
    .flatMap((provider) => [at(provider, 'envoyExtAuthzGrpc'), at(provider, 'envoyExtAuthzHttp')])
    .filter(isThere);
}

function extAuthOf(resource: Resource, patches: readonly Patch[]): readonly Guard[] {
  const extAuth = at(resource.spec, 'extAuth');
  if (resource.kind !== 'SecurityPolicy' || !isThere(extAuth)) return [];
  const own = patches.filter((patch) => isOf(resource, patch));
  return [guardOf('envoy_gateway', extAuth, own)];
}

/** Whether a patch changes the filter of a SecurityPolicy, which Envoy Gateway names after it. */
function isOf({ root }: Resource, { filter = '' }: Patch): boolean {
  const [, place, called] = /\/securitypolicy\/([^/]+)\/([^/]+)/.exec(filter) ?? [];
  const namespace = textAt(at(root, 'metadata', 'namespace')) ?? place;
  const name = textAt(at(root, 'metadata', 'name')) ?? called;
  return place === undefined || (namespace === place && name === called);
}

/** The filters of type ExternalAuth of a route of the Gateway API. */
function externalAuthOf({ kind, spec }: Resource): readonly Spot[] {
  if (kind !== 'HTTPRoute') return [];
  return itemsOf(at(spec, 'rules'))
    .flatMap((rule) => itemsOf(at(rule, 'filters')))
    .map((filter) => at(filter, 'externalAuth'))
    .filter(isThere);
}

/** Whether it is merged into something that stands elsewhere (EnvoyFilter). */
function isMerged(spot: Spot): boolean {
  return findAbove(spot, (one) => textAt(at(one, 'operation')) === 'MERGE') !== undefined;
}

function mergeOf(spot: Spot): readonly Patch[] {
  return isMerged(spot) ? [{ dialect: 'istio', path: [], value: spot }] : [];
}

/** What an EnvoyPatchPolicy changes of ext_authz. */
function jsonPatchesOf({ kind, spec }: Resource): readonly Patch[] {
  if (kind !== 'EnvoyPatchPolicy') return [];
  return itemsOf(at(spec, 'jsonPatches')).flatMap((item) => {
    const read = readJsonPatch(item);
    return read?.kind === 'read' ? [read.patch] : [];
  });
}

/** What a patch policy sets is judged also where the policy that it patches stands in no file. */
function patchPolicyOf({ kind, spec }: Resource, patches: readonly Patch[]): readonly Guard[] {
  if (kind !== 'EnvoyPatchPolicy') return [];
  return [{ dialect: 'envoy_gateway', spot: spec, isWhole: false, patches }];
}

function isOverride(map: Spot): boolean {
  if (hasType(map, 'ExtAuthzPerRoute')) return true;
  return hasType(map, 'FilterConfig') && String(map.path.at(-1)).includes('ext_authz');
}

/** A cluster of a bootstrap or of a discovery answer; the clusters of a weighted route only have names. */
function isCluster(map: Spot): boolean {
  const list = map.up?.path ?? [];
  const isStatic = list.at(-1) === 'clusters' && /^static_?resources$/i.test(String(list.at(-2)));
  return isStatic || hasType(map, 'Cluster');
}
