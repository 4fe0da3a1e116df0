import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { patchAt, type Settings, settingsAt, settingsOf, textAt, unite } from './settings-tree.ts';

const OVERLAYS = join(import.meta.dirname, '..', '..', 'deploy', 'kustomize', 'overlays');
const EXT_AUTHZ = 'envoy.filters.http.ext_authz';
const TYPES = 'type.googleapis.com/envoy';
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const EXT_AUTHZ_TYPE = `${TYPES}.extensions.filters.http.ext_authz.v3.ExtAuthz`;

/**
 * What Envoy is told where a control plane tells it: bootstraps, by overlay, made of what the overlay's manifests say and of
 * what that control plane adds to it. Its clusters are called `postern` and `upstream`.
 */
export function impliedEnvoys(): ReadonlyMap<string, string> {
  return new Map([
    ['istio', stringify(impliedByIstio())],
    ['envoy-gateway', stringify(impliedByEnvoyGateway())],
    ['gateway-api', stringify(impliedByGatewayApi())],
  ]);
}

/**
 * Istio's ingress gateway: the provider of the mesh configuration becomes the filter, and the EnvoyFilter is merged into it
 * and into the connection manager, as protocol buffers merge: lists grow, values replace.
 */
function impliedByIstio(): Settings {
  const mesh = settingsAt(read('istio/mesh-config.yaml', 'IstioOperator'), ['spec', 'meshConfig']);
  const provider = settingsAt(mesh, ['extensionProviders', 0, 'envoyExtAuthzGrpc']);
  const patches = read('istio/envoy-filter.yaml', 'EnvoyFilter');
  const patch = (index: number) =>
    settingsAt(patches, ['spec', 'configPatches', index, 'patch', 'value', 'typed_config']);
  const hops = settingsAt(mesh, ['defaultConfig', 'gatewayTopology'])['numTrustedProxies'];
  const filter = {
    '@type': EXT_AUTHZ_TYPE,
    transport_api_version: 'V3',
    failure_mode_allow: provider['failOpen'],
    status_on_error: { code: Number(provider['statusOnError']) },
    grpc_service: {
      envoy_grpc: { cluster_name: 'postern', authority: textAt(provider, ['service']) },
      timeout: provider['timeout'],
    },
  };
  const manager = {
    '@type': `${TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'outbound_0.0.0.0_8080',
    use_remote_address: true,
    xff_num_trusted_hops: hops,
    normalize_path: true,
  };
  return bootstrap({
    manager: unite(manager, patch(1)),
    filter: { name: EXT_AUTHZ, typed_config: unite(filter, patch(0)) },
    route: {},
    cluster: {},
  });
}

const SLASHES: Settings = {
  RejectRequest: 'REJECT_REQUEST',
  UnescapeAndRedirect: 'UNESCAPE_AND_REDIRECT',
};

/** Envoy Gateway's proxies: a filter that is off but on the routes of its SecurityPolicy, and JSON patches upon it. */
function impliedByEnvoyGateway(): Settings {
  const policy = read('envoy-gateway/security-policy.yaml', 'SecurityPolicy');
  const traffic = settingsAt(
    read('envoy-gateway/client-traffic-policy.yaml', 'ClientTrafficPolicy'),
    ['spec'],
  );
  const extAuth = settingsAt(policy, ['spec', 'extAuth']);
  const metadata = settingsAt(policy, ['metadata']);
  const name = `${EXT_AUTHZ}/securitypolicy/${metadata['namespace']}/${metadata['name']}`;
  const filter = {
    '@type': EXT_AUTHZ_TYPE,
    transport_api_version: 'V3',
    failure_mode_allow: extAuth['failOpen'],
    grpc_service: {
      envoy_grpc: { cluster_name: 'postern', authority: 'postern.postern:9191' },
      timeout: inSeconds(textAt(extAuth, ['timeout'])),
    },
  };
  const manager = {
    '@type': `${TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http-10080',
    use_remote_address: true,
    normalize_path: true,
    merge_slashes: settingsAt(traffic, ['path'])['disableMergeSlashes'] === false,
    path_with_escaped_slashes_action: SLASHES[textAt(traffic, ['path', 'escapedSlashesAction'])],
    common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' },
  };
  const enabled = { '@type': `${TYPES}.config.route.v3.FilterConfig`, config: {} };
  const made = bootstrap({
    manager,
    filter: { name, disabled: true, typed_config: filter },
    route: { typed_per_filter_config: { [name]: enabled } },
    cluster: clusterOf(settingsAt(extAuth, ['grpc', 'backendSettings'])),
  });
  return withPatches(made, read('envoy-gateway/envoy-patch-policy.yaml', 'EnvoyPatchPolicy'));
}

function clusterOf(settings: Settings): Settings {
  const active = settingsAt(settings, ['healthCheck', 'active']);
  const breaker = settingsAt(settings, ['circuitBreaker']);
  return {
    connect_timeout: inSeconds(textAt(settings, ['timeout', 'tcp', 'connectTimeout'])),
    health_checks: [
      {
        timeout: inSeconds(textAt(active, ['timeout'])),
        interval: inSeconds(textAt(active, ['interval'])),
        unhealthy_threshold: active['unhealthyThreshold'],
        healthy_threshold: active['healthyThreshold'],
        grpc_health_check: active['grpc'],
      },
    ],
    circuit_breakers: {
      thresholds: [
        {
          max_connections: breaker['maxConnections'],
          max_pending_requests: breaker['maxPendingRequests'],
          max_requests: breaker['maxParallelRequests'],
          max_retries: breaker['maxParallelRetries'],
        },
      ],
    },
  };
}

/** Applies JSON patches; one whose place is not there is an error, as its status would say in a cluster. */
function withPatches(made: Settings, policy: Settings): Settings {
  const spec = settingsAt(policy, ['spec']);
  const patches = Array.isArray(spec['jsonPatches']) ? spec['jsonPatches'] : [];
  const listeners = settingsAt(made, ['static_resources', 'listeners']);
  for (const { operation } of patches) {
    const { op, jsonPath, path, value } = operation;
    if (op !== 'add') throw new Error(`no other patch than add is known here: ${op}`);
    patchAt(listeners, jsonPath, { path, value });
  }
  return made;
}

/** The filter of GEP-1494 as it must be at least: asked by gRPC, closed when there is no answer, all headers. */
function impliedByGatewayApi(): Settings {
  const route = read('gateway-api/gateway.yaml', 'HTTPRoute');
  const external = settingsAt(route, ['spec', 'rules', 0, 'filters', 0, 'externalAuth']);
  if (external['protocol'] !== 'GRPC') throw new Error('Postern is asked by gRPC');
  const manager = {
    '@type': `${TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    use_remote_address: true,
  };
  const filter = {
    '@type': EXT_AUTHZ_TYPE,
    transport_api_version: 'V3',
    failure_mode_allow: false,
    grpc_service: { envoy_grpc: { cluster_name: 'postern' }, timeout: '0.2s' },
  };
  return bootstrap({
    manager,
    filter: { name: EXT_AUTHZ, typed_config: filter },
    route: {},
    cluster: {},
  });
}

type Told = {
  readonly manager: Settings;
  readonly filter: Settings;
  readonly route: Settings;
  readonly cluster: Settings;
};

function bootstrap({ manager, filter, route, cluster }: Told): Settings {
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${TYPES}.extensions.filters.http.router.v3.Router` },
  };
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'upstream' }, ...route }];
  const whole = {
    ...manager,
    access_log: [accessLog()],
    http_filters: [filter, router],
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  };
  const network = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: whole,
  };
  return {
    admin: { address: socket(9901) },
    static_resources: {
      listeners: [
        { name: 'http', address: socket(10_000), filter_chains: [{ filters: [network] }] },
      ],
      clusters: [
        { ...clusterAt('postern', 9191), ...overHttp2(), ...cluster },
        clusterAt('upstream', 8080),
      ],
    },
  };
}

