import { WIRING_SIGNS } from '../core/wiring.ts';
import { createWiringWatch, type WatchWiring } from '../envoy/wiring.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics/metrics.ts';

/** Looks at requests for what is wrong with the wiring around them, and tells each such thing once. */
export function watchWiring({
  metrics,
  log,
}: {
  readonly metrics: Pick<Metrics, 'wiring'>;
  readonly log: Pick<Logger, 'warn'>;
}): WatchWiring {
  return createWiringWatch((sign) => {
    metrics.wiring(sign);
    const docs = `docs/wiring.md#${sign}`;
    log.warn({ wiring: sign, docs }, WIRING_SIGNS[sign]);
  });
}
