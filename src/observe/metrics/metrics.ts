import type { Decision } from '../../core/decision.ts';
import type { WiringSign } from '../../core/wiring.ts';
import { type AlertMetric, alertMetric } from './alerts.ts';
import { type CertificateReading, certificateMetric, type Validity } from './certificate.ts';
import { type CheckLabels, type CheckReading, checkMetric } from './check.ts';
import { addCollected, type MetricSources } from './collected.ts';
import { credentialMetric } from './credential.ts';
import { createExemplars, type TraceIds } from './exemplars.ts';
import { BUCKETS_SECONDS, makers } from './makers.ts';
import { type MetricsPage, metricsPage } from './page.ts';
import { type PlanMetric, planMetric } from './plan.ts';
import { addProcess, Registry } from './prom-client.ts';
import { type ReloadReading, reloadMetric } from './reload.ts';
import { type TripReading, tripMetric } from './trip.ts';
import { type WebhookMetric, webhookMetric } from './webhook.ts';
import { wiringMetric } from './wiring.ts';

export type Metrics = {
  readonly check: (labels: CheckLabels, tookMs: number, ids?: TraceIds) => void;
  readonly credential: (decision: Decision) => void;
  readonly plan: PlanMetric;
  readonly limit: (outcome: 'admitted' | 'refused') => void;
  readonly notice: (notice: string) => void;
  readonly failure: (kind: string) => void;
  readonly trip: (trip: TripReading) => void;
  readonly jwksFetch: (issuer: string, outcome: 'ok' | 'failed') => void;
  readonly tokenCache: (outcome: 'hit' | 'miss') => void;
  readonly reload: (ok: boolean, atMs: number, policyHash: string) => void;
  readonly certificate: (isLoaded: boolean, held: Validity) => void;
  readonly wiring: (sign: WiringSign) => void;
  readonly alert: AlertMetric;
  readonly webhook: WebhookMetric;
  readonly read: MetricReadings;
  /** All of it as a page; in OpenMetrics, with exemplars, for who accepts it while checks are traced. */
  readonly page: (accept: string | undefined) => Promise<MetricsPage>;
};

/** What the pages of /monitoring read of what was counted. */
export type MetricReadings = {
  readonly checks: () => Promise<CheckReading>;
  readonly reload: () => ReloadReading | undefined;
  readonly certificate: () => CertificateReading | undefined;
  readonly wiring: () => readonly WiringSign[];
};

/** Makes the registry; every name begins with `postern_`, and no label holds anything a client sent. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  addProcess(registry);
  addCollected(registry, sources);
  const make = makers(registry);
  make
    .gauge('build_info', 'Version of Postern and Node.', ['version', 'node'])
    .set(sources.build, 1);
  const limits = make.counter('limit_takes_total', 'Requests that met a limit.', ['outcome']);
  const notices = make.counter('notices_total', 'Events that changed no answer.', ['notice']);
  const failures = make.counter('failures_total', 'Failures answered with a deny.', ['kind']);
  const fetches = make.counter('jwks_fetches_total', 'Fetches of key sets.', ['issuer', 'outcome']);
  // From 0 on: the first step of a series that is born with it is no increase to Prometheus.
  for (const kind of ['port', 'bug']) failures.inc({ kind }, 0);
  const cache = make.counter('token_cache_total', 'Look-ups of verified tokens.', ['outcome']);
  const exemplars = sources.spans && createExemplars(BUCKETS_SECONDS, Date.now);
  const checks = checkMetric(registry, exemplars);
  const reload = reloadMetric(make);
  const certificate = certificateMetric(registry);
  const wiring = wiringMetric(registry);
  return {
    check: checks.observe,
    credential: credentialMetric(registry),
    plan: planMetric(registry, Date.now),
    limit: (outcome) => limits.inc({ outcome }),
    notice: (notice) => notices.inc({ notice }),
    failure: (kind) => failures.inc({ kind }),
    trip: tripMetric(registry, make),
    jwksFetch: (issuer, outcome) => fetches.inc({ issuer, outcome }),
    tokenCache: (outcome) => cache.inc({ outcome }),
    reload: reload.note,
    certificate: certificate.note,
    wiring: wiring.note,
    alert: alertMetric(make),
    webhook: webhookMetric(registry, make),
    read: {
      checks: checks.read,
      reload: reload.read,
      certificate: certificate.read,
      wiring: wiring.read,
    },
    page: metricsPage(registry, exemplars),
  };
}
