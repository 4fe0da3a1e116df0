import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { WiringSign } from '../core/wiring.ts';
import { certificateMetric } from './certificate-metrics.ts';
import { wiringMetric } from './wiring-metrics.ts';

/** What the metrics ask when they are scraped. */
export type MetricSources = {
  readonly store: () => {
    readonly subjects: number;
    readonly forgotten: number;
    readonly dropped: number;
    readonly failures: number;
  };
  readonly health: () => HealthReading;
  readonly audit: () => { readonly waitingBytes: number; readonly dropped: number };
  readonly jwks: () => readonly JwksReading[];
  readonly build: { readonly version: string; readonly node: string };
};

/** How the store is; `node` is `host:port`, of the policy or of the Cluster. */
export type HealthReading = {
  readonly isUp: boolean;
  readonly isDegraded: boolean;
  readonly nodes: readonly { readonly node: string; readonly breaker: BreakerState }[];
};

/** A trip to a server of the store; there are a few operations, named in the source. */
export type TripReading = {
  readonly operation: string;
  readonly outcome: 'ok' | 'late' | 'down' | 'failed';
  readonly tookMs: number;
};

const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
type BreakerState = (typeof BREAKER_STATES)[number];

/** One key set as the metrics show it; labels come from the policy only. */
export type JwksReading = {
  readonly issuer: string;
  readonly keys: number;
  readonly isUsable: boolean;
};

export type CheckLabels = {
  readonly route: string;
  readonly decision: 'allow' | 'deny' | 'reply';
  readonly reason: string;
};

export type Metrics = {
  readonly check: (labels: CheckLabels, tookMs: number) => void;
  readonly limit: (outcome: 'admitted' | 'refused') => void;
  readonly notice: (notice: string) => void;
  readonly failure: (kind: string) => void;
  readonly trip: (trip: TripReading) => void;
  readonly jwksFetch: (issuer: string, outcome: 'ok' | 'failed') => void;
  readonly tokenCache: (outcome: 'hit' | 'miss') => void;
  readonly reload: (ok: boolean, atMs: number, policyHash: string) => void;
  readonly certificate: (isLoaded: boolean, notAfterMs: number) => void;
  readonly wiring: (sign: WiringSign) => void;
  readonly text: () => Promise<string>;
  readonly contentType: string;
};

const BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25,
];

/** Makes the registry; every name begins with `postern_`, and no label holds anything a client sent. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'postern_' });
  addCollected(registry, sources);
  const make = makers(registry);
  make
    .gauge('build_info', 'Version of Postern and Node.', ['version', 'node'])
    .set(sources.build, 1);
  const limits = make.counter('limit_takes_total', 'Requests that met a limit.', ['outcome']);
  const notices = make.counter('notices_total', 'Events that changed no answer.', ['notice']);
  const failures = make.counter('failures_total', 'Failures answered with a deny.', ['kind']);
  const fetches = make.counter('jwks_fetches_total', 'Fetches of key sets.', ['issuer', 'outcome']);
  const cache = make.counter('token_cache_total', 'Look-ups of verified tokens.', ['outcome']);
  return {
    check: checkMetric(registry),
    limit: (outcome) => limits.inc({ outcome }),
    notice: (notice) => notices.inc({ notice }),
    failure: (kind) => failures.inc({ kind }),
    trip: tripMetric(registry, make),
    jwksFetch: (issuer, outcome) => fetches.inc({ issuer, outcome }),
    tokenCache: (outcome) => cache.inc({ outcome }),
    reload: reloadMetric(make),
    certificate: certificateMetric(registry),
    wiring: wiringMetric(registry),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

type Makers = ReturnType<typeof makers>;

function makers(registry: Registry) {
  const registers = [registry];
  return {
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Counter<L>({ name: `postern_${name}`, help, labelNames, registers }),
    gauge: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Gauge<L>({ name: `postern_${name}`, help, labelNames, registers }),
  };
}

/** Counts decisions and their times; the library hears of the counts when somebody scrapes. */
function checkMetric(registry: Registry): Metrics['check'] {
  const registers = [registry];
  const counts = new Map<string, { readonly labels: CheckLabels; total: number }>();
  new Counter({
    name: 'postern_checks_total',
    help: 'Decisions by route, decision and reason.',
    labelNames: ['route', 'decision', 'reason'] as const,
    registers,
    collect() {
      this.reset();
      for (const { labels, total } of counts.values()) this.inc(labels, total);
    },
  });
  const duration = new Histogram({
    name: 'postern_check_duration_seconds',
    help: 'Time from the message to the answer.',
    buckets: BUCKETS_SECONDS,
    registers,
  });
  return (labels, tookMs) => {
    const id = `${labels.decision}\n${labels.reason}\n${labels.route}`;
    const count = counts.get(id);
    if (count) count.total += 1;
    else counts.set(id, { labels, total: 1 });
    duration.observe(tookMs / 1000);
  };
}

