import { createPublicKey, type KeyObject, verify } from 'node:crypto';

/** The public keys of a reporter, by the identifier that a report names. */
export type ReporterKeys = ReadonlyMap<string, KeyObject>;

const KEYS_MAX = 100;
const IDENTIFIER_CHARS_MAX = 256;
/** A DER signature of P-256 has at most 72 bytes. */
const SIGNATURE = /^[0-9A-Za-z+/]{8,128}={0,2}$/;

/**
 * Reads `{"public_keys":[{"key_identifier","key","is_current"}]}`, the keys as PEM. Keys that are not on P-256
 * are passed over; undefined for a text that is no such document.
 */
export function readReporterKeys(text: string): ReporterKeys | undefined {
  const listed = parseJson(text);
  if (!isObject(listed) || !Array.isArray(listed['public_keys'])) return undefined;
  const keys = new Map<string, KeyObject>();
  for (const entry of listed['public_keys'].slice(0, KEYS_MAX)) {
    if (!isObject(entry)) continue;
    const { key_identifier: identifier, key: pem } = entry;
    if (typeof identifier !== 'string' || typeof pem !== 'string') continue;
    const key = readP256(pem);
    if (key && identifier !== '' && identifier.length <= IDENTIFIER_CHARS_MAX) {
      keys.set(identifier, key);
    }
  }
  return keys;
}

/** Whether a base64 DER signature (ECDSA on P-256 with SHA-256) is one of these bytes. */
export function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: string): boolean {
  if (!SIGNATURE.test(signature)) return false;
  const der = Buffer.from(signature, 'base64');
  return verify('sha256', bytes, { key, dsaEncoding: 'der' }, der);
}

function readP256(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: pem, format: 'pem' });
    const curve = key.asymmetricKeyDetails?.namedCurve;
    return key.asymmetricKeyType === 'ec' && curve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
