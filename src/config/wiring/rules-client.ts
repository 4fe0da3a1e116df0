import type { ClientIp } from '../../core/policy.ts';
import type { Fault } from './fault.ts';
import type { Needs } from './needs.ts';
import { aboutConnections, aboutKind, aboutMeshes, type Rule } from './rule.ts';
import { at, isOn, isThere, isTrue, itemsOf, numberAt, type Spot, textAt } from './spot.ts';
import type { Connection } from './wiring.ts';

/** Who the client is, and what it may claim. */
export const CLIENT_RULES = [
  aboutConnections('use_remote_address', ({ spot, isWhole }, { clientIp }) => {
    const setting = at(spot, 'use_remote_address');
    const isUnset = !isThere(setting);
    if (isTrue(setting) || (isUnset && !isWhole) || clientIp.kind === 'xff_from_right')
      return undefined;
    const message =
      'a client may claim its address, x-forwarded-proto and x-envoy-* headers: set use_remote_address: true';
    return { spot: isUnset ? spot : setting, message };
  }),
  aboutConnections('skip_xff_append', ({ spot }, { clientIp }) => {
    const setting = at(spot, 'skip_xff_append');
    if (!isOn(setting) || clientIp.kind !== 'trusted_hops') return undefined;
    const message =
      'without its own entry in x-forwarded-for Postern knows no client address: remove skip_xff_append';
    return { spot: setting, message };
  }),
  aboutConnections('hops_differ', judgeHops),
  aboutMeshes('hops_differ', (mesh, { clientIp }) => {
    const topology = at(mesh, 'defaultConfig', 'gatewayTopology');
    const hops = at(topology, 'numTrustedProxies');
    return compareHops({ clientIp, hops: numberAt(hops) ?? 0, name: 'numTrustedProxies' }, [
      hops,
      mesh,
    ]);
  }),
  aboutKind('hops_differ', 'ClientTrafficPolicy', (spec, { clientIp }) => {
    const detection = at(spec, 'clientIPDetection');
    const hops = at(detection, 'xForwardedFor', 'numTrustedHops');
    const other = [at(detection, 'customHeader'), at(detection, 'xForwardedFor', 'trustedCIDRs')];
    const unread = other.find(isThere);
    if (unread) {
      const message =
        'Postern counts hops and cannot find a client in this way: use numTrustedHops';
      return { spot: unread, message };
    }
    return compareHops({ clientIp, hops: numberAt(hops) ?? 0, name: 'numTrustedHops' }, [
      hops,
      spec,
    ]);
  }),
  aboutKind('skip_xff_append', 'ClientTrafficPolicy', (spec, { clientIp }) => {
    const setting = at(spec, 'clientIPDetection', 'xForwardedFor', 'disableXForwardedForAppend');
    if (!isOn(setting) || clientIp.kind !== 'trusted_hops') return undefined;
    const message =
      'without its own entry in x-forwarded-for Postern knows no client address: remove this';
    return { spot: setting, message };
  }),
  aboutConnections('internal_clients', ({ spot }) => {
    const config = at(spot, 'internal_address_config');
    const ranges = itemsOf(at(config, 'cidr_ranges'));
    if (!isThere(config) || (ranges.length > 0 && !ranges.some(isEverybody))) return undefined;
    const message =
      'clients with such addresses may send x-envoy-* headers and ids of requests: name the ranges of your own proxies';
    return { spot: config, message };
  }),
  aboutConnections('request_id', ({ spot }) =>
    [at(spot, 'generate_request_id')]
      .filter((one) => isThere(one) && !isTrue(one))
      .concat([at(spot, 'preserve_external_request_id')].filter(isOn))
      .map(idAt),
  ),
  aboutKind('request_id', 'ClientTrafficPolicy', (spec) => {
    const action = at(spec, 'headers', 'requestID');
    const kept = at(spec, 'headers', 'preserveXRequestID');
    if (isOn(kept)) return idAt(kept);
    return isThere(action) && textAt(action) !== 'Generate' ? idAt(action) : undefined;
  }),
] as const satisfies readonly Rule[];

function idAt(spot: Spot): Fault {
  const message =
    'a client may choose the id of its request, or have none, so that answers, audit and logs do not fit together: let Envoy make it';
  return { spot, message };
}

/** No range at all means all private addresses; a range of no bits means every address. */
function isEverybody(range: Spot): boolean {
  return numberAt(at(range, 'prefix_len')) === 0;
}

type Hops = { readonly clientIp: ClientIp; readonly hops: number; readonly name: string };

/** For an Envoy that appends its peer: the client stands `hops` places before that entry. */
function compareHops({ clientIp, hops, name }: Hops, [first, other]: readonly [Spot, Spot]) {
  const expected = expectedHops(clientIp);
  if (hops === expected) return undefined;
  return {
    spot: isThere(first) ? first : other,
    message: hopsText(clientIp, `${name} is ${hops}`, expected),
  };
}

function expectedHops(clientIp: ClientIp): number {
  if (clientIp.kind === 'trusted_hops') return clientIp.hops;
  return clientIp.kind === 'peer' ? 0 : clientIp.position - 1;
}

function hopsText(clientIp: ClientIp, found: string, expected: number): string {
  const said = {
    peer: 'peer',
    trusted_hops: `{trusted_hops: ${'hops' in clientIp ? clientIp.hops : 0}}`,
    xff_from_right: `{xff_from_right: ${'position' in clientIp ? clientIp.position : 0}}`,
  }[clientIp.kind];
  return `${found}, and client_ip: ${said} wants ${expected}: Envoy and Postern take different clients for one request`;
}

/** How Envoy finds the client with and without its own entry (its manual, on x-forwarded-for). */
function judgeHops({ spot, isWhole }: Connection, { clientIp }: Needs): Fault | undefined {
  const setting = at(spot, 'xff_num_trusted_hops');
  const extensions = at(spot, 'original_ip_detection_extensions');
  if (itemsOf(extensions).length > 0) {
    const message =
      'Postern counts hops and cannot find a client in this way: use xff_num_trusted_hops';
    return { spot: extensions, message };
  }
  if (!isThere(setting) && !isWhole) return undefined;
  const hops = numberAt(setting) ?? 0;
  const isSkipping = isOn(at(spot, 'skip_xff_append'));
  const isFromRight = clientIp.kind === 'xff_from_right';
  const isBefore = isFromRight && isSkipping && isTrue(at(spot, 'use_remote_address'));
  const expected = isBefore ? clientIp.position : expectedHops(clientIp);
  if (hops === expected) return undefined;
  const message = hopsText(clientIp, `xff_num_trusted_hops is ${hops}`, expected);
  return { spot: isThere(setting) ? setting : spot, message };
}
