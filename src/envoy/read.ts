import { randomUUID } from 'node:crypto';
import { type Address, clientAddress, parseAddress } from '../core/address.ts';
import type { RequestFault } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import type { Headers, Request } from '../core/request.ts';
import { splitTarget, type Target } from '../core/target.ts';
import type { CheckContext, CheckMessage, HttpMessage, PeerMessage } from './protocol.ts';

/** Requests above this are refused unread: the gate needs no bodies, and Envoy sends none by default. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HOST = /^(?:[\w.-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
const REQUEST_ID = /^[\w.-]{1,128}$/;
const SECOND_REFERER = /,\s*(?:https?:|null\s*(?:,|$))/i;
const REPLACEMENT = '\uFFFD';

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
  message: CheckMessage,
  policy: Pick<Policy, 'clientIp'>,
  wire: WireContext,
): Request {
  const attributes = message.attributes ?? {};
  const http = attributes.request?.http;
  const headers = http ? readHeaders(http) : new Map<string, readonly string[]>();
  const target = splitTarget(http?.path ?? '');
  const host = normaliseHost(http?.host ?? '');
  const client = clientAddress(
    policy.clientIp,
    addressText(attributes.source),
    headers.get('x-forwarded-for') ?? [],
    (address) => isEnvoyAddress(address, attributes.destination, wire.hostAddresses),
  );
  return {
    id: requestId(headers),
    method: http?.method ?? '',
    scheme: (http?.scheme ?? '').toLowerCase(),
    host,
    target,
    headers,
    address: client.address,
    isAddressUntrusted: client.untrusted,
    context: readContext(attributes.context_extensions),
    fault: http ? faultOf({ http, headers, target, host }, wire) : 'malformed_request',
  };
}

function readHeaders(http: HttpMessage): Headers {
  const headers = new Map<string, string[]>();
  for (const { key, value, raw_value } of http.header_map?.headers ?? []) {
    const text = raw_value.length > 0 ? latin1(raw_value) : value;
    const name = key.toLowerCase();
    const values = headers.get(name);
    if (values) values.push(text);
    else headers.set(name, [text]);
  }
  for (const key of Object.keys(http.headers)) {
    const name = key.toLowerCase();
    const text = http.headers[key] ?? '';
    const values = headers.get(name);
    if (values) values.push(text);
    else headers.set(name, [text]);
  }
  return headers;
}

/** The bytes as characters of the same number: comparing never depends on a charset. */
function latin1(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1');
}

const NO_CONTEXT: ReadonlyMap<string, string> = new Map();

function readContext(extensions: CheckContext | undefined): ReadonlyMap<string, string> {
  const entries = extensions ? Object.entries(extensions) : [];
  return entries.length === 0 ? NO_CONTEXT : new Map(entries);
}

type Reading = {
  readonly http: HttpMessage;
  readonly headers: Headers;
  readonly target: Target;
  readonly host: string;
};

function faultOf(reading: Reading, wire: WireContext): RequestFault | undefined {
  const { http, headers, target, host } = reading;
  const isMalformed =
    !TOKEN.test(http.method) ||
    !HOST.test(host) ||
    hasSecondHost(headers, host) ||
    hasSecondValue(headers.get('origin'), /,/) ||
    hasSecondValue(headers.get('referer'), SECOND_REFERER) ||
    !isPathAsSent(http.path, headers.get(':path')) ||
    hasReplacement(http, headers);
  if (isMalformed) return 'malformed_request';
  if (wire.byteLength > MESSAGE_BYTES_MAX) return 'body_too_large';
  return target.ambiguous ? 'ambiguous_path' : undefined;
}

/** Whether a header holds two values, on two lines or joined by a comma. */
function hasSecondValue(values: readonly string[] | undefined, joint: RegExp): boolean {
  return values !== undefined && (values.length > 1 || joint.test(values[0] ?? ''));
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
  if (path.includes(REPLACEMENT)) return false;
  if (!pseudo) return true;
  if (pseudo.length > 1) return false;
  const [sent] = pseudo;
  return sent === path || Buffer.from(sent ?? '', 'latin1').toString('utf8') === path;
}

/** Whether a text of the message was not valid UTF-8: the decoder puts U+FFFD in its place. Raw bytes have none. */
function hasReplacement(http: HttpMessage, headers: Headers): boolean {
  for (const name of headers.keys()) if (name.includes(REPLACEMENT)) return true;
  for (const name of Object.keys(http.headers)) {
    if (http.headers[name]?.includes(REPLACEMENT)) return true;
  }
  return false;
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

function requestId(headers: Headers): string {
  const [sent] = headers.get('x-request-id') ?? [];
  return sent !== undefined && REQUEST_ID.test(sent) ? sent : randomUUID();
}

function addressText(peer: PeerMessage | null | undefined): string | undefined {
  return peer?.address?.socket_address?.address;
}

function isEnvoyAddress(
  address: Address,
  destination: PeerMessage | null | undefined,
  hostAddresses: ReadonlySet<string>,
): boolean {
  if (hostAddresses.has(address.text)) return true;
  const text = addressText(destination);
  return text !== undefined && parseAddress(text)?.text === address.text;
}
