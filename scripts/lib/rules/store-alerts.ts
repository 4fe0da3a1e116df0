import { INSTANCE, JOB } from './query.ts';
import type { AlertRule } from './rule.ts';

const TRIPS = 'job_operation:postern_store_trip_duration_seconds:p99_rate5m';

/** The store, and limits that go by less than it knows. */
export const STORE_ALERTS: readonly AlertRule[] = [
  {
    alert: 'PosternStoreDown',
    expr: `count by (${JOB}) (postern_store_up == 0)`,
    for: '1m',
    severity: 'critical',
    summary: 'Postern has no contact with its store.',
    description:
      '{{ $value }} Posterns of {{ $labels.namespace }} {{ $labels.job }} have no contact with the store. Keys that they do not remember are refused with 503, and limits go by on_store_failure.',
  },
  {
    alert: 'PosternStoreDegraded',
    expr: `count by (${JOB}) (postern_degraded == 1 and on (${INSTANCE}) postern_store_up == 1)`,
    for: '5m',
    severity: 'warning',
    summary: 'Some decisions are made without the store.',
    description:
      '{{ $value }} Posterns of {{ $labels.namespace }} {{ $labels.job }} reach their store, but not for everything: some limits go by on_store_failure.',
  },
  {
    alert: 'PosternStoreBreakerOpen',
    expr: `count by (${JOB}, node) (postern_store_breaker{state="open"} == 1)`,
    for: '2m',
    severity: 'warning',
    summary: 'Postern does not ask {{ $labels.node }} any more.',
    description:
      '{{ $value }} Posterns of {{ $labels.namespace }} {{ $labels.job }} stopped asking {{ $labels.node }}, because it does not answer.',
  },
  {
    alert: 'PosternStoreSlow',
    expr: [
      `${TRIPS} > 0.025`,
      `and sum by (${JOB}, operation) (rate(postern_store_trip_duration_seconds_count[5m])) > 1`,
    ].join('\n'),
    for: '10m',
    severity: 'warning',
    summary: 'The store is slow: {{ $labels.operation }}.',
    description:
      'One trip in a hundred of {{ $labels.namespace }} {{ $labels.job }} for {{ $labels.operation }} takes {{ $value | humanizeDuration }} or longer. Look-ups are given up after 50 ms, limits after 90 ms.',
  },
  {
    alert: 'PosternStoreDropping',
    expr: `sum by (${JOB}) (increase(postern_store_dropped[10m])) > 0`,
    severity: 'warning',
    summary: 'Uses of keys and refusals are not kept.',
    description:
      '{{ $value | humanize }} uses of keys or refused decisions of {{ $labels.namespace }} {{ $labels.job }} were not kept in ten minutes. Decisions are not touched.',
  },
  {
    alert: 'PosternLimitSubjectsForgotten',
    expr: `sum by (${JOB}) (increase(postern_limit_subjects_forgotten[10m])) > 0`,
    for: '10m',
    severity: 'warning',
    summary: 'Postern forgets whose requests it counted.',
    description:
      '{{ $value | humanize }} subjects of limits were forgotten by {{ $labels.namespace }} {{ $labels.job }} in ten minutes, because there are more than fit in memory. Each starts again with a full limit.',
  },
];
