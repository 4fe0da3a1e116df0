import { ALERT_NAMES, type AlertName } from '../../core/alert.ts';
import type { Makers } from './makers.ts';

export type AlertMetric = {
  readonly raised: (name: AlertName) => void;
  readonly suppressed: (name: AlertName) => void;
};

/** Counts alerts by name; each name is there from the start. */
export function alertMetric(make: Makers): AlertMetric {
  const raised = make.counter('alerts_total', 'Alerts that were told.', ['alert']);
  const suppressed = make.counter(
    'alerts_suppressed_total',
    'Alerts that were not told, because one like them was a short while ago.',
    ['alert'],
  );
  for (const alert of ALERT_NAMES) {
    raised.inc({ alert }, 0);
    suppressed.inc({ alert }, 0);
  }
  return {
    raised: (alert) => raised.inc({ alert }),
    suppressed: (alert) => suppressed.inc({ alert }),
  };
}
