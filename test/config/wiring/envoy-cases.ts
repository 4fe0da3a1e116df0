import type { Document } from 'yaml';
import { EXT_AUTHZ, HTTP_CONNECTION_MANAGER as HCM } from '../../../scripts/lib/bootstrap.ts';
import type { WiringWarning } from '../../../src/config/wiring/review-wiring.ts';

type Change = (bootstrap: Document) => void;
type Keys = readonly (string | number)[];

/** What undoes the policy in the bootstrap of this project, by the warning that must say so. */
export type Case = {
  readonly name: WiringWarning;
  readonly when: string;
  readonly change: Change;
  /** Beside one plain route. */
  readonly policy?: string;
};

const CLUSTER: Keys = ['static_resources', 'clusters', 0];
const CHAIN: Keys = ['static_resources', 'listeners', 0, 'filter_chains', 0];
const ROUTE: Keys = [...HCM, 'route_config', 'virtual_hosts', 0, 'routes'];
const ENDPOINT: Keys = [...CLUSTER, 'load_assignment', 'endpoints', 0, 'lb_endpoints', 0];
const SOCKET: Keys = [...ENDPOINT, 'endpoint', 'address', 'socket_address'];
const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const PER_ROUTE = `${FILTERS}.ext_authz.v3.ExtAuthzPerRoute`;
const LOGGERS = 'type.googleapis.com/envoy.extensions.access_loggers';

const set =
  (path: Keys, value: unknown): Change =>
  (bootstrap) =>
    bootstrap.setIn(path, bootstrap.createNode(value));
const unset =
  (path: Keys): Change =>
  (bootstrap) =>
    void bootstrap.deleteIn(path);
const authz = (key: string, value: unknown) => set([...EXT_AUTHZ, key], value);
const manager = (key: string, value: unknown) => set([...HCM, key], value);
const service = (key: string, value: unknown) => set([...EXT_AUTHZ, 'grpc_service', key], value);
const all =
  (...changes: readonly Change[]): Change =>
  (bootstrap) => {
    for (const change of changes) change(bootstrap);
  };
/** Puts a filter before (0) or after (1) ext_authz. */
const filter =
  (place: 0 | 1, type: string, more: object = {}): Change =>
  (bootstrap) => {
    const list = bootstrap.getIn([...HCM, 'http_filters']) as { items: unknown[] };
    const config = { '@type': `${FILTERS}.${type}`, ...more };
    list.items.splice(place, 0, bootstrap.createNode({ name: type, typed_config: config }));
  };
const backOff = (value: unknown) =>
  set([...EXT_AUTHZ, 'grpc_service', 'retry_policy', 'retry_back_off'], value);
const override = (value: object) =>
  set([...ROUTE, 4, 'typed_per_filter_config'], {
    'envoy.filters.http.ext_authz': { '@type': PER_ROUTE, ...value },
  });
const logger = (type: string, more: object) =>
  set([...HCM, 'access_log', 0, 'typed_config'], { '@type': `${LOGGERS}.${type}`, ...more });
const log = (format: string) =>
  set([...HCM, 'access_log', 0, 'typed_config', 'log_format', 'json_format', 'extra'], format);
const far = set([...SOCKET, 'address'], '10.0.0.7');
const tls = (context: object) =>
  set([...CLUSTER, 'transport_socket'], {
    name: 'envoy.transport_sockets.tls',
    typed_config: { '@type': TLS, common_tls_context: context },
  });
const TRUSTED = { validation_context: { trusted_ca: { filename: '/etc/ca.pem' } } };
const SERVED = 'listen: { check: { address: "10.0.0.7:9191", tls: { cert: a, key: b } } }';
const HOPS_1 = 'client_ip: { trusted_hops: 1 }';
const HTTPS = 'https_only: true';
const CONTEXT = 'routes: [{ path: /v1/**, access: [api_key], context: { tier: gold } }]';
const PROVIDERS = { id: { issuer: 'https://id.example.com' } };

