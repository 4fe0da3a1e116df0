import { type Address, isLoopback, parseAddress } from '../core/address.ts';
import type { ClientIp, Policy } from '../core/policy.ts';
import { type Request as Asked, hasSecondOrigin } from '../core/request.ts';
import { splitTarget } from '../core/target.ts';
import type { ApiParts } from './parts.ts';

/** An HTTP request as it arrived here. */
export type Arrival = {
  readonly request: Request;
  readonly url: URL;
  readonly peer: string | undefined;
  readonly requestId: string;
};

/** The request as the core judges it. Lines of one header are joined by commas, as in every `Headers`. */
export function readRequest(
  { request, url, peer, requestId }: Arrival,
  policy: Pick<Policy, 'clientIp'>,
  { hostAddresses }: Pick<ApiParts, 'hostAddresses'>,
): Asked {
  const headers = new Map([...request.headers].map(([name, value]) => [name, [value]]));
  const forwarded = request.headers.get('x-forwarded-for') ?? undefined;
  return {
    id: requestId,
    method: request.method,
    scheme: url.protocol.slice(0, -1),
    host: url.host,
    target: splitTarget(url.pathname + url.search),
    headers,
    address: callerAddress(policy.clientIp, peer, forwarded, hostAddresses),
    isAddressUntrusted: false,
    context: new Map(),
    fault: hasSecondOrigin(headers) ? 'malformed_request' : undefined,
  };
}

/**
 * The address of whoever calls. The peer, unless that is a proxy of this machine which forwards: Envoy beside
 * us appended the last entry of X-Forwarded-For, and the policy says which entry is the client's. An entry in
 * its place that is no address leaves none known; too few entries leave the one that Envoy appended.
 */
export function callerAddress(
  rule: ClientIp,
  peerText: string | undefined,
  forwarded: string | undefined,
  hostAddresses: ReadonlySet<string>,
): Address | undefined {
  const peer = peerText === undefined ? undefined : parseAddress(peerText);
  const isBeside = peer !== undefined && (isLoopback(peer) || hostAddresses.has(peer.text));
  if (!isBeside || forwarded === undefined) return peer;
  const entries = forwarded.split(',');
  const entry = entries.at(-placeOf(rule)) ?? entries.at(-1);
  return parseAddress(entry?.trim() ?? '');
}

function placeOf(rule: ClientIp): number {
  switch (rule.kind) {
    case 'peer':
      return 1;
    case 'trusted_hops':
      return rule.hops + 1;
    case 'xff_from_right':
      return rule.position;
  }
}
