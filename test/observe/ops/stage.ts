import type { CheckReading } from '../../../src/observe/metrics/check.ts';
import { BUCKETS_SECONDS } from '../../../src/observe/metrics/makers.ts';
import type { AlertReading, StatusReading } from '../../../src/observe/ops/reading.ts';
import { type OpsServer, openOpsServer } from '../../../src/observe/ops/server.ts';

export const STARTED_MS = Date.UTC(2026, 10, 21, 9, 0, 0);
export const NOW_MS = Date.UTC(2026, 10, 21, 12, 30, 0);

/** A process in which everything works: a store in memory, no issuers, no TLS. */
export const SOUND: StatusReading = {
  product: 'Acme Gate',
  version: '1.2.3',
  startedMs: STARTED_MS,
  unready: [],
  hasApi: true,
  store: { kind: 'memory', isUp: true, isDegraded: false, nodes: [] },
  policy: { hash: 'abc123', runningSinceMs: STARTED_MS, lastMs: STARTED_MS },
  keySets: [],
  audit: [{ sink: 'stdout', waitingBytes: 0, dropped: 0 }],
  wiring: [],
};

/** Counts of checks, all of which took at most `tookMs`. */
export function counted(
  allowed: number,
  refused: { readonly [reason: string]: number } = {},
  tookMs = 0.4,
): CheckReading {
  const all = Object.values(refused).reduce((sum, one) => sum + one, allowed);
  const within = BUCKETS_SECONDS.map((bound) => (tookMs <= bound * 1000 ? all : 0));
  return {
    allowed,
    replied: 0,
    refused: new Map(Object.entries(refused)),
    within: [...within, all],
  };
}

/** What a running operations listener reads; change it, and its next answer shows that. */
export type Sources = {
  status: StatusReading;
  checks: CheckReading;
  alerts: readonly AlertReading[];
  nowMs: number;
};

export type OpsStage = AsyncDisposable & {
  readonly sources: Sources;
  readonly url: string;
  /** What the listener told of; a test that means one takes it out, and the end throws what is left. */
  readonly failures: unknown[];
};

/** Opens a real operations listener over what a test says. */
export async function openOpsStage(): Promise<OpsStage> {
  const sources: Sources = { status: SOUND, checks: counted(0), alerts: [], nowMs: NOW_MS };
  const failures: unknown[] = [];
  const server: OpsServer = await openOpsServer('127.0.0.1:0', {
    product: () => sources.status.product,
    unready: () => sources.status.unready,
    store: () => ({}),
    metrics: async () => ({ text: '', contentType: 'text/plain' }),
    monitoring: {
      status: () => sources.status,
      checks: async () => sources.checks,
      alerts: () => sources.alerts,
      now: () => sources.nowMs,
      startedMs: STARTED_MS,
      onFailure: (cause) => void failures.push(cause),
    },
  });
  const close = async () => {
    await server.close();
    if (failures.length > 0) throw new Error('a page cannot be made', { cause: failures[0] });
  };
  return { sources, url: `http://${server.address}`, failures, [Symbol.asyncDispose]: close };
}

/** A process with all there is, much of which is in trouble. */
export const TROUBLED: StatusReading = {
  ...SOUND,
  store: {
    kind: 'redis',
    isUp: true,
    isDegraded: true,
    nodes: [
      { node: 'redis-0.redis:6379', breaker: 'closed', sinceMs: STARTED_MS },
      { node: 'redis-1.redis:6379', breaker: 'open', sinceMs: NOW_MS - 90_000 },
    ],
  },
  policy: {
    hash: 'abc123',
    runningSinceMs: STARTED_MS + 60_000,
    lastMs: NOW_MS - 1000,
    failedSinceMs: NOW_MS - 30_000,
  },
  keySets: [
    { issuer: 'https://id.example.com', status: 'fresh', keys: 2, lastSuccessMs: NOW_MS - 300_000 },
    {
      ...{ issuer: 'partners', status: 'stale', keys: 1 },
      ...{ lastSuccessMs: NOW_MS - 7_200_000, lastFailureMs: NOW_MS - 5000 },
    },
  ],
  certificate: {
    notBeforeMs: STARTED_MS - 86_400_000,
    notAfterMs: NOW_MS + 86_400_000,
    isLoaded: true,
  },
  audit: [
    { sink: 'stdout', waitingBytes: 0, dropped: 0 },
    { sink: 'webhook', waitingEvents: 120, waitingBytes: 51_200, dropped: 0 },
  ],
  wiring: ['long_timeout'],
};
