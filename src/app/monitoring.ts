import type { MonitoringSources } from '../observe/ops/monitoring.ts';
import type { KeySetReading, StatusReading } from '../observe/ops/reading.ts';
import { type Parts, version } from './parts.ts';
import { createThrottle } from './throttle.ts';

const FAILURE_LOG_MS = 10_000;

/** What the pages of /monitoring read of the parts; `hasApi` says whether the management API could be opened. */
export function monitoringSources(parts: Parts, hasApi: boolean): MonitoringSources {
  const { metrics, log, alerts } = parts;
  const throttle = createThrottle(FAILURE_LOG_MS);
  const born = { version: version(), startedMs: Math.round(performance.timeOrigin), hasApi };
  return {
    status: () => readStatus(parts, born),
    checks: metrics.read.checks,
    alerts: alerts.summary,
    now: Date.now,
    startedMs: born.startedMs,
    onFailure: (cause) =>
      throttle(String(cause), (untold) =>
        log.error({ err: cause, untold }, 'a page of the operations listener cannot be made'),
      ),
  };
}

/** What stands in the way of serving; nothing where Postern is ready. */
export function unreadyOf({ state, store }: Pick<Parts, 'state' | 'store'>): readonly string[] {
  const reasons = [state.isDraining ? 'draining' : undefined, store.health().unready];
  return reasons.filter((reason) => reason !== undefined);
}

/** What stays as it is while a process lives. */
type Born = Pick<StatusReading, 'version' | 'startedMs' | 'hasApi'>;

function readStatus(parts: Parts, born: Born): StatusReading {
  const { opened, metrics, store, tokens, audit } = parts;
  const { product, hash } = opened.policy();
  const begun = { runningSinceMs: born.startedMs, lastMs: born.startedMs };
  return {
    ...born,
    product,
    unready: unreadyOf(parts),
    store: { kind: opened.settings.store.kind, ...store.health() },
    policy: { ...begun, ...metrics.read.reload(), hash },
    keySets: keySetsOf(tokens),
    certificate: metrics.read.certificate(),
    audit: audit.counts().map((one) => ({ ...one, dropped: one.dropped + one.failed })),
    wiring: metrics.read.wiring(),
  };
}

/** A set that several issuers use is one of each; its address stays inside. */
function keySetsOf(tokens: Parts['tokens']): readonly KeySetReading[] {
  return tokens
    .state()
    .flatMap(({ issuers, status, keys, lastSuccessMs, lastFailureMs }) =>
      issuers.map((issuer) => ({ issuer, status, keys, lastSuccessMs, lastFailureMs })),
    );
}