/** Times trips to the store, by labels that are bound at the first trip of a kind. */
function tripMetric(registry: Registry, make: Makers): Metrics['trip'] {
  const duration = new Histogram({
    name: 'postern_store_trip_duration_seconds',
    help: 'Time of trips to the store, by operation and outcome.',
    labelNames: ['operation', 'outcome'] as const,
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const failures = make.counter('store_failures_total', 'Trips to the store that failed.', [
    'operation',
    'outcome',
  ]);
  const bound = new Map<string, ReturnType<typeof duration.labels>>();
  return ({ operation, outcome, tookMs }) => {
    const id = `${operation}\n${outcome}`;
    const timed = bound.get(id) ?? duration.labels({ operation, outcome });
    bound.set(id, timed);
    timed.observe(tookMs / 1000);
    if (outcome !== 'ok') failures.inc({ operation, outcome });
  };
}

function reloadMetric(make: Makers): Metrics['reload'] {
  const reloads = make.counter('policy_reloads_total', 'Reloads of the policy.', ['outcome']);
  const isOk = make.gauge('policy_last_reload_successful', '1 when the last reload held.', []);
  const okAt = make.gauge('policy_last_reload_success_timestamp_seconds', 'When it held.', []);
  const info = make.gauge('policy_info', 'The policy that decides.', ['hash']);
  return (ok, atMs, hash) => {
    reloads.inc({ outcome: ok ? 'ok' : 'failed' });
    isOk.set(ok ? 1 : 0);
    if (!ok) return;
    okAt.set(atMs / 1000);
    info.reset();
    info.set({ hash }, 1);
  };
}

/** Gauges that are read when somebody scrapes. */
function addCollected(registry: Registry, sources: MetricSources): void {
  const collected = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `postern_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  collected('limit_subjects', 'Subjects counted in memory.', () => sources.store().subjects);
  collected(
    'limit_subjects_forgotten',
    'Subjects forgotten because there were too many.',
    () => sources.store().forgotten,
  );
  collected(
    'store_dropped',
    'Uses of keys and refused decisions that were not kept.',
    () => sources.store().dropped,
  );
  collected(
    'store_write_failures',
    'Writes of buffered figures that failed and were tried again.',
    () => sources.store().failures,
  );
  collected('audit_dropped', 'Audit lines dropped.', () => sources.audit().dropped);
  collected(
    'audit_waiting_bytes',
    'Audit bytes not yet written.',
    () => sources.audit().waitingBytes,
  );
  const flag = (name: string, help: string, read: (one: HealthReading) => boolean) =>
    collected(name, help, () => (read(sources.health()) ? 1 : 0));
  flag('store_up', '1 while the store answers.', (one) => one.isUp);
  flag('degraded', '1 while decisions are made without the store.', (one) => one.isDegraded);
  addBreakers(registry, sources);
  addJwks(registry, sources);
}

function addBreakers(registry: Registry, sources: MetricSources): void {
  new Gauge({
    name: 'postern_store_breaker',
    help: 'The breaker of each server of the store: 1 for the state that holds.',
    labelNames: ['node', 'state'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const { node, breaker } of sources.health().nodes) {
        for (const state of BREAKER_STATES) this.set({ node, state }, state === breaker ? 1 : 0);
      }
    },
  });
}

function addJwks(registry: Registry, sources: MetricSources): void {
  const perIssuer = (name: string, help: string, read: (one: JwksReading) => number) =>
    new Gauge({
      name: `postern_jwks_${name}`,
      help,
      labelNames: ['issuer'] as const,
      registers: [registry],
      collect() {
        this.reset();
        for (const one of sources.jwks()) this.inc({ issuer: one.issuer }, read(one));
      },
    });
  perIssuer('keys', 'Public keys held for an issuer.', (one) => one.keys);
  perIssuer('unusable', 'Key sets of an issuer that cannot be used.', (one) =>
    one.isUsable ? 0 : 1,
  );
}