type Row = readonly [name: WiringWarning, when: string, change: Change, policy?: string];

const ROWS: readonly Row[] = [
  ['failure_mode_allow', 'it is on', authz('failure_mode_allow', true)],
  ['failure_mode_allow', 'it cannot be read', authz('failure_mode_allow', '$OPEN')],
  ['failure_mode_allow', 'it is camel case', authz('failureModeAllow', true)],
  ['status_on_error', 'it is not set', unset([...EXT_AUTHZ, 'status_on_error'])],
  ['status_on_error', 'it is 403', authz('status_on_error', { code: 'Forbidden' })],
  ['missing_timeout', 'it is not set', unset([...EXT_AUTHZ, 'grpc_service', 'timeout'])],
  ['short_timeout', 'a store has no time', service('timeout', '0.1s')],
  [
    'long_timeout',
    'it is ten seconds',
    all(service('timeout', '10s'), backOff({ base_interval: '1s', max_interval: '10s' })),
  ],
  ['long_timeout', 'it is none', service('timeout', '0s')],
  ['no_retry', 'nothing says to', unset([...EXT_AUTHZ, 'grpc_service', 'retry_policy'])],
  [
    'retry_back_off',
    'one try has less time than all',
    backOff({ base_interval: '0.005s', max_interval: '0.02s' }),
  ],
  [
    'retry_back_off',
    "a second try waits Envoy's second",
    service('retry_policy', { num_retries: 1 }),
  ],
  ['unguarded_listener', 'the filter is gone', unset([...HCM, 'http_filters', 0])],
  [
    'partly_enabled',
    'half of the requests',
    authz('filter_enabled', { default_value: { numerator: 50, denominator: 'HUNDRED' } }),
  ],
  [
    'partly_enabled',
    'a runtime key may turn it off',
    authz('filter_enabled', { runtime_key: 'authz', default_value: { numerator: 100 } }),
  ],
  ['partly_enabled', 'by metadata', authz('filter_enabled_metadata', { filter: 'x' })],
  ['partly_enabled', 'the filter is disabled', set([...HCM, 'http_filters', 0, 'disabled'], true)],
  ['shadow_mode', 'it is on', authz('shadow_mode', true)],
  ['disabled_route', 'nothing is removed', override({ disabled: true })],
  [
    'disabled_route',
    'an identity header is left',
    all(
      override({ disabled: true }),
      set([...ROUTE, 4, 'request_headers_to_remove'], ['x-auth-username']),
    ),
  ],
  [
    'per_route_service',
    'another cluster',
    override({ check_settings: { grpc_service: { envoy_grpc: { cluster_name: 'other' } } } }),
  ],
  ['clear_route_cache', 'it is on', authz('clear_route_cache', true)],
  ['filter_order', 'CORS comes later', filter(1, 'cors.v3.Cors')],
  [
    'filter_order',
    'headers are mended later',
    filter(1, 'header_mutation.v3.HeaderMutation', {
      mutations: { request_mutations: [{ remove: 'x-auth-username' }] },
    }),
  ],
  [
    'filter_order',
    'a token is taken out before',
    filter(0, 'jwt_authn.v3.JwtAuthentication', { providers: PROVIDERS }),
  ],
  ['filter_order', 'the router comes before', filter(0, 'router.v3.Router')],
  ['late_filter', 'a script runs later', filter(1, 'lua.v3.Lua')],
  ['no_raw_headers', 'it is off', authz('encode_raw_headers', false)],
  ['no_raw_headers', 'it is not set', unset([...EXT_AUTHZ, 'encode_raw_headers'])],
  [
    'headers_allow_list',
    'a list leaves identity out',
    authz('allowed_headers', { patterns: [{ exact: 'authorization' }] }),
  ],
  [
    'headers_allow_list',
    'a prefix is hidden',
    authz('disallowed_headers', { patterns: [{ prefix: 'x-' }] }),
  ],
  ['http_service', 'it asks by HTTP', authz('http_service', { server_uri: { uri: 'http://a' } })],
  ['request_body', 'bodies are sent', authz('with_request_body', { max_request_bytes: 8192 })],
  [
    'request_body',
    'on one route',
    override({ check_settings: { with_request_body: { max_request_bytes: 1 } } }),
  ],
  ['no_context', 'no route sends it', () => {}, CONTEXT],
  [
    'no_context',
    'a route sends another',
    override({ check_settings: { context_extensions: { door: 'back' } } }),
    CONTEXT,
  ],
  ['use_remote_address', 'it is off', manager('use_remote_address', false)],
  ['use_remote_address', 'it is not set', unset([...HCM, 'use_remote_address'])],
  [
    'skip_xff_append',
    'hops are counted',
    manager('skip_xff_append', true),
    'client_ip: { trusted_hops: 0 }',
  ],
  ['hops_differ', 'the policy counts one', () => {}, HOPS_1],
  ['hops_differ', 'Envoy counts one', manager('xff_num_trusted_hops', 1)],
  [
    'hops_differ',
    'from the right one too few',
    manager('xff_num_trusted_hops', 2),
    'client_ip: { xff_from_right: 2 }',
  ],
  [
    'hops_differ',
    'another way is chosen',
    manager('original_ip_detection_extensions', [{ name: 'x' }]),
  ],
  [
    'internal_clients',
    'all private addresses',
    manager('internal_address_config', { unix_sockets: true }),
  ],
  ['request_id', 'none is made', manager('generate_request_id', false)],
  ['request_id', 'that of the client is kept', manager('preserve_external_request_id', true)],
  ['normalize_path', 'it is off', manager('normalize_path', false)],
  ['merge_slashes', 'it is off', manager('merge_slashes', false)],
  [
    'escaped_slashes',
    'they are kept',
    manager('path_with_escaped_slashes_action', 'KEEP_UNCHANGED'),
  ],
  ['escaped_slashes', 'nothing is said', unset([...HCM, 'path_with_escaped_slashes_action'])],
  [
    'underscores',
    'they are allowed',
    set([...HCM, 'common_http_protocol_options', 'headers_with_underscores_action'], 'ALLOW'),
  ],
  ['https_unseen', 'the listener has no TLS', () => {}, HTTPS],
  ['no_validate_mutations', 'it is off', authz('validate_mutations', false)],
  [
    'mutation_rules',
    'errors are passed over',
    authz('decoder_header_mutation_rules', { disallow_expression: { regex: 'x' } }),
  ],
  [
    'mutation_rules',
    'nothing may be changed',
    authz('decoder_header_mutation_rules', { disallow_all: true, disallow_is_error: true }),
  ],
  [
    'mutation_rules',
    'the path may not be changed',
    authz('decoder_header_mutation_rules', { disallow_system: true, disallow_is_error: true }),
    'api_keys: { read_from: [{ query: key }] }',
  ],
  ['short_denied_body', 'it is 100 bytes', authz('max_denied_response_body_bytes', 100)],
  ['no_metadata', 'it is off', authz('enable_dynamic_metadata_ingestion', false)],
  ['charged_refusals', 'it is not set', unset([...EXT_AUTHZ, 'charge_cluster_response_stats'])],
  ['local_reply', 'there is none', unset([...HCM, 'local_reply_config'])],
  ['local_reply', 'refusals are written over', unset([...HCM, 'local_reply_config', 'mappers', 0])],
  [
    'no_http2',
    'the cluster speaks HTTP/1',
    unset([...CLUSTER, 'typed_extension_protocol_options']),
  ],
  ['no_health_check', 'there is none', unset([...CLUSTER, 'health_checks'])],
  ['no_tls', 'the network is crossed', far],
  ['tls_unverified', 'no CA is trusted', all(far, tls({})), SERVED],
  ['tls_differs', 'only Postern speaks it', () => {}, SERVED],
  ['tls_differs', 'only Envoy speaks it', tls(TRUSTED)],
  ['wrong_address', 'another port', set([...SOCKET, 'port_value'], 9292)],
  [
    'wrong_address',
    'a socket that is not served',
    () => {},
    'listen: { check: unix:/run/postern.sock }',
  ],
  ['access_log_path', 'the path as sent', log('%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):64%')],
  ['access_log_path', 'the path with its query', log('%PATH(WQ)%')],
  ['access_log_path', "Envoy's own format", logger('stream.v3.StdoutAccessLog', {})],
  ['access_log_path', 'a log by gRPC', logger('grpc.v3.HttpGrpcAccessLogConfig', {})],
  ['access_log_credentials', 'a header of a key', log('%REQ(X-API-KEY)%')],
  [
    'access_log_credentials',
    'a header by gRPC',
    logger('grpc.v3.HttpGrpcAccessLogConfig', {
      additional_request_headers_to_log: ['Authorization'],
    }),
  ],
  [
    'old_envoy',
    'a dump of its version',
    set(['node', 'user_agent_build_version', 'version'], {
      major_number: 1,
      minor_number: 38,
      patch: 3,
    }),
  ],
];

