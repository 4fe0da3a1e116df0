import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, parseDocument } from 'yaml';
import { EXT_AUTHZ, HTTP_CONNECTION_MANAGER } from './bootstrap.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILTER = 'envoy.filters.http.ext_authz';
const MANAGER = 'envoy.filters.network.http_connection_manager';
const LISTENER = 'edge/api/http';
const SECURITY_POLICY = 'edge/postern';

/** What neither Istio nor Envoy Gateway lets one say about the filter. */
const FILTER_SETTINGS = [
  'stat_prefix',
  'encode_raw_headers',
  'validate_mutations',
  'decoder_header_mutation_rules',
  'max_denied_response_body_bytes',
  'charge_cluster_response_stats',
  'emit_filter_state_stats',
] as const;

/** What they do not let one say about the connection manager, both of them. */
const MANAGER_SETTINGS = ['internal_address_config', 'local_reply_config'] as const;
/** What Istio's gateway has no words for, while Envoy Gateway's ClientTrafficPolicy has. */
const ISTIO_SETTINGS = [
  'normalize_path',
  'merge_slashes',
  'path_with_escaped_slashes_action',
  'common_http_protocol_options',
  'generate_request_id',
  'server_header_transformation',
] as const;

type Settings = { readonly [name: string]: unknown };

/** The patches for a mesh, by path: they say what `envoy.yaml` of the project says, where a mesh has no words for it. */
export function deployMesh(): ReadonlyMap<string, string> {
  const own = parseDocument(readFileSync(join(ROOT, 'envoy.yaml'), 'utf8'));
  const read = (path: readonly (string | number)[], names: readonly string[]): Settings =>
    Object.fromEntries(names.map((name) => [name, plain(own, [...path, name])]));
  const filter = read(EXT_AUTHZ, FILTER_SETTINGS);
  const retry = plain(own, [...EXT_AUTHZ, 'grpc_service', 'retry_policy']);
  const common = read(HTTP_CONNECTION_MANAGER, MANAGER_SETTINGS);
  const more = read(HTTP_CONNECTION_MANAGER, ISTIO_SETTINGS);
  return new Map([
    [
      'deploy/kustomize/overlays/istio/envoy-filter.yaml',
      write(
        envoyFilter({ ...filter, grpc_service: { retry_policy: retry } }, { ...more, ...common }),
        [
          "What Istio has no words for, in its ingress gateway's Envoy. MERGE adds to the filter that the",
          'AuthorizationPolicy makes; `istioctl proxy-config listener` shows whether it did.',
        ],
      ),
    ],
    [
      'deploy/kustomize/overlays/envoy-gateway/envoy-patch-policy.yaml',
      write(
        envoyPatchPolicy(
          {
            ...filter,
            status_on_error: plain(own, [...EXT_AUTHZ, 'status_on_error']),
            'grpc_service/retry_policy': retry,
          },
          common,
        ),
        [
          'What Envoy Gateway has no words for. The names are those that it gives: the listener',
          '<namespace>/<gateway>/<listener>, and the filter after its SecurityPolicy.',
        ],
      ),
    ],
  ]);
}

function plain(document: Document, path: readonly (string | number)[]): unknown {
  const value = document.getIn(path, true);
  if (value === undefined) throw new Error(`envoy.yaml has no ${path.join('.')}`);
  return JSON.parse(JSON.stringify(value));
}

function envoyFilter(filter: Settings, manager: Settings): object {
  const match = (more: object) => ({
    context: 'GATEWAY',
    listener: { filterChain: { filter: { name: MANAGER, ...more } } },
  });
  const merge = (name: string, type: string, settings: Settings) => ({
    operation: 'MERGE',
    value: { name, typed_config: { '@type': `type.googleapis.com/${type}`, ...settings } },
  });
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: 'postern', namespace: 'istio-system' },
    spec: {
      workloadSelector: { labels: { istio: 'ingressgateway' } },
      configPatches: [
        {
          applyTo: 'HTTP_FILTER',
          match: match({ subFilter: { name: FILTER } }),
          patch: merge(FILTER, 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', filter),
        },
        {
          applyTo: 'NETWORK_FILTER',
          match: match({}),
          patch: merge(
            MANAGER,
            'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
            manager,
          ),
        },
      ],
    },
  };
}

function envoyPatchPolicy(filter: Settings, manager: Settings): object {
  const add = (jsonPath: string) => {
    return ([path, value]: readonly [string, unknown]) => ({
      type: 'type.googleapis.com/envoy.config.listener.v3.Listener',
      name: LISTENER,
      operation: { op: 'add', jsonPath, path, value },
    });
  };
  const inFilter = `..http_filters[?(@.name=='${FILTER}/securitypolicy/${SECURITY_POLICY}')].typed_config`;
  const inManager = `..filters[?(@.name=='${MANAGER}')].typed_config`;
  return {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'EnvoyPatchPolicy',
    metadata: { name: 'postern', namespace: 'edge' },
    spec: {
      targetRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'api' },
      type: 'JSONPatch',
      jsonPatches: [
        ...Object.entries(filter).map(add(inFilter)),
        ...Object.entries(manager).map(add(inManager)),
      ],
    },
  };
}

function write(manifest: object, says: readonly string[]): string {
  const document = new Document(manifest, { aliasDuplicateObjects: false });
  const origin = 'Made by `npm run generate` from envoy.yaml of the project. Do not edit.';
  document.commentBefore = [...says, origin].map((line) => ` ${line}`).join('\n');
  return document.toString({ lineWidth: 0 });
}
