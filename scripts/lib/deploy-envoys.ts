import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { clusterPath, HTTP_CONNECTION_MANAGER } from './bootstrap.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ANYWHERE = '0.0.0.0';
const SOCKET = '/run/postern/check.sock';
const CHECK_HOST = 'postern-pods.postern.svc.cluster.local';
const SERVICE_HOST = 'postern.postern.svc.cluster.local';
const ECHO_HOST = 'echo.edge.svc.cluster.local';
/** The name in Postern's certificate. */
const SERVER_NAME = 'postern.postern.svc';
const TLS_FOLDER = '/run/secrets/tls';
const SDS_FOLDER = '/etc/envoy';

type Place = {
  /** From the project's root. */
  readonly path: string;
  /** Said at the top of the file, one line each. */
  readonly says: readonly string[];
  readonly change: (bootstrap: Document) => void;
};

const PLACES: readonly Place[] = [
  {
    path: 'deploy/kustomize/components/sidecar/envoy.yaml',
    says: [
      'Envoy beside an application of the same pod (:8080), and Postern on a unix socket between them.',
    ],
    change: (bootstrap) => {
      setEndpoint(bootstrap, 'postern', { pipe: { path: SOCKET } });
    },
  },
  {
    path: 'deploy/kustomize/edge/envoy.yaml',
    says: [
      'Envoy at the edge of the cluster. Several Posterns, each asked by its own address (a headless',
      'Service), over TLS with a certificate of either side.',
    ],
    change: (bootstrap) => {
      dropManagementRoutes(bootstrap);
      setHost(bootstrap, 'postern', `${CHECK_HOST}:9191`);
      setHost(bootstrap, 'postern_ops', `${SERVICE_HOST}:9193`);
      setHost(bootstrap, 'upstream', `${ECHO_HOST}:8080`);
      speakTls(bootstrap);
    },
  },
  {
    path: 'deploy/compose/envoy.yaml',
    says: ['Envoy of the laptop: its neighbours are the services of compose.yaml.'],
    change: (bootstrap) => {
      setHost(bootstrap, 'postern', 'postern:9191');
      setHost(bootstrap, 'postern_ops', 'postern:9193');
      setHost(bootstrap, 'postern_api', 'postern:9192');
      setHost(bootstrap, 'upstream', 'echo:8080');
    },
  },
];

/** The bootstraps of the deployments, by path: `envoy.yaml` of the project with other places, and a page of metrics. */
export function deployEnvoys(): ReadonlyMap<string, string> {
  const own = readFileSync(join(ROOT, 'envoy.yaml'), 'utf8');
  return new Map(
    PLACES.map(({ path, says, change }) => {
      const bootstrap = parseDocument(own);
      setHead(bootstrap, says);
      openToAll(bootstrap);
      addMetricsPage(bootstrap);
      change(bootstrap);
      return [path, bootstrap.toString({ lineWidth: 0 })];
    }),
  );
}

/** Puts other words in the place of the first paragraph of comments. */
function setHead(bootstrap: Document, says: readonly string[]): void {
  const origin = ['', 'Made by `npm run generate` from envoy.yaml of the project. Do not edit.'];
  const text = [...says, ...origin].map((line) => (line === '' ? '' : ` ${line}`)).join('\n');
  const first = isMap(bootstrap.contents) ? bootstrap.contents.items[0]?.key : undefined;
  if (!isScalar(first)) throw new Error('envoy.yaml is no map');
  const paragraphs = (first.commentBefore ?? bootstrap.commentBefore ?? '').split(/\n\n/);
  first.commentBefore = paragraphs.at(-1) ?? '';
  bootstrap.commentBefore = text;
}

function openToAll(bootstrap: Document): void {
  bootstrap.setIn(
    ['static_resources', 'listeners', 0, 'address', 'socket_address', 'address'],
    ANYWHERE,
  );
}

