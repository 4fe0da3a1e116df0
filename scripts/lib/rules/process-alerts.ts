import { grown, INSTANCE, JOB } from './query.ts';
import type { AlertRule } from './rule.ts';

/** Whether Posterns are there and turn. */
export const PROCESS_ALERTS: readonly AlertRule[] = [
  {
    alert: 'PosternAbsent',
    expr: 'absent(postern_build_info)',
    for: '5m',
    severity: 'critical',
    summary: 'Prometheus knows no Postern.',
    description: 'No Postern was scraped for five minutes. Nothing else here can tell of it.',
  },
  {
    alert: 'PosternDown',
    expr: `count by (${JOB}) (last_over_time(postern_build_info[1d]))\nunless count by (${JOB}) (postern_build_info)`,
    for: '2m',
    severity: 'critical',
    summary: 'No Postern of {{ $labels.job }} answers.',
    description:
      'There were {{ $value }} Posterns of {{ $labels.namespace }} {{ $labels.job }} within the last day, and none can be scraped now. Envoy refuses every request that only they could judge.',
  },
  {
    alert: 'PosternInstanceDown',
    expr: `up == 0 and on (${INSTANCE}) last_over_time(postern_build_info[1d])`,
    for: '5m',
    severity: 'warning',
    summary: 'Postern {{ $labels.instance }} cannot be scraped.',
    description:
      'Postern {{ $labels.instance }} of {{ $labels.namespace }} {{ $labels.job }} does not answer on its operations listener. The others carry its load.',
  },
  {
    alert: 'PosternRestarting',
    expr: `max by (${INSTANCE}) (changes(postern_process_start_time_seconds[30m])) >= 3`,
    severity: 'warning',
    summary: 'Postern {{ $labels.instance }} starts again and again.',
    description:
      'Postern {{ $labels.instance }} of {{ $labels.namespace }} {{ $labels.job }} was started {{ $value }} times in half an hour.',
  },
  {
    alert: 'PosternEventLoopLagging',
    expr: `max by (${INSTANCE}) (postern_nodejs_eventloop_lag_p99_seconds) > 0.1`,
    for: '5m',
    severity: 'warning',
    summary: 'Postern {{ $labels.instance }} is busy for long stretches.',
    description:
      'One turn in a hundred of {{ $labels.instance }} comes {{ $value | humanizeDuration }} late, and every check waits for it.',
  },
  {
    alert: 'PosternBug',
    expr: `sum by (${JOB}) (${grown('postern_failures_total{kind="bug"}', '15m')}) > 0`,
    severity: 'warning',
    summary: 'Postern refused requests because of an error of its own.',
    description:
      '{{ $value | humanize }} checks of {{ $labels.namespace }} {{ $labels.job }} ended in an error that nobody foresaw, and were answered with 500.',
  },
];
