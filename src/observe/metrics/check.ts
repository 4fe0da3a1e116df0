import { Counter, Histogram, type Registry } from 'prom-client';
import { BUCKETS_SECONDS } from './makers.ts';

export type CheckLabels = {
  readonly route: string;
  readonly decision: 'allow' | 'deny' | 'reply';
  readonly reason: string;
};

/** Counts decisions and their times; the library hears of the counts when somebody scrapes. */
export function checkMetric(registry: Registry): (labels: CheckLabels, tookMs: number) => void {
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
