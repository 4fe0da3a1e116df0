import { collectDefaultMetrics, Registry } from 'prom-client';
import type { WiringSign } from '../../core/wiring.ts';
import { certificateMetric } from './certificate.ts';
import { type CheckLabels, checkMetric } from './check.ts';
import { addCollected, type MetricSources } from './collected.ts';
import { makers } from './makers.ts';
import { reloadMetric } from './reload.ts';
import { type TripReading, tripMetric } from './trip.ts';
import { wiringMetric } from './wiring.ts';

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
