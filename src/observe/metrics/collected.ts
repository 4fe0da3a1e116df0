import { addAudit, type SinkReading } from './audit.ts';
import { Gauge, type Registry } from './prom-client.ts';
import { addSpans, type SpansReading } from './spans.ts';

/** What the metrics ask when they are scraped. */
export type MetricSources = {
  readonly store: () => {
    readonly subjects: number;
    readonly forgotten: number;
    readonly dropped: number;
    readonly failures: number;
  };
  readonly health: () => HealthReading;
  readonly audit: () => readonly SinkReading[];
  readonly jwks: () => readonly JwksReading[];
  readonly build: { readonly version: string; readonly node: string };
  /** Present where checks are traced. */
  readonly spans?: (() => SpansReading) | undefined;
};

/** How the store is; `node` is `host:port`, of the policy or of the Cluster. */
export type HealthReading = {
  readonly isUp: boolean;
  readonly isDegraded: boolean;
  readonly nodes: readonly { readonly node: string; readonly breaker: BreakerState }[];
};

const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
type BreakerState = (typeof BREAKER_STATES)[number];

/** One key set as the metrics show it; labels come from the policy only. */
export type JwksReading = {
  readonly issuer: string;
  readonly keys: number;
  readonly isUsable: boolean;
};

/** Gauges that are read when somebody scrapes. */
export function addCollected(registry: Registry, sources: MetricSources): void {
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
  addAudit(registry, sources.audit);
  const flag = (name: string, help: string, read: (one: HealthReading) => boolean) =>
    collected(name, help, () => (read(sources.health()) ? 1 : 0));
  flag('store_up', '1 while the store answers.', (one) => one.isUp);
  flag('degraded', '1 while decisions are made without the store.', (one) => one.isDegraded);
  addBreakers(registry, sources);
  addJwks(registry, sources);
  if (sources.spans) addSpans(registry, sources.spans);
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
