import type { Claims } from '../core/token.ts';
import { parseUniqueObject } from './json-object.ts';

/** A token whose form is sound; its signature and claims are not judged yet. */
export type ParsedToken = {
  readonly text: string;
  readonly alg: string;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
  readonly iss: string | undefined;
  readonly claims: Claims;
};

type Problem = { readonly problem: string };

/** Members that change what a signature means or what the payload is (RFC 7515, 7516, 7797). */
const REFUSED_MEMBERS = ['crit', 'b64', 'zip', 'enc'] as const;

/**
 * Reads a JWS in compact form (RFC 7515 section 7.1): three segments of canonical base64url, a header and a
 * payload that are JSON objects without duplicate members. A problem never holds text of the token.
 */
export function parseToken(
  text: string,
  limits: { readonly tokenCharsMax: number; readonly headerBytesMax: number },
): ParsedToken | Problem {
  if (text.length > limits.tokenCharsMax) return { problem: 'longer than a token may be' };
  const [head, body, signature, ...more] = text.split('.', 4);
  if (!head || !body || !signature || more.length > 0) {
    return { problem: 'not three segments' };
  }
  const headerBytes = decodeSegment(head);
  const payloadBytes = decodeSegment(body);
  if (!headerBytes || !payloadBytes || !decodeSegment(signature)) {
    return { problem: 'a segment is not canonical base64url' };
  }
  if (headerBytes.length > limits.headerBytesMax) return { problem: 'header too large' };
  const header = parseUniqueObject(headerBytes);
  if (!header) return { problem: 'the header is not a JSON object of unique members' };
  const claims = parseUniqueObject(payloadBytes);
  if (!claims) return { problem: 'the payload is not a JSON object of unique members' };
  return joinParts(text, header, claims);
}

/** Whether two media types are the same (RFC 7515 section 4.1.9: any case, `application/` may be left out). */
export function isSameType(one: string, other: string): boolean {
  return bareType(one) === bareType(other);
}

function joinParts(text: string, header: Claims, claims: Claims): ParsedToken | Problem {
  const { alg, kid, typ } = header;
  const { iss } = claims;
  for (const member of REFUSED_MEMBERS) {
    if (Object.hasOwn(header, member)) return { problem: `the header has ${member}` };
  }
  if (typeof alg !== 'string' || alg === '') return { problem: 'the header has no alg' };
  if (!isOptionalText(kid)) return { problem: 'kid is not a string' };
  if (!isOptionalText(typ)) return { problem: 'typ is not a string' };
  if (!isOptionalText(iss)) return { problem: 'iss is not a string' };
  return { text, alg, kid, typ, iss, claims };
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

/** The bytes of a segment, or undefined unless encoding them again gives the same text. */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.toString('base64url') === segment ? bytes : undefined;
}

function bareType(type: string): string {
  const lower = type.toLowerCase();
  const bare = lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
  return bare.includes('/') ? lower : bare;
}
