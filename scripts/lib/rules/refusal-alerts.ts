import { ALERTS, type Severity } from '../../../src/core/alert.ts';
import { grown, JOB } from './query.ts';
import type { AlertRule, RuleSeverity } from './rule.ts';

const SHARE = 'job_reason:postern_checks_refused:ratio_rate';

/** Who is refused, and what Postern itself finds strange. */
export const REFUSAL_ALERTS: readonly AlertRule[] = [
  {
    alert: 'PosternRefusalSpike',
    expr: [
      `${SHARE}10m > 0.05 + 3 * (${SHARE}1d or 0 * ${SHARE}10m)`,
      `and ${SHARE}10m * on (${JOB}) group_left () job:postern_checks:rate10m * 600 >= 50`,
      // Without half a day of history there is nothing to compare with.
      `and on (${JOB}) job:postern_checks:rate10m offset 12h`,
    ].join('\n'),
    for: '5m',
    severity: 'warning',
    summary: 'Far more requests than usual are refused: {{ $labels.reason }}.',
    description:
      '{{ $value | humanizePercentage }} of the requests to {{ $labels.namespace }} {{ $labels.job }} are refused for {{ $labels.reason }}, more than three times the share of the last day.',
  },
  {
    alert: 'PosternTooManyFailures',
    expr: `sum by (${JOB}) (increase(postern_checks_total{reason="too_many_failures"}[10m])) > 100`,
    for: '5m',
    severity: 'warning',
    summary: 'Somebody goes on guessing credentials.',
    description:
      '{{ $value | humanize }} requests to {{ $labels.namespace }} {{ $labels.job }} in ten minutes came from callers who are turned away because they failed too often.',
  },
  raised('high', 'warning'),
  raised('medium', 'info'),
  {
    alert: 'PosternJwksUnusable',
    expr: `count by (${JOB}, issuer) (postern_jwks_unusable > 0)`,
    for: '5m',
    severity: 'critical',
    summary: 'Tokens of {{ $labels.issuer }} cannot be judged.',
    description:
      '{{ $value }} Posterns of {{ $labels.namespace }} {{ $labels.job }} have no usable key set of {{ $labels.issuer }}: its tokens are refused with 503.',
  },
  {
    alert: 'PosternJwksFetchFailing',
    expr: [
      `sum by (${JOB}, issuer) (${grown('postern_jwks_fetches_total{outcome="failed"}', '30m')}) >= 3`,
      `unless on (${JOB}, issuer)`,
      `  sum by (${JOB}, issuer) (${grown('postern_jwks_fetches_total{outcome="ok"}', '30m')}) > 0`,
    ].join('\n'),
    for: '5m',
    severity: 'warning',
    summary: 'The key set of {{ $labels.issuer }} cannot be fetched.',
    description:
      '{{ $value | humanize }} fetches of the key set of {{ $labels.issuer }} failed in half an hour, and none held. Tokens go by the set at hand until it is too old.',
  },
];

/** Postern's own alerts of a severity, as an alert of Prometheus. */
function raised(of: Severity, severity: RuleSeverity): AlertRule {
  const names = Object.entries(ALERTS).filter((entry) => entry[1].severity === of);
  const matcher = names.map(([name]) => name).join('|');
  return {
    alert: 'PosternAlertRaised',
    expr: `sum by (${JOB}, alert) (increase(postern_alerts_total{alert=~"${matcher}"}[10m])) > 0`,
    severity,
    summary: 'Postern raised an alert: {{ $labels.alert }}.',
    description:
      'Posterns of {{ $labels.namespace }} {{ $labels.job }} raised {{ $labels.alert }}. Who and where stands in the audit stream, in the webhooks and at GET /v1/alerts.',
  };
}
