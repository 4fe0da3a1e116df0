/**
 * What requests give away of an Envoy whose wiring undoes the policy. The name is the label of a metric and the
 * anchor in docs/wiring.md.
 */
export const WIRING_SIGNS = {
  failure_mode_allow:
    'a request says that an Envoy before this one let it through without an answer',
  missing_timeout: 'Envoy sets no deadline for its question',
  short_timeout: 'Envoy waits less than a tenth of a second for an answer',
  long_timeout: 'Envoy waits longer than two seconds for an answer',
  no_raw_headers: 'headers of one name come joined, so that two values look like one',
  headers_allow_list: 'Envoy does not send all headers, so that forged ones are not seen',
  request_id: 'requests come without an x-request-id',
  request_body: 'Envoy sends bodies, which nothing here reads',
  no_context: 'routes of the policy ask for context extensions, and no request had any',
  https_unseen: 'the policy demands https, and requests come without x-forwarded-proto',
  use_remote_address: 'the last entry of x-forwarded-for is not the peer: Envoy does not append it',
  hops_differ: 'x-forwarded-for is not what client_ip expects, so that no client address is known',
  no_source_address: 'requests come without the address of their peer',
  internal_clients: 'a client can send headers that are for Envoy itself',
  escaped_slashes: 'an escaped slash arrived, which the edge should have refused',
  merge_slashes: 'a path with an empty segment arrived, which the edge should have merged',
  normalize_path: 'a path with a dot segment arrived, which the edge should have resolved',
} as const;

/** The name of such a sign. */
export type WiringSign = keyof typeof WIRING_SIGNS;