function accessLog(): Settings {
  const line = {
    status: '%RESPONSE_CODE%',
    reason: `%DYNAMIC_METADATA(${EXT_AUTHZ}:reason)%`,
  };
  return {
    name: 'envoy.access_loggers.stdout',
    typed_config: {
      '@type': `${TYPES}.extensions.access_loggers.stream.v3.StdoutAccessLog`,
      log_format: { json_format: line },
    },
  };
}

function clusterAt(name: string, port: number): Settings {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: socket(port) } }] }];
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints },
  };
}

function overHttp2(): Settings {
  const explicit = { http2_protocol_options: {} };
  return {
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        '@type': `type.googleapis.com/${HTTP_OPTIONS}`,
        explicit_http_config: explicit,
      },
    },
  };
}

function socket(port: number): Settings {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** `250ms` as Gateway API writes it, `0.25s` as Envoy does. */
function inSeconds(duration: string): string {
  const [, figure = '', unit] = /^(\d+)(ms|s)$/.exec(duration) ?? [];
  if (unit === undefined) throw new Error(`no duration: ${duration}`);
  return unit === 's' ? duration : `${Number(figure) / 1000}s`;
}

function read(file: string, kind: string): Settings {
  const text = readFileSync(join(OVERLAYS, file), 'utf8');
  const found = parseAllDocuments(text)
    .map((document) => settingsOf(document.toJS()))
    .find((one) => one['kind'] === kind);
  if (!found) throw new Error(`${file} holds no ${kind}`);
  return found;
}