export const CASES: readonly Case[] = ROWS.map(([name, when, change, policy]) => {
  return { name, when, change, ...(policy === undefined ? {} : { policy }) };
});

/** The same, where nothing is wrong although it looks so. */
export const SOUND: readonly Omit<Case, 'name'>[] = [
  { when: 'as it stands', change: () => {} },
  { when: 'hops agree', change: manager('xff_num_trusted_hops', 1), policy: HOPS_1 },
  {
    when: 'hops agree from the right',
    change: manager('xff_num_trusted_hops', 1),
    policy: 'client_ip: { xff_from_right: 2 }',
  },
  {
    when: 'a regular expression takes all',
    change: authz('allowed_headers', { patterns: [{ safe_regex: { regex: '.*' } }] }),
  },
  { when: 'an empty list', change: authz('allowed_headers', {}) },
  {
    when: 'the context is sent',
    change: override({ check_settings: { context_extensions: { tier: 'gold' } } }),
    policy: CONTEXT,
  },
  { when: 'TLS on both sides', change: all(far, tls(TRUSTED)), policy: SERVED },
  {
    when: 'a token is forwarded',
    change: filter(0, 'jwt_authn.v3.JwtAuthentication', { providers: { id: { forward: true } } }),
  },
  {
    when: 'headers are mended before',
    change: filter(0, 'header_mutation.v3.HeaderMutation', {
      mutations: { request_mutations: [{ remove: 'a' }] },
    }),
  },
  {
    when: 'a route takes escaped slashes',
    change: unset([...HCM, 'path_with_escaped_slashes_action']),
    policy: 'routes: [{ path: /v1/**, access: [api_key], path_allow: [encoded_slash] }]',
  },
  {
    when: 'a disabled route redirects',
    change: all(
      override({ disabled: true }),
      unset([...ROUTE, 4, 'route']),
      set([...ROUTE, 4, 'redirect'], { https_redirect: true }),
    ),
  },
  {
    when: 'https comes with a certificate',
    change: set([...CHAIN, 'transport_socket'], { name: 'tls' }),
    policy: HTTPS,
  },
  {
    when: 'those left out are denied',
    change: all(
      authz('filter_enabled_metadata', { filter: 'x' }),
      authz('deny_at_disable', { default_value: true }),
    ),
  },
  { when: 'the query is not logged', change: log('%REQ_WITHOUT_QUERY(:PATH)% %PATH(NQ)%') },
  {
    when: 'a patched version',
    change: set(['node', 'user_agent_build_version', 'version'], {
      major_number: 1,
      minor_number: 38,
      patch: 4,
    }),
  },
];
