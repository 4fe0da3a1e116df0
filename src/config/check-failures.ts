import { RATE_KEYS } from '../core/plan.ts';
import type { Review } from './review.ts';

/** Reports rules on failures that count in no window: they would never be met. */
export function checkFailures(review: Review): void {
  for (const index of review.config.alerts.failures.keys()) {
    const path = ['alerts', 'failures', index];
    // Without a rule of one's own, those of the schema stand here.
    if (!review.wrote(path) || RATE_KEYS.some((key) => review.wrote([...path, key]))) continue;
    review.problem(path, 'expected a window such as per_minute');
  }
}
