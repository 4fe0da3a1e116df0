import { open, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isLoopback, parseAddress } from '../core/address.ts';
import { type ReporterKeys, readReporterKeys } from './leaked-signature.ts';

/** Public keys of reporters, kept so that reports need no trip of their own. */
export type KeptKeys = {
  /**
   * The keys of a location, read anew when they are old or lack an identifier; but at most once in `RETRY_MS`,
   * since anybody may send an identifier. Undefined when there are none and none can be read.
   */
  readonly keysFor: (
    location: string,
    identifier: string,
    nowMs: number,
  ) => Promise<ReporterKeys | undefined>;
};

const FRESH_MS = 3_600_000;
/** How long keys serve while their location does not answer. */
const STALE_MS = 24 * FRESH_MS;
const RETRY_MS = 60_000;
const TIME_MAX_MS = 5000;
const BYTES_MAX = 262_144;

type Place = {
  held?: { readonly keys: ReporterKeys; readonly readAtMs: number };
  triedAtMs: number;
  trip?: Promise<void> | undefined;
};

/** Keeps no keys yet. `onFailure` is told once of each trip that failed. */
export function createKeptKeys(onFailure: (cause: unknown) => void): KeptKeys {
  const places = new Map<string, Place>();
  const placeOf = (location: string): Place => {
    const place = places.get(location) ?? { triedAtMs: -Infinity };
    places.set(location, place);
    return place;
  };
  const renew = async (place: Place, location: string, nowMs: number) => {
    try {
      const keys = readReporterKeys(await readText(location));
      if (!keys) throw new Error('the document holds no list public_keys');
      place.held = { keys, readAtMs: nowMs };
    } catch (cause) {
      onFailure(new Error('the public keys of the leak reporter cannot be read', { cause }));
    }
    place.trip = undefined;
  };
  return {
    keysFor: async (location, identifier, nowMs) => {
      const place = placeOf(location);
      if (!place.trip && isDue(place, identifier, nowMs)) {
        place.triedAtMs = nowMs;
        place.trip = renew(place, location, nowMs);
      }
      await place.trip;
      const { held } = place;
      return held && nowMs - held.readAtMs < STALE_MS ? held.keys : undefined;
    },
  };
}

function isDue({ held, triedAtMs }: Place, identifier: string, nowMs: number): boolean {
  if (nowMs - triedAtMs < RETRY_MS) return false;
  return !held?.keys.has(identifier) || nowMs - held.readAtMs >= FRESH_MS;
}

function readText(location: string): Promise<string> {
  return location.startsWith('file:') ? readFileText(location) : fetchText(location);
}

async function readFileText(location: string): Promise<string> {
  const path = fileURLToPath(location);
  if (!(await stat(path)).isFile()) throw new Error('not a regular file');
  await using file = await open(path, 'r');
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.createReadStream({ autoClose: false, end: BYTES_MAX })) {
    chunks.push(chunk);
  }
  return textOf(chunks);
}

async function fetchText(location: string): Promise<string> {
  if (!mayFetch(location)) throw new Error('neither https nor http on loopback');
  const response = await fetch(location, {
    redirect: 'manual',
    signal: AbortSignal.timeout(TIME_MAX_MS),
    headers: { accept: 'application/json' },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}, not 200`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    chunks.push(chunk);
    if (length > BYTES_MAX) break;
  }
  return textOf(chunks);
}

function textOf(chunks: readonly Uint8Array[]): string {
  const bytes = Buffer.concat(chunks);
  if (bytes.length > BYTES_MAX) throw new Error(`more than ${BYTES_MAX} bytes`);
  return bytes.toString('utf8');
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
