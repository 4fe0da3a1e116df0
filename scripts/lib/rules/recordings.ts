import { budgetRecordings, FAILURES } from './budget.ts';
import { JOB } from './query.ts';
import type { Recording, RuleGroup } from './rule.ts';

/** Refusals that have alerts of their own. */
const APART = [...FAILURES, 'too_many_failures'].join('|');

/** Every series that is recorded; alerts and people read them. */
export function recordings(): readonly RuleGroup<Recording>[] {
  return [
    budgetRecordings(),
    { name: 'postern-refusals', interval: '30s', rules: REFUSALS },
    { name: 'postern-latency', rules: LATENCIES },
    { name: 'postern-envoy', rules: ENVOY },
  ];
}

const refused = (window: string) =>
  `sum by (${JOB}, reason) (rate(postern_checks_total{decision="deny", reason!~"${APART}"}[${window}]))`;
const share = (window: string, all: string) =>
  `${refused(window)}\n  / on (${JOB}) group_left () (${all} > 0)`;

const REFUSALS: readonly Recording[] = [
  {
    record: 'job:postern_checks:rate10m',
    expr: `sum by (${JOB}) (rate(postern_checks_total[10m]))`,
  },
  {
    record: 'job_reason:postern_checks_refused:ratio_rate10m',
    expr: share('10m', 'job:postern_checks:rate10m'),
  },
  {
    record: 'job_reason:postern_checks_refused:ratio_rate1d',
    expr: share('1d', `sum by (${JOB}) (rate(postern_checks_total[1d]))`),
  },
];

const quantile = (part: number, series: string, labels: string) =>
  `histogram_quantile(${part}, sum by (${labels}, le) (rate(${series}_bucket[5m])))`;

const LATENCIES: readonly Recording[] = [
  {
    record: 'job:postern_check_duration_seconds:p99_rate5m',
    expr: quantile(0.99, 'postern_check_duration_seconds', JOB),
  },
  {
    record: 'job_operation:postern_store_trip_duration_seconds:p99_rate5m',
    expr: quantile(0.99, 'postern_store_trip_duration_seconds', `${JOB}, operation`),
  },
];

/** What Envoy heard when it asked: the filter counts each request under one of these. */
const ANSWERS = ['ok', 'denied', 'error'].map(
  (answer) =>
    `sum by (${JOB}) (rate(envoy_http_ext_authz_${answer}{envoy_ext_authz_prefix="postern"}[5m]))`,
);

const ENVOY: readonly Recording[] = [
  { record: 'job:envoy_http_ext_authz:rate5m', expr: ANSWERS.join('\n+ ') },
];
