import type { Exemplars, TraceIds } from './exemplars.ts';
import { BUCKETS_SECONDS } from './makers.ts';
import { Counter, Histogram, type Registry } from './prom-client.ts';

export type CheckLabels = {
  readonly route: string;
  readonly decision: 'allow' | 'deny' | 'reply';
  readonly reason: string;
};

/** Name of the histogram of what checks take. */
export const CHECK_DURATION = 'postern_check_duration_seconds';

/** All checks since the start, however many routes there are. */
export type CheckReading = {
  readonly allowed: number;
  readonly replied: number;
  readonly refused: ReadonlyMap<string, number>;
  /** How many took at most each of `BUCKETS_SECONDS`, and last how many there were. */
  readonly within: readonly number[];
};

export type CheckMetric = {
  readonly observe: (labels: CheckLabels, tookMs: number, ids?: TraceIds) => void;
  readonly read: () => Promise<CheckReading>;
};

/** Counts decisions and their times; the library hears of the counts when somebody scrapes. */
export function checkMetric(registry: Registry, exemplars?: Exemplars): CheckMetric {
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
    name: CHECK_DURATION,
    help: 'Time from the message to the answer.',
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const observe = (labels: CheckLabels, tookMs: number, ids?: TraceIds) => {
    const id = `${labels.decision}\n${labels.reason}\n${labels.route}`;
    const count = counts.get(id);
    if (count) count.total += 1;
    else counts.set(id, { labels, total: 1 });
    duration.observe(tookMs / 1000);
    if (exemplars && ids) exemplars.note(tookMs / 1000, ids);
  };
  return { observe, read: async () => readChecks(counts.values(), await duration.get()) };
}

type Timed = Awaited<ReturnType<Histogram['get']>>;

function readChecks(
  counts: Iterable<{ readonly labels: CheckLabels; readonly total: number }>,
  timed: Timed,
): CheckReading {
  const decided = { allow: 0, deny: 0, reply: 0 };
  const refused = new Map<string, number>();
  for (const { labels, total } of counts) {
    const { decision, reason } = labels;
    decided[decision] += total;
    if (decision === 'deny') refused.set(reason, (refused.get(reason) ?? 0) + total);
  }
  const buckets = timed.values.filter(({ metricName }) => metricName?.endsWith('_bucket'));
  const within = buckets.map(({ value }) => value);
  return { allowed: decided.allow, replied: decided.reply, refused, within };
}
