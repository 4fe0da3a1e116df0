import { randomUUID } from 'node:crypto';
import { type Address, clientAddress, parseAddress } from '../core/address.ts';
import { isRequestId } from '../core/audit.ts';
import type { RequestFault } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import { type Headers, hasSecondOrigin, type Request } from '../core/request.ts';
import { splitTarget } from '../core/target.ts';
import type { CheckQuestion } from './decode.ts';

/** Requests above this are refused unread: the gate needs no bodies, and Envoy sends none by default. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HOST = /^(?:[\w.-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** What the wire adds to a message: its size, and the addresses that are Envoy's own. */
export type WireContext = {
  readonly byteLength: number;
  /** Addresses of this host: a sidecar's Envoy appends one of them for loopback peers. */
  readonly hostAddresses: ReadonlySet<string>;
};

/**
 * Reads Envoy's question into a request. Never throws for what a client can send: a message that cannot
 * be judged carries its fault. Both header encodings are read (`headers`, or `header_map` with raw bytes).
 */
export function readCheck(
  asked: CheckQuestion,
  policy: Pick<Policy, 'clientIp' | 'prefixes'>,
  wire: WireContext,
): Request {
  const { method, headers } = asked;
  const target = splitTarget(asked.path);
  const host = normaliseHost(asked.host);
  const client = clientAddress(
    policy.clientIp,
    asked.sourceAddress,
    headers.get('x-forwarded-for') ?? [],
    (address) => isEnvoyAddress(address, asked.destinationAddress, wire.hostAddresses),
  );
  return {
    id: requestId(headers, policy),
    method,
    scheme: asked.scheme.toLowerCase(),
    host,
    target,
    headers,
    address: client.address,
    isAddressUntrusted: client.untrusted,
    context: asked.contextExtensions,
    fault: faultOf(asked, { target, host }, wire),
  };
}

function faultOf(
  asked: CheckQuestion,
  { target, host }: Pick<Request, 'target' | 'host'>,
  wire: WireContext,
): RequestFault | undefined {
  const { headers } = asked;
  const isMalformed =
    !asked.isHttp ||
    !asked.isText ||
    !TOKEN.test(asked.method) ||
    !HOST.test(asked.host) ||
    hasSecondHost(headers, host) ||
    hasSecondOrigin(headers) ||
    !isPathAsSent(asked.path, headers.get(':path'));
  if (isMalformed) return 'malformed_request';
  if (wire.byteLength > MESSAGE_BYTES_MAX) return 'body_too_large';
  return target.ambiguous ? 'ambiguous_path' : undefined;
}

function hasSecondHost(headers: Headers, host: string): boolean {
  for (const name of [':authority', 'host']) {
    const [sent, second] = headers.get(name) ?? [];
    if (second !== undefined || (sent !== undefined && normaliseHost(sent) !== host)) return true;
  }
  return false;
}

/** Whether `path` is what stands on the wire: Envoy replaces bytes in it that are not valid UTF-8. */
function isPathAsSent(path: string, pseudo: readonly string[] | undefined): boolean {
  if (!pseudo) return true;
  if (pseudo.length > 1) return false;
  const [sent] = pseudo;
  return sent === path || Buffer.from(sent ?? '', 'latin1').toString('utf8') === path;
}

/** Lower case, without a default port and a trailing dot (RFC 9110 section 4.2.3). */
function normaliseHost(sent: string): string {
  const lower = sent.toLowerCase();
  const colon = lower.endsWith(':443') ? -4 : lower.endsWith(':80') ? -3 : lower.length;
  const name = lower.slice(0, colon);
  const port = /:\d+$/.exec(name)?.[0] ?? '';
  const bare = name.slice(0, name.length - port.length);
  return (bare.endsWith('.') ? bare.slice(0, -1) : bare) + port;
}

function requestId(headers: Headers, policy: Pick<Policy, 'prefixes'>): string {
  const [sent] = headers.get('x-request-id') ?? [];
  return sent !== undefined && isRequestId(policy, sent) ? sent : randomUUID();
}

function isEnvoyAddress(
  address: Address,
  destination: string | undefined,
  hostAddresses: ReadonlySet<string>,
): boolean {
  if (hostAddresses.has(address.text)) return true;
  return destination !== undefined && parseAddress(destination)?.text === address.text;
}
