import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ClientIp } from './policy.ts';

/** An IP address in canonical form; an IPv4-mapped IPv6 address is the IPv4 address it maps. */
export type Address = {
  readonly text: string;
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
};

/** Addresses and CIDR blocks, by family and prefix length, so that a look-up costs one hash per length. */
export type AddressSet = {
  readonly blocks: readonly {
    readonly family: 4 | 6;
    readonly prefixLength: number;
    readonly networks: ReadonlySet<string>;
  }[];
};

const MAPPED_PREFIX_BITS = 96;
const DOT = 46;
const ZERO = 48;

/**
 * Reads an address as `net.isIP` accepts it (no octal, no shorthand) without a zone.
 * Only ::ffff:0:0/96 is unwrapped.
 */
export function parseAddress(text: string): Address | undefined {
  const version = isIP(text);
  if (version === 4) return fourFrom(text);
  if (version !== 6 || text.includes('%')) return undefined;
  const parsed = ipaddr.IPv6.parse(withoutDots(text));
  if (isMapped(parsed)) return fourFrom(parsed.toIPv4Address().toString());
  return { text: parsed.toRFC5952String(), family: 6, bytes: parsed.toByteArray() };
}

/** An IPv6 address whose last 32 bits are written in hex: ipaddr.js takes `::10.0.0.1` for a mapped address. */
function withoutDots(text: string): string {
  if (!text.includes('.')) return text;
  const colon = text.lastIndexOf(':') + 1;
  const [a = 0, b = 0, c = 0, d = 0] = text.slice(colon).split('.').map(Number);
  return `${text.slice(0, colon)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** A problem in words, or the blocks: `10.0.0.5`, `192.0.2.0/24`, `2001:db8::/48`. */
export function compileAddresses(
  texts: readonly string[],
): { readonly set: AddressSet } | { readonly problem: string; readonly index: number } {
  const networks = new Map<
    string,
    { family: 4 | 6; prefixLength: number; networks: Set<string> }
  >();
  for (const [index, text] of texts.entries()) {
    const block = parseBlock(text);
    if (!block) {
      return { index, problem: `${JSON.stringify(text)} is no address or CIDR block` };
    }
    const { address, prefixLength } = block;
    const group = `${address.family}/${prefixLength}`;
    const known = networks.get(group) ?? {
      family: address.family,
      prefixLength,
      networks: new Set(),
    };
    networks.set(group, known);
    known.networks.add(networkOf(address.bytes, prefixLength));
  }
  return { set: { blocks: [...networks.values()] } };
}

/** Whether an address stands in one of the blocks. */
export function holdsAddress(set: AddressSet, address: Address): boolean {
  for (const block of set.blocks) {
    if (block.family !== address.family) continue;
    if (block.networks.has(networkOf(address.bytes, block.prefixLength))) return true;
  }
  return false;
}

/** What limits count by: an IPv4 address, or the /64 of an IPv6 address. */
export function addressSubject(address: Address): string {
  return address.family === 4 ? address.text : `${networkOf(address.bytes, 64)}/64`;
}

/** Where a request comes from, as limits and counts of failures take it: all without a known address are one source. */
export function sourceOf(address: Address | undefined): string {
  return address ? addressSubject(address) : 'unknown';
}

/** Whether a CIDR block has bits set beyond its prefix, so that it means another network than it says. */
export function hasHostBits(text: string): boolean {
  const block = parseBlock(text);
  if (!block) return false;
  const { address, prefixLength } = block;
  return (
    networkOf(address.bytes, prefixLength) !== networkOf(address.bytes, address.bytes.length * 8)
  );
}

/** The address of the client, or undefined when none is known; `untrusted` when Envoy's own entry is missing. */
export type ClientAddress = { readonly address?: Address | undefined; readonly untrusted: boolean };

/**
 * Finds the client behind proxies (Envoy's `use_remote_address` and `xff_num_trusted_hops`).
 * `ownAddresses` are the texts that Envoy may have appended for a loopback peer.
 */
export function clientAddress(
  rule: ClientIp,
  peerText: string | undefined,
  forwardedFor: readonly string[],
  isOwnAddress: (address: Address) => boolean,
): ClientAddress {
  const peer = peerText === undefined ? undefined : parseAddress(peerText);
  if (rule.kind === 'peer' || forwardedFor.length === 0) return { address: peer, untrusted: false };
  const entries = forwardedFor.join(',').split(',');
  if (rule.kind === 'xff_from_right') {
    const entry = entries.at(-rule.position);
    const known = entry === undefined ? peer : parseAddress(entry.trim());
    return { address: known, untrusted: false };
  }
  if (!isAppended(entries.at(-1) ?? '', peer, isOwnAddress)) return { untrusted: true };
  if (rule.hops === 0) return { address: peer, untrusted: false };
  const entry = entries.at(-1 - rule.hops);
  return { address: entry === undefined ? peer : parseAddress(entry.trim()), untrusted: false };
}

/** Whether the last entry is the one that Envoy appends: its peer, or for a loopback peer its own address. */
function isAppended(
  last: string,
  peer: Address | undefined,
  isOwnAddress: (address: Address) => boolean,
): boolean {
  const appended = parseAddress(last.trim());
  if (!appended || !peer) return false;
  return appended.text === peer.text || (isLoopback(peer) && isOwnAddress(appended));
}

export function isLoopback(address: Address): boolean {
  return address.family === 4 ? address.bytes[0] === 127 : address.text === '::1';
}

function parseBlock(text: string): { address: Address; prefixLength: number } | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const bits = address.bytes.length * 8;
  if (slash === -1) return { address, prefixLength: bits };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const written = Number(digits);
  const isMappedText = address.family === 4 && text.includes(':');
  const prefixLength = isMappedText ? written - MAPPED_PREFIX_BITS : written;
  return prefixLength < 0 || prefixLength > bits ? undefined : { address, prefixLength };
}

/** An address that `net.isIP` took for IPv4. */
function fourFrom(text: string): Address {
  const bytes: number[] = [];
  let byte = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      bytes.push(byte);
      byte = 0;
    } else byte = byte * 10 + code - ZERO;
  }
  bytes.push(byte);
  return { text, family: 4, bytes };
}

function isMapped(address: ipaddr.IPv6): boolean {
  return address.parts.slice(0, 5).every((part) => part === 0) && address.parts[5] === 0xffff;
}

/** The first bits of an address, as hex, the rest zero. */
function networkOf(bytes: readonly number[], prefixLength: number): string {
  let network = '';
  for (const [index, byte] of bytes.entries()) {
    const keep = Math.min(Math.max(prefixLength - index * 8, 0), 8);
    network += String.fromCharCode(byte & (0xff00 >> keep));
  }
  return network;
}
