import { grown, INSTANCE, JOB } from './query.ts';
import type { AlertRule } from './rule.ts';

const DELIVERIES = 'postern_webhook_deliveries_total';
const delivered = (outcomes: string) =>
  `sum by (${JOB}, webhook) (increase(${DELIVERIES}{outcome=~"${outcomes}"}[15m])) > 0`;
const waiting = `sum by (${JOB}, webhook) (min_over_time(postern_webhook_waiting[15m])) > 0`;
const loads = (outcome: string) =>
  `sum by (${INSTANCE}) (${grown(`postern_certificate_loads_total{outcome="${outcome}"}`, '6h')}) > 0`;
const left = `min by (${JOB}, listener) (postern_certificate_not_after_timestamp_seconds) - time()`;

const CERTIFICATE_EXPIRING = {
  alert: 'PosternCertificateExpiring',
  for: '5m',
  summary: 'The certificate of listen.{{ $labels.listener }} ends soon.',
  description:
    'The certificate that {{ $labels.namespace }} {{ $labels.job }} uses on listen.{{ $labels.listener }} ends in {{ $value | humanizeDuration }}. After that Envoy refuses it, and with it every request.',
};

/** What people keep in order: policies, the audit, certificates. */
export const OPERATION_ALERTS: readonly AlertRule[] = [
  {
    alert: 'PosternReloadFailed',
    expr: `count by (${JOB}) (postern_policy_last_reload_successful == 0)`,
    for: '1m',
    severity: 'warning',
    summary: 'A new policy has problems; the one before stays in force.',
    description:
      '{{ $value }} Posterns of {{ $labels.namespace }} {{ $labels.job }} could not take the policy that they were given.',
  },
  {
    alert: 'PosternPolicyDiffers',
    expr: `count by (${JOB}) (count by (${JOB}, hash) (postern_policy_info)) > 1`,
    for: '15m',
    severity: 'warning',
    summary: 'Posterns of one job decide by different policies.',
    description:
      'There are {{ $value }} policies in force in {{ $labels.namespace }} {{ $labels.job }}: what is admitted depends on which Postern is asked.',
  },
  {
    alert: 'PosternWiringWarning',
    expr: `max by (${JOB}, warning) (postern_wiring_warnings) == 1`,
    for: '1m',
    severity: 'warning',
    summary: 'Requests show that Envoy is wired wrongly: {{ $labels.warning }}.',
    description:
      'Requests to {{ $labels.namespace }} {{ $labels.job }} showed {{ $labels.warning }}, which weakens the policy.',
  },
  {
    alert: 'PosternAuditDropping',
    expr: `sum by (${JOB}, sink) (increase(postern_audit_events_total{outcome=~"dropped|failed"}[5m])) > 0`,
    severity: 'critical',
    summary: 'Audit events are lost.',
    description:
      '{{ $value | humanize }} audit events of {{ $labels.namespace }} {{ $labels.job }} for the sink {{ $labels.sink }} were lost in five minutes. They do not come back.',
  },
  {
    alert: 'PosternAuditWaiting',
    expr: `max by (${INSTANCE}) (postern_audit_waiting_bytes) > 4 * 1024 * 1024`,
    for: '10m',
    severity: 'warning',
    summary: 'Audit events pile up in {{ $labels.instance }}.',
    description:
      '{{ $value | humanize1024 }}B of audit events wait in {{ $labels.instance }} of {{ $labels.namespace }} {{ $labels.job }}. Where no room is left, events are lost.',
  },
  {
    alert: 'PosternWebhookFailing',
    expr: [
      // Tries come hours apart in the end: then nothing fails, and messages wait.
      `((${delivered('failed')} or ${waiting}) unless ${delivered('accepted')})`,
      `or ${delivered('dropped|refused')}`,
    ].join('\n'),
    for: '5m',
    severity: 'warning',
    summary: 'The webhook {{ $labels.webhook }} does not take what it is sent.',
    description:
      'The webhook {{ $labels.webhook }} of {{ $labels.namespace }} {{ $labels.job }} accepted nothing for fifteen minutes while messages failed or wait, or it refused some, or some were given up.',
  },
  { ...CERTIFICATE_EXPIRING, expr: `${left} < 14 * 86400`, severity: 'warning' },
  { ...CERTIFICATE_EXPIRING, expr: `${left} < 2 * 86400`, severity: 'critical' },
  {
    alert: 'PosternCertificateLoadFailed',
    expr: `${loads('failed')}\nunless ${loads('ok')}`,
    for: '5m',
    severity: 'warning',
    summary: 'Postern {{ $labels.instance }} cannot use a new certificate.',
    description:
      'A certificate of listen.check was read by {{ $labels.instance }} of {{ $labels.namespace }} {{ $labels.job }} and not taken. The one before stays, until it ends.',
  },
];
