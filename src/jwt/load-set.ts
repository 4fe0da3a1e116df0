import { open, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isLoopback, parseAddress } from '../core/address.ts';
import { parseJsonObject } from './json-object.ts';

/** Where one set comes from: a location (`https:`, loopback `http:`, `file:`) or OIDC discovery. */
export type SetSource =
  | { readonly kind: 'jwks'; readonly location: string }
  | { readonly kind: 'discovery'; readonly issuer: string };

/** The bytes of a set, and how long its answer says that they are good. */
export type LoadedSet = { readonly bytes: Buffer; readonly maxAgeMs?: number | undefined };

type Trip = {
  readonly fetch: typeof globalThis.fetch;
  readonly signal: AbortSignal;
  readonly bytesMax: number;
};

/** Loads the bytes of a set from its source; throws for whatever is not exactly as it should be. */
export function loadSet(source: SetSource, trip: Trip): Promise<LoadedSet> {
  return source.kind === 'discovery' ? discover(source.issuer, trip) : load(source.location, trip);
}

/** Where the source is read first, without what may hold a secret: query, user and password. */
export function showSource(source: SetSource): string {
  const location = source.kind === 'discovery' ? metadataUrl(source.issuer) : source.location;
  const url = URL.parse(location);
  if (!url) return 'no URL';
  return url.protocol === 'file:' ? url.href : `${url.protocol}//${url.host}${url.pathname}`;
}

/** Whether a source is a file, which is read again at its own pace. */
export function isFile(source: SetSource): boolean {
  return source.kind === 'jwks' && source.location.startsWith('file:');
}

/**
 * OIDC Discovery 1.0 section 4: the metadata must name the issuer exactly (section 4.3). Only an issuer on
 * http, which is a loopback one, may send us to http.
 */
async function discover(issuer: string, trip: Trip): Promise<LoadedSet> {
  const { bytes } = await fetchBytes(metadataUrl(issuer), trip);
  const metadata = parseJsonObject(bytes);
  if (metadata?.['issuer'] !== issuer) throw new Error('the metadata names another issuer');
  const location = metadata['jwks_uri'];
  if (typeof location !== 'string') throw new Error('the metadata has no jwks_uri');
  if (!location.startsWith('https:') && !issuer.startsWith('http:')) {
    throw new Error('jwks_uri is not https');
  }
  return fetchBytes(location, trip);
}

function metadataUrl(issuer: string): string {
  const stem = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
  return `${stem}/.well-known/openid-configuration`;
}

function load(location: string, trip: Trip): Promise<LoadedSet> {
  return location.startsWith('file:') ? readBytes(location, trip) : fetchBytes(location, trip);
}

async function readBytes(location: string, { bytesMax }: Trip): Promise<LoadedSet> {
  const path = fileURLToPath(location);
  if (!(await stat(path)).isFile()) throw new Error('not a regular file');
  await using file = await open(path, 'r');
  const buffer = Buffer.alloc(bytesMax + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    length += bytesRead;
    if (length > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    if (bytesRead === 0) return { bytes: buffer.subarray(0, length) };
  }
}

async function fetchBytes(location: string, trip: Trip): Promise<LoadedSet> {
  if (!mayFetch(location)) throw new Error('neither https nor http on loopback');
  const response = await trip.fetch(location, {
    redirect: 'manual',
    signal: trip.signal,
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}, not 200`);
  }
  const bytes = await readBody(response, trip.bytesMax);
  return { bytes, maxAgeMs: readMaxAgeMs(response.headers.get('cache-control')) };
}

async function readBody(response: Response, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Whether keys may travel from here: never in the clear but on this host. */
function mayFetch(location: string): boolean {
  const url = URL.parse(location);
  if (url?.protocol === 'https:') return true;
  if (url?.protocol !== 'http:') return false;
  if (url.hostname === 'localhost') return true;
  const address = parseAddress(url.hostname.replace(/^\[|\]$/g, ''));
  return address !== undefined && isLoopback(address);
}

/** `max-age` of RFC 9111 section 5.2.2.1. */
function readMaxAgeMs(header: string | null): number | undefined {
  for (const directive of header?.toLowerCase().split(',') ?? []) {
    const [name, value = ''] = directive.trim().split('=', 2);
    if (name === 'max-age' && /^"?\d{1,10}"?$/.test(value)) {
      return Number(value.replaceAll('"', '')) * 1000;
    }
  }
  return undefined;
}
