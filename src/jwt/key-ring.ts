import { type KeySet, readKeySet } from './key-set.ts';
import { isFile, loadSet, type SetSource, showSource } from './load-set.ts';
import type { TokenTools } from './settings.ts';

/** One set kept at hand: loaded in the background, served while stale, never loaded by two at once. */
export type KeyRing = {
  /** The set to judge by, or undefined when none was ever loaded or the last one is too old. */
  current(): KeySet | undefined;
  /** Whether a key, by its id, is still in the set. */
  holds(keyId: string): boolean;
  /** A load to wait for while there is no set; undefined while its back-off lasts. Never rejects. */
  pending(): Promise<void> | undefined;
  /** A load for the sake of an unknown `kid`; undefined while a back-off lasts. Never rejects. */
  refetch(): Promise<void> | undefined;
  /** Why the last load failed. */
  failure(): unknown;
  /** Tells which entries name the set. */
  rename(issuers: readonly string[]): void;
  state(): KeyRingState;
  /** Ends all loading; the set at hand stays readable. */
  close(): Promise<void>;
};

/** For metrics and readiness. Times are epoch ms, undefined when there was none. */
export type KeyRingState = {
  readonly location: string;
  readonly issuers: readonly string[];
  readonly status: 'loading' | 'fresh' | 'stale' | 'failed';
  readonly keys: number;
  readonly lastSuccessMs: number | undefined;
  readonly lastFailureMs: number | undefined;
};

type Ring = {
  readonly source: SetSource;
  readonly location: string;
  readonly tools: TokenTools;
  issuers: readonly string[];
  set: KeySet | undefined;
  skipped: string;
  lastSuccessMs: number | undefined;
  lastFailureMs: number | undefined;
  failure: unknown;
  /** Failed loads in a row. */
  failures: number;
  /** When the next load is due; after a failure nobody loads before. */
  dueMs: number;
  kidLoadMs: number;
  loading: Promise<void> | undefined;
  abort: AbortController;
  timer: NodeJS.Timeout | undefined;
  closed: boolean;
};

const TIMER_MIN_MS = 10;

/** Opens a ring and starts its first load. */
export function openKeyRing(
  source: SetSource,
  issuers: readonly string[],
  tools: TokenTools,
): KeyRing {
  const ring: Ring = {
    source,
    location: showSource(source),
    tools,
    issuers,
    set: undefined,
    skipped: '',
    lastSuccessMs: undefined,
    lastFailureMs: undefined,
    failure: undefined,
    failures: 0,
    dueMs: 0,
    kidLoadMs: Number.NEGATIVE_INFINITY,
    loading: undefined,
    abort: new AbortController(),
    timer: undefined,
    closed: false,
  };
  void load(ring);
  return {
    current: () => tend(ring),
    holds: (keyId) => findSet(ring)?.ids.has(keyId) === true,
    pending: () => pending(ring),
    refetch: () => refetch(ring),
    failure: () => ring.failure,
    rename: (names) => {
      ring.issuers = names;
    },
    state: () => stateOf(ring),
    close: () => close(ring),
  };
}

function findSet(ring: Ring): KeySet | undefined {
  const { set, lastSuccessMs = 0, tools } = ring;
  return set && tools.now() - lastSuccessMs < tools.settings.staleMaxMs ? set : undefined;
}

/** The set at hand; when it is due, the next load begins, but nobody waits for it. */
function tend(ring: Ring): KeySet | undefined {
  if (isDue(ring)) void load(ring);
  return findSet(ring);
}

function pending(ring: Ring): Promise<void> | undefined {
  return isDue(ring) ? load(ring) : ring.loading;
}

function refetch(ring: Ring): Promise<void> | undefined {
  if (ring.loading !== undefined) return ring.loading;
  const nowMs = ring.tools.now();
  if (ring.closed || (ring.failures > 0 && nowMs < ring.dueMs)) return undefined;
  if (nowMs - ring.kidLoadMs < ring.tools.settings.unknownKidBackoffMs) return undefined;
  ring.kidLoadMs = nowMs;
  return load(ring);
}

