import { type Document, isMap, isSeq, parseDocument } from 'yaml';

/** Where a derived Envoy listens and whom it asks; what is absent stays as `envoy.yaml` has it. */
export type BootstrapChange = {
  /** 0 takes a free port. */
  readonly listenerPort?: number | undefined;
  readonly adminPort?: number | undefined;
  readonly upstreamPort?: number | undefined;
  /** `host:port` or `unix:/path`, one for each Postern. */
  readonly checkAddresses?: readonly string[] | undefined;
  readonly opsAddress?: string | undefined;
  readonly apiAddress?: string | undefined;
  /** False turns off what makes paths and header names unambiguous, so that Postern sees them as sent. */
  readonly edge?: boolean | undefined;
  readonly rawHeaders?: boolean | undefined;
  readonly trustedHops?: number | undefined;
  /** How long Envoy waits for an answer and for a connection, as `5s`. */
  readonly checkTimeout?: string | undefined;
  readonly overrides?: ((bootstrap: Document) => void) | undefined;
};

const LISTENER = ['static_resources', 'listeners', 0];
const MANAGER = [...LISTENER, 'filter_chains', 0, 'filters', 0, 'typed_config'];

/** The path of the HTTP connection manager in `envoy.yaml`, for overrides. */
export const HTTP_CONNECTION_MANAGER: readonly (string | number)[] = MANAGER;
/** The path of the ext_authz filter in `envoy.yaml`, for overrides. */
export const EXT_AUTHZ: readonly (string | number)[] = [
  ...MANAGER,
  'http_filters',
  0,
  'typed_config',
];

/** Its longest interval is also the time of one try. */
const RETRY_BACK_OFF = ['grpc_service', 'retry_policy', 'retry_back_off'];

/** Derives a bootstrap from the text of `envoy.yaml`. */
export function deriveBootstrap(text: string, change: BootstrapChange): string {
  const bootstrap = parseDocument(text);
  const set = (path: readonly (string | number)[], value: unknown) => {
    if (value !== undefined) bootstrap.setIn(path, bootstrap.createNode(value));
  };
  set([...LISTENER, 'address', 'socket_address', 'port_value'], change.listenerPort);
  set(['admin', 'address', 'socket_address', 'port_value'], change.adminPort);
  set([...MANAGER, 'xff_num_trusted_hops'], change.trustedHops);
  set([...EXT_AUTHZ, 'encode_raw_headers'], change.rawHeaders);
  set([...EXT_AUTHZ, 'grpc_service', 'timeout'], change.checkTimeout);
  set([...EXT_AUTHZ, ...RETRY_BACK_OFF, 'max_interval'], change.checkTimeout);
  set([...clusterPath(bootstrap, 'postern'), 'connect_timeout'], change.checkTimeout);
  if (change.edge === false) {
    set([...MANAGER, 'normalize_path'], false);
    set([...MANAGER, 'merge_slashes'], false);
    set([...MANAGER, 'path_with_escaped_slashes_action'], 'KEEP_UNCHANGED');
    set([...MANAGER, 'common_http_protocol_options', 'headers_with_underscores_action'], 'ALLOW');
  }
  if (change.checkAddresses) setEndpoints(bootstrap, 'postern', change.checkAddresses);
  if (change.opsAddress) setEndpoints(bootstrap, 'postern_ops', [change.opsAddress]);
  if (change.apiAddress) setEndpoints(bootstrap, 'postern_api', [change.apiAddress]);
  if (change.upstreamPort)
    setEndpoints(bootstrap, 'upstream', [`127.0.0.1:${change.upstreamPort}`]);
  change.overrides?.(bootstrap);
  return bootstrap.toString();
}

function setEndpoints(bootstrap: Document, cluster: string, addresses: readonly string[]): void {
  const path = [...clusterPath(bootstrap, cluster), 'load_assignment', 'endpoints', 0];
  const endpoints = addresses.map((address) => ({ endpoint: { address: writeAddress(address) } }));
  bootstrap.setIn([...path, 'lb_endpoints'], bootstrap.createNode(endpoints));
}

/** The path of a cluster in `envoy.yaml` by its name, for overrides. */
export function clusterPath(bootstrap: Document, name: string): readonly (string | number)[] {
  const path = ['static_resources', 'clusters'];
  const clusters = bootstrap.getIn(path);
  const items = isSeq(clusters) ? clusters.items : [];
  const index = items.findIndex((item) => isMap(item) && item.get('name') === name);
  if (index === -1) throw new Error(`envoy.yaml has no cluster ${name}`);
  return [...path, index];
}

function writeAddress(address: string): unknown {
  if (address.startsWith('unix:')) return { pipe: { path: address.slice('unix:'.length) } };
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { socket_address: { address: host, port_value: Number(address.slice(colon + 1)) } };
}
