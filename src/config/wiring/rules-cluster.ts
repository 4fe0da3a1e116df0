import { isLoopbackHost, type Listen } from '../location.ts';
import type { Fault } from './fault.ts';
import type { Needs } from './needs.ts';
import type { Rule } from './rule.ts';
import { at, entriesOf, isThere, itemsOf, numberAt, type Spot, textAt } from './spot.ts';
import { hasType, type Wiring } from './wiring.ts';

/** The way from Envoy to Postern. */
export const CLUSTER_RULES = [
  aboutCluster('no_http2', (cluster) => {
    if (speaksHttp2(cluster)) return undefined;
    const message =
      'gRPC needs HTTP/2: set explicit_http_config: {http2_protocol_options: {}} in typed_extension_protocol_options';
    return { spot: cluster, message };
  }),
  aboutCluster('no_health_check', (cluster) => {
    if (
      itemsOf(at(cluster, 'health_checks')).some((one) => isThere(at(one, 'grpc_health_check')))
    ) {
      return undefined;
    }
    const message =
      'a Postern that shuts down or hangs is asked on: add a health check with grpc_health_check: {}';
    return { spot: cluster, message };
  }),
  aboutCluster('no_tls', (cluster) => {
    const far = endpointsOf(cluster).find(({ listen }) => !isNear(listen));
    if (!far || isTls(cluster)) return undefined;
    const message =
      'credentials cross the network in plain text: give the cluster a transport_socket with TLS';
    return { spot: far.spot, message };
  }),
  aboutCluster('tls_unverified', (cluster) => {
    const tls = at(cluster, 'transport_socket', 'typed_config', 'common_tls_context');
    if (!isTls(cluster) || VALIDATIONS.some((path) => isThere(at(tls, ...path)))) return undefined;
    const message =
      'any certificate is taken, so that anybody may answer for Postern: set trusted_ca';
    return { spot: at(cluster, 'transport_socket'), message };
  }),
  aboutCluster('tls_differs', (cluster, { isTls: isServed }) => {
    if (isTls(cluster) === isServed || endpointsOf(cluster).length === 0) return undefined;
    const message = isServed
      ? 'listen.check serves TLS, and Envoy speaks plain text'
      : 'Envoy speaks TLS, and listen.check serves plain text';
    return { spot: cluster, message: `${message}: every question fails` };
  }),
  aboutCluster('wrong_address', (cluster, { listen }) => {
    const near = endpointsOf(cluster).filter((one) => isNear(one.listen));
    const [first] = near;
    if (!first || !isNear(listen) || near.some((one) => isSame(one.listen, listen)))
      return undefined;
    const place = listen.kind === 'unix' ? `unix:${listen.path}` : `port ${listen.port}`;
    return { spot: first.spot, message: `Postern does not listen here: listen.check has ${place}` };
  }),
] as const satisfies readonly Rule[];

/** A rule about every cluster that an ext_authz filter names, and that stands in the files. */
function aboutCluster<Name extends string>(
  name: Name,
  judge: (cluster: Spot, needs: Needs) => Fault | undefined,
): Rule<Name> {
  return {
    name,
    find: (wiring, needs) => clustersOf(wiring).flatMap((cluster) => judge(cluster, needs) ?? []),
  };
}

function clustersOf({ guards, overrides, clusters }: Wiring): readonly Spot[] {
  const services = [
    ...guards.filter(({ dialect }) => dialect === 'envoy').map(({ spot }) => spot),
    ...overrides.map((one) => at(one, 'check_settings')),
  ];
  const names = services.map((one) =>
    textAt(at(one, 'grpc_service', 'envoy_grpc', 'cluster_name')),
  );
  return [...new Set(names)].flatMap((name) => clusters.get(name ?? '') ?? []);
}

const VALIDATIONS = [
  ['validation_context', 'trusted_ca'],
  ['validation_context', 'ca_certificate_provider_instance'],
  ['validation_context', 'verify_certificate_spki'],
  ['validation_context', 'verify_certificate_hash'],
  ['validation_context_sds_secret_config'],
  ['combined_validation_context'],
];

function speaksHttp2(cluster: Spot): boolean {
  if (isThere(at(cluster, 'http2_protocol_options'))) return true;
  return entriesOf(at(cluster, 'typed_extension_protocol_options')).some(
    ([, options]) =>
      isWritten(at(options, 'explicit_http_config', 'http2_protocol_options')) ||
      isWritten(at(options, 'auto_config')),
  );
}

/** Whether a message is set, be it empty. */
function isWritten({ node }: Spot): boolean {
  return node !== undefined;
}

function isTls(cluster: Spot): boolean {
  const socket = at(cluster, 'transport_socket');
  if (!isThere(socket)) return false;
  return !hasType(at(socket, 'typed_config'), 'RawBuffer');
}

type Endpoint = { readonly spot: Spot; readonly listen: Listen };

function endpointsOf(cluster: Spot): readonly Endpoint[] {
  return itemsOf(at(cluster, 'load_assignment', 'endpoints'))
    .flatMap((locality) => itemsOf(at(locality, 'lb_endpoints')))
    .flatMap((one) => endpointOf(at(one, 'endpoint', 'address')));
}

function endpointOf(address: Spot): readonly Endpoint[] {
  const path = textAt(at(address, 'pipe', 'path'));
  if (path !== undefined) return [{ spot: address, listen: { kind: 'unix', path } }];
  const socket = at(address, 'socket_address');
  const host = textAt(at(socket, 'address'));
  const port = numberAt(at(socket, 'port_value'));
  return host === undefined || port === undefined
    ? []
    : [{ spot: socket, listen: { kind: 'tcp', host, port } }];
}

/** Whether it is reached on this machine only. */
function isNear(listen: Listen): boolean {
  return listen.kind === 'unix' || isLoopbackHost(listen.host);
}

function isSame(one: Listen, other: Listen): boolean {
  if (one.kind === 'unix') return other.kind === 'unix' && one.path === other.path;
  return other.kind === 'tcp' && one.port === other.port;
}