/** The admin listener stays on loopback: of its pages, readiness and metrics alone are seen from outside. */
function addMetricsPage(bootstrap: Document): void {
  const route = (name: string, path: string) => ({
    name,
    match: { path, headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
    route: { cluster: 'envoy_admin', timeout: '5s' },
  });
  const manager = {
    '@type':
      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'metrics',
    use_remote_address: true,
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'REJECT_REQUEST',
    common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' },
    request_headers_timeout: '5s',
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
        },
      },
    ],
    route_config: {
      name: 'metrics',
      virtual_hosts: [
        {
          name: 'metrics',
          domains: ['*'],
          routes: [route('ready', '/ready'), route('metrics', '/stats/prometheus')],
        },
      ],
    },
  };
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager };
  const listener = {
    name: 'metrics',
    address: { socket_address: { address: ANYWHERE, port_value: 9902 } },
    filter_chains: [{ filters: [filter] }],
  };
  const cluster = {
    name: 'envoy_admin',
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: 'envoy_admin',
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: {
                address: { socket_address: { address: '127.0.0.1', port_value: 9901 } },
              },
            },
          ],
        },
      ],
    },
  };
  bootstrap.addIn(['static_resources', 'listeners'], bootstrap.createNode(listener));
  bootstrap.addIn(['static_resources', 'clusters'], bootstrap.createNode(cluster));
}

/** Where Postern's API is on loopback of another machine, nobody gets there through Envoy. */
function dropManagementRoutes(bootstrap: Document): void {
  bootstrap.deleteIn(clusterPath(bootstrap, 'postern_api'));
  const path = [...HTTP_CONNECTION_MANAGER, 'route_config', 'virtual_hosts', 0, 'routes'];
  const routes = bootstrap.getIn(path);
  if (!isSeq(routes)) throw new Error('envoy.yaml has no routes');
  const isKept = (route: unknown) =>
    isMap(route) && route.getIn(['route', 'cluster']) !== 'postern_api';
  routes.items = routes.items.filter(isKept);
}

function setHost(bootstrap: Document, cluster: string, hostAndPort: string): void {
  const [host = '', port] = hostAndPort.split(':');
  bootstrap.setIn([...clusterPath(bootstrap, cluster), 'type'], 'STRICT_DNS');
  setEndpoint(bootstrap, cluster, { socket_address: { address: host, port_value: Number(port) } });
}

function setEndpoint(bootstrap: Document, cluster: string, address: object): void {
  const path = [...clusterPath(bootstrap, cluster), 'load_assignment', 'endpoints', 0];
  bootstrap.setIn([...path, 'lb_endpoints'], bootstrap.createNode([{ endpoint: { address } }]));
}

/** Certificates come by SDS from files, whose folder is watched: Envoy takes up a rotated one by itself. */
function speakTls(bootstrap: Document): void {
  const fromFile = (name: string, file: string) => ({
    name,
    sds_config: {
      resource_api_version: 'V3',
      path_config_source: {
        path: `${SDS_FOLDER}/${file}`,
        watched_directory: { path: TLS_FOLDER },
      },
    },
  });
  const isPostern = { san_type: 'DNS', matcher: { exact: SERVER_NAME } };
  const context = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    sni: SERVER_NAME,
    common_tls_context: {
      alpn_protocols: ['h2'],
      // As a client Envoy stays below 1.3 unless it is told.
      tls_params: {
        tls_minimum_protocol_version: 'TLSv1_3',
        tls_maximum_protocol_version: 'TLSv1_3',
      },
      tls_certificate_sds_secret_configs: [fromFile('envoy', 'sds-certificate.yaml')],
      combined_validation_context: {
        default_validation_context: { match_typed_subject_alt_names: [isPostern] },
        validation_context_sds_secret_config: fromFile('authority', 'sds-authority.yaml'),
      },
    },
  };
  // Files are read by SDS, which wants to know who asks.
  bootstrap.setIn(['node'], bootstrap.createNode({ id: 'edge', cluster: 'edge' }));
  const cluster = clusterPath(bootstrap, 'postern');
  // The handshake counts too.
  bootstrap.setIn([...cluster, 'connect_timeout'], '1s');
  const socket = { name: 'envoy.transport_sockets.tls', typed_config: context };
  bootstrap.setIn([...cluster, 'transport_socket'], bootstrap.createNode(socket));
  const options = [
    ...cluster,
    'typed_extension_protocol_options',
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    'common_http_protocol_options',
  ];
  // A connection keeps the certificates that it began with: so none outlives a rotation by long.
  bootstrap.setIn(options, bootstrap.createNode({ max_connection_duration: '3600s' }));
}