function isDue(ring: Ring): boolean {
  return !ring.closed && !ring.loading && ring.tools.now() >= ring.dueMs;
}

function load(ring: Ring): Promise<void> {
  ring.loading ??= attempt(ring).finally(() => {
    ring.loading = undefined;
    arm(ring);
  });
  return ring.loading;
}

async function attempt(ring: Ring): Promise<void> {
  const { settings, fetch } = ring.tools;
  const { signal } = ring.abort;
  const late = Promise.withResolvers<never>();
  const trip = new AbortController();
  const giveUp = (reason: Error) => {
    trip.abort(reason);
    late.reject(reason);
  };
  const onClose = () => giveUp(new Error('closed'));
  signal.addEventListener('abort', onClose, { once: true });
  const timeout = setTimeout(
    () => giveUp(new Error(`no answer within ${settings.fetchTimeoutMs} ms`)),
    settings.fetchTimeoutMs,
  ).unref();
  try {
    const work = loadSet(ring.source, {
      fetch,
      signal: trip.signal,
      bytesMax: settings.setBytesMax,
    });
    const { bytes, maxAgeMs } = await Promise.race([work, late.promise]);
    const { set, skipped } = await readKeySet(bytes);
    if (!ring.closed) succeed(ring, set, { skipped, maxAgeMs });
  } catch (error) {
    if (!ring.closed) fail(ring, error);
  } finally {
    clearTimeout(timeout);
    signal.removeEventListener('abort', onClose);
  }
}

function succeed(
  ring: Ring,
  set: KeySet,
  { skipped, maxAgeMs }: { skipped: readonly string[]; maxAgeMs: number | undefined },
): void {
  const { settings, now, onEvent } = ring.tools;
  const nowMs = now();
  const namedMs = Math.max(maxAgeMs ?? settings.setAgeMs, settings.setAgeMinMs);
  const ahead = Math.min(namedMs, settings.setAgeMaxMs) * (0.75 + Math.random() * 0.1);
  ring.set = set;
  ring.lastSuccessMs = nowMs;
  ring.failures = 0;
  ring.failure = undefined;
  ring.dueMs = nowMs + (isFile(ring.source) ? settings.fileAgeMs : ahead);
  const place = { issuer: ring.issuers[0] ?? '', location: ring.location };
  onEvent({ kind: 'jwks_fetch', ok: true, ...place });
  if (skipped.join() === ring.skipped) return;
  ring.skipped = skipped.join();
  for (const detail of skipped) onEvent({ kind: 'jwks_key_skipped', ...place, detail });
}

function fail(ring: Ring, error: unknown): void {
  const { settings, now, onEvent } = ring.tools;
  const nowMs = now();
  const doubled = settings.backoffMinMs * 2 ** Math.min(ring.failures, 30);
  const waitMs = Math.min(doubled, settings.backoffMaxMs) * (0.8 + Math.random() * 0.2);
  ring.failure = error;
  ring.failures += 1;
  ring.lastFailureMs = nowMs;
  ring.dueMs = nowMs + waitMs;
  const place = { issuer: ring.issuers[0] ?? '', location: ring.location };
  onEvent({ kind: 'jwks_fetch', ok: false, ...place, detail: describe(error) });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function arm(ring: Ring): void {
  clearTimeout(ring.timer);
  if (ring.closed) return;
  const waitMs = Math.max(ring.dueMs - ring.tools.now(), TIMER_MIN_MS);
  ring.timer = setTimeout(() => (isDue(ring) ? void load(ring) : arm(ring)), waitMs).unref();
}

function stateOf(ring: Ring): KeyRingState {
  const { location, issuers, lastSuccessMs, lastFailureMs, failures } = ring;
  const set = findSet(ring);
  const known = { location, issuers, lastSuccessMs, lastFailureMs, keys: set?.keys.length ?? 0 };
  if (set) return { ...known, status: failures > 0 ? 'stale' : 'fresh' };
  return { ...known, status: failures > 0 || lastSuccessMs !== undefined ? 'failed' : 'loading' };
}

async function close(ring: Ring): Promise<void> {
  ring.closed = true;
  clearTimeout(ring.timer);
  ring.abort.abort();
  await ring.loading;
}
