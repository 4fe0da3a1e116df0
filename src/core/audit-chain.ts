import { createHmac, hash } from 'node:crypto';

/** The two ways in which an event is written, and so the names of its place in a chain. */
export type ChainForm = 'postern' | 'ocsf';

/** Where a chain stands: the number of its last event, and the digest of that event's bytes. */
export type ChainLink = { readonly sequence: number; readonly digest: string };

/** What an event says of its place: its own number, and the digest of the one before. */
export type Seal = { readonly sequence: number; readonly before: string };

/** The digest of an event's exact bytes; with a key an HMAC that only its holder can make. Hex. */
export type ChainDigest = (bytes: Uint8Array | string) => string;

/** Before the first event there is none. */
export const CHAIN_START: ChainLink = { sequence: 0, digest: '0'.repeat(64) };

/** A key that is shorter could be guessed. */
export const CHAIN_KEY_CHARS_MIN = 32;

/** Digits of a number in CloudEvents, whose `sequence` sorts as text. */
const SEQUENCE_DIGITS = 16;
const DIGEST = /^[0-9a-f]{64}$/;

/** Makes the digest: SHA-256, or HMAC-SHA-256 under a key. */
export function createChainDigest(key?: string): ChainDigest {
  if (key === undefined) return (bytes) => hash('sha256', bytes, 'hex');
  return (bytes) => createHmac('sha256', key).update(bytes).digest('hex');
}

/** Writes an event, which is the JSON of an object, with its place in the chain as the last two members. */
export function sealEvent(form: ChainForm, event: string, { sequence, before }: Seal): string {
  const body = event.slice(0, -1);
  if (form === 'postern') return `${body},"seq":${sequence},"prev_hash":"${before}"}`;
  const digits = String(sequence).padStart(SEQUENCE_DIGITS, '0');
  return `${body},"sequence":"${digits}","prevhash":"${before}"}`;
}

/** Reads the place of an event; undefined for what is no sealed event. */
export function readSeal(line: string): Seal | undefined {
  const event = parseObject(line);
  if (!event) return undefined;
  const isPlain = 'seq' in event;
  const sequence = isPlain ? event['seq'] : numberOf(event['sequence']);
  const before = isPlain ? event['prev_hash'] : event['prevhash'];
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1) {
    return undefined;
  }
  return typeof before === 'string' && DIGEST.test(before) ? { sequence, before } : undefined;
}

function numberOf(text: unknown): unknown {
  return typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}

function parseObject(line: string): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
