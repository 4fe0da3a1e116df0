import { hash } from 'node:crypto';
import type { AddressSet } from './address.ts';
import { BASE62_DIGITS } from './base62.ts';
import { type Deny, deny, type Reason } from './decision.ts';
import type { Figures } from './limit.ts';
import type { OriginRule, RefererRule } from './origin.ts';

declare const brand: unique symbol;
/** SHA-256 of a whole key, in hex. Only `hashKey` and `parseKeyHash` make one. */
export type KeyHash = string & { readonly [brand]: 'KeyHash' };

/** What a key's prefix says of it. */
export type Prefix = {
  readonly prefix: string;
  readonly environment?: string | undefined;
  /** A ceiling for the scopes of every key with this prefix. */
  readonly maxScopes?: readonly string[] | undefined;
  readonly publishable: boolean;
  readonly checksum: boolean;
};

export const KEY_KINDS = ['personal', 'team', 'service'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** An API key as Postern judges it, compiled from its record. The raw key is not part of it. */
export type ApiKey = {
  readonly id: string;
  readonly name: string;
  readonly kind: KeyKind;
  readonly owner?: string | undefined;
  readonly team?: string | undefined;
  readonly workspace?: string | undefined;
  readonly username: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly plan?: string | undefined;
  /** The key's own limit, which adds to its plan. */
  readonly rateLimit?: Figures | undefined;
  readonly environment?: string | undefined;
  readonly allowedIps?: AddressSet | undefined;
  readonly allowedReferers?: RefererRule | undefined;
  readonly allowedOrigins?: OriginRule | undefined;
  readonly allowedRoutes?: ReadonlySet<string> | undefined;
  readonly hideCredentials: boolean;
  readonly expiresAtMs?: number | undefined;
  readonly status: 'active' | 'disabled' | 'revoked';
  /** Revoked because its owner was deactivated, and not by itself. */
  readonly lostOwner?: boolean | undefined;
  /** Of stored keys: when it was made, and when its newest secret was. */
  readonly createdAtMs?: number | undefined;
  readonly rotatedAtMs?: number | undefined;
};

/** What a text is by its prefix: a key in form, a key with a wrong form or checksum, or no key. */
export type ParsedKey =
  | { readonly kind: 'key'; readonly prefix: Prefix }
  | { readonly kind: 'bad' }
  | { readonly kind: 'none' };

const SECRET_CHARS = 32;
const CHECKSUM_CHARS = 6;
const SHOWN_CHARS = 2;
/** The largest multiple of 62 in a byte: bytes above it would make some characters likelier. */
const FAIR_BYTES = 248;
const BASE62 = /^[0-9A-Za-z]+$/;
const URL_SAFE = /^[\w.~-]{16,255}$/;
const SHA256_HEX = /^[0-9a-f]{64}$/;

/** The digest that a key is stored and found by. */
export function hashKey(key: string): KeyHash {
  return hash('sha256', key, 'hex') as KeyHash;
}

/** Reads `sha256:<hex>`; undefined for anything else. */
export function parseKeyHash(text: string): KeyHash | undefined {
  const hex = text.startsWith('sha256:') ? text.slice(7) : '';
  return SHA256_HEX.test(hex) ? (hex as KeyHash) : undefined;
}

/** Makes a key of random bytes (at least 64; about 3 % are passed over for fairness): `<prefix><32><6>`. */
export function mintKey(prefix: string, bytes: Uint8Array): string {
  let secret = '';
  for (const byte of bytes) {
    if (byte < FAIR_BYTES && secret.length < SECRET_CHARS) secret += BASE62_DIGITS[byte % 62];
  }
  if (secret.length < SECRET_CHARS) throw new Error('too few random bytes to mint a key');
  return prefix + secret + checksumOf(prefix + secret);
}

/** What may be shown of a key: its prefix and two characters. */
export function shownPrefix(prefix: string, key: string): string {
  return key.slice(0, prefix.length + SHOWN_CHARS);
}

/** Judges a text by its prefix and checksum alone. `prefixes` are sorted, the longest first. */
export function parseKey(text: string, prefixes: readonly Prefix[]): ParsedKey {
  for (const prefix of prefixes) {
    if (prefix.prefix === '') {
      const isKey = URL_SAFE.test(text) && !isTokenShaped(text);
      return isKey ? { kind: 'key', prefix } : { kind: 'none' };
    }
    if (!text.startsWith(prefix.prefix)) continue;
    const isKey = !prefix.checksum || holdsChecksum(text, prefix.prefix.length);
    return isKey ? { kind: 'key', prefix } : { kind: 'bad' };
  }
  return { kind: 'none' };
}

/** Whether a text has the three parts of a compact JWS (RFC 7515 section 7.1). */
export function isTokenShaped(text: string): boolean {
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  return first > 0 && second > first && text.indexOf('.', second + 1) === -1;
}

/** How long stored keys may live, beside the end that each names itself. */
export type KeyRules = {
  /** From its creation; rotating does not renew it. */
  readonly maxAgeMs?: number | undefined;
  /** From its newest secret. */
  readonly rotateEveryMs?: number | undefined;
  /** How long before its end a key is announced as expiring. */
  readonly warnMs: number;
  /** A key that was not used for so long is announced as stale. */
  readonly staleMs?: number | undefined;
};

/** Refuses a key that is revoked, disabled, rotated out or expired; its states are told apart in this order. */
export function judgeKey(
  { key, until }: { readonly key: ApiKey; readonly until?: number | undefined },
  rules: KeyRules,
  nowMs: number,
): Deny | undefined {
  const refuse = (reason: Reason) => deny('identify', reason, { key });
  if (key.status === 'revoked') return refuse('key_revoked');
  if (key.status === 'disabled') return refuse('key_disabled');
  const isOver = nowMs >= (until ?? Infinity) || nowMs >= endOfKey(key, rules);
  return isOver ? refuse('key_expired') : undefined;
}

/** When a key ends (epoch ms): its own end or that of the rules, whichever comes first; `Infinity` for never. */
export function endOfKey(
  key: Pick<ApiKey, 'expiresAtMs' | 'createdAtMs' | 'rotatedAtMs'>,
  { maxAgeMs, rotateEveryMs }: Pick<KeyRules, 'maxAgeMs' | 'rotateEveryMs'>,
): number {
  const { expiresAtMs, createdAtMs, rotatedAtMs } = key;
  const after = (startMs: number | undefined, lifeMs: number | undefined) =>
    startMs === undefined || lifeMs === undefined ? Infinity : startMs + lifeMs;
  return Math.min(
    expiresAtMs ?? Infinity,
    after(createdAtMs, maxAgeMs),
    after(rotatedAtMs, rotateEveryMs),
  );
}

function holdsChecksum(text: string, prefixLength: number): boolean {
  if (text.length !== prefixLength + SECRET_CHARS + CHECKSUM_CHARS) return false;
  if (!BASE62.test(text.slice(prefixLength))) return false;
  return text.endsWith(checksumOf(text.slice(0, -CHECKSUM_CHARS)));
}

/** CRC-32 (ISO-HDLC, as in zip) of an ASCII text, in six base62 characters. */
export function checksumOf(text: string): string {
  let crc = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) {
    crc = (CRC_TABLE[(crc ^ text.charCodeAt(at)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  let rest = (crc ^ 0xffffffff) >>> 0;
  let digits = '';
  for (let at = 0; at < CHECKSUM_CHARS; at += 1) {
    digits = BASE62_DIGITS[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

const CRC_POLYNOMIAL = 0xedb88320;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? CRC_POLYNOMIAL ^ (crc >>> 1) : crc >>> 1;
  return crc >>> 0;
});
