import { ENVOY_CLUSTER, FILTER, JOB } from './query.ts';
import type { AlertRule } from './rule.ts';

const filterGrew = (counter: string, window: string) =>
  `sum by (${JOB}) (increase(envoy_http_ext_authz_${counter}${FILTER}[${window}]))`;
const clusterRate = (counter: string) =>
  `sum by (${JOB}) (rate(envoy_cluster_${counter}${ENVOY_CLUSTER}[5m]))`;
const answeredInAll = ['ok', 'denied']
  .map((answer) => `sum by (cluster) (increase(envoy_http_ext_authz_${answer}${FILTER}[15m]))`)
  .join(' + ');
const decidedInAll = 'sum by (cluster) (increase(postern_checks_total[15m]))';
const foreign = `(${answeredInAll}) - (${decidedInAll} or 0 * (${answeredInAll}))`;

/** What Envoy alone sees: a Postern that is not there cannot tell. */
export const ENVOY_ALERTS: readonly AlertRule[] = [
  {
    alert: 'PosternEnvoyNoHealthyPostern',
    expr: `count by (${JOB}, envoy_cluster_name) (envoy_cluster_membership_healthy${ENVOY_CLUSTER} == 0)`,
    for: '1m',
    severity: 'critical',
    summary: 'Envoy finds no Postern that works.',
    description:
      '{{ $value }} Envoys of {{ $labels.namespace }} {{ $labels.job }} have no healthy Postern in the cluster {{ $labels.envoy_cluster_name }}: they refuse every request with 503.',
  },
  {
    alert: 'PosternEnvoyUnanswered',
    expr: [
      `sum by (${JOB}) (rate(envoy_http_ext_authz_error${FILTER}[5m]))`,
      '  / (job:envoy_http_ext_authz:rate5m > 0) > 0.01',
      `and ${filterGrew('error', '5m')} >= 10`,
    ].join('\n'),
    for: '5m',
    severity: 'warning',
    summary: 'Envoy gets no answers from Postern.',
    description:
      '{{ $value | humanizePercentage }} of the requests that Envoys of {{ $labels.namespace }} {{ $labels.job }} asked about got no answer from Postern.',
  },
  {
    alert: 'PosternEnvoyFailedOpen',
    expr: `${filterGrew('failure_mode_allowed', '5m')} > 0`,
    severity: 'critical',
    summary: 'Envoy lets requests through that nobody judged.',
    description:
      'Envoys of {{ $labels.namespace }} {{ $labels.job }} let {{ $value | humanize }} requests through in five minutes without an answer from Postern: failure_mode_allow is on.',
  },
  {
    alert: 'PosternEnvoyTimeouts',
    expr: [
      `${clusterRate('upstream_rq_timeout')}`,
      `  / (${clusterRate('upstream_rq_total')} > 0) > 0.01`,
      `and ${clusterRate('upstream_rq_timeout')} * 300 >= 10`,
    ].join('\n'),
    for: '5m',
    severity: 'warning',
    summary: 'Postern answers later than Envoy waits.',
    description:
      '{{ $value | humanizePercentage }} of the calls of Envoys of {{ $labels.namespace }} {{ $labels.job }} to Postern got no answer in time.',
  },
  {
    alert: 'PosternEnvoyInvalidAnswer',
    expr: `${filterGrew('invalid', '15m')} > 0`,
    severity: 'warning',
    summary: 'Envoy refuses what Postern wants to change.',
    description:
      'Envoys of {{ $labels.namespace }} {{ $labels.job }} answered {{ $value | humanize }} requests with 500 in fifteen minutes, because they may not change a header as Postern said.',
  },
  {
    alert: 'PosternEnvoyAnsweredByOthers',
    expr: `${foreign} > 100\nand ${foreign} > 0.2 * (${answeredInAll})`,
    for: '15m',
    severity: 'warning',
    summary: 'Envoys get answers that no known Postern gave.',
    description:
      '{{ $value | humanize }} answers in fifteen minutes reached Envoys in the name of Postern, and no Postern that Prometheus knows gave them.',
  },
];
