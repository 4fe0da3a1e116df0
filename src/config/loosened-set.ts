import type { AddressSet } from '../core/address.ts';
import {
  holdsOrigin,
  type Origin,
  type OriginRule,
  type OriginSet,
  originKey,
} from '../core/origin.ts';

/** A list that narrows who may call; undefined lets everybody. */
type Narrowing = Iterable<string> | undefined;

/** Whether a list lets something through that it did not; a list that is gone lets everything. */
export function isWider(before: Narrowing, after: Narrowing): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  const known = new Set(before);
  return [...after].some((value) => !known.has(value));
}

/** The same for addresses: whether one of the blocks is not within a block of before. */
export function isWiderAddresses(
  before: AddressSet | undefined,
  after: AddressSet | undefined,
): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  return after.blocks.some(({ family, prefixLength, networks }) => {
    const around = before.blocks.filter(
      (block) => block.family === family && block.prefixLength <= prefixLength,
    );
    return [...networks].some(
      (network) => !around.some((block) => block.networks.has(cut(network, block.prefixLength))),
    );
  });
}

/** The same for origins, and whether a missing header passes now. */
export function isWiderOrigins(
  before: OriginRule | undefined,
  after: OriginRule | undefined,
): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  if (before.missing === 'deny' && after.missing === 'allow') return true;
  return isWiderOriginSet(before.allow, after.allow);
}

export function isWiderOriginSet(before: OriginSet, after: OriginSet): boolean {
  const parents = new Set(before.subdomainsOf.map(originKey));
  const isKnown = (origin: Origin) => parents.has(originKey(origin)) || holdsOrigin(before, origin);
  if (after.subdomainsOf.some((parent) => !isKnown(parent))) return true;
  return [...after.exact].some((text) => !before.exact.has(text) && !isKnown(originOf(text)));
}

/** Reads what `originKey` wrote. */
function originOf(text: string): Origin {
  const scheme = text.startsWith('https:') ? 'https' : 'http';
  const colon = text.lastIndexOf(':');
  const host = text.slice(scheme.length + 3, colon);
  return { scheme, host, port: Number(text.slice(colon + 1)) };
}

/** A network, one character a byte, cut to a shorter prefix. */
function cut(network: string, prefixLength: number): string {
  let shorter = '';
  for (let index = 0; index < network.length; index += 1) {
    const keep = Math.min(Math.max(prefixLength - index * 8, 0), 8);
    shorter += String.fromCharCode(network.charCodeAt(index) & (0xff00 >> keep));
  }
  return shorter;
}
