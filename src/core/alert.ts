import type { AuditEvent } from './records.ts';

/** How grave something is, as a SIEM takes it (OCSF `severity`). */
export type Severity = 'informational' | 'low' | 'medium' | 'high' | 'critical';

/** Every alert there is: the name is the metric label, the end of the event `alert.NAME`, and the anchor in the docs. */
export const ALERTS = {
  failures_from_source: {
    severity: 'medium',
    title: 'An address fails to authenticate again and again',
  },
  failures_of_key: { severity: 'medium', title: 'A key is refused again and again' },
  new_country: { severity: 'high', title: 'A key is used from a country it was never used from' },
  new_network: { severity: 'low', title: 'A key is used from a network it was never used from' },
  unusual_requests: { severity: 'medium', title: 'A key makes far more requests than ever' },
  unusual_refusals: { severity: 'medium', title: 'A key is refused far more often than ever' },
  sensitive_route: { severity: 'informational', title: 'A sensitive route was used' },
} as const satisfies Record<string, { readonly severity: Severity; readonly title: string }>;

export type AlertName = keyof typeof ALERTS;

/** The names of all alerts. */
export const ALERT_NAMES = Object.keys(ALERTS) as [AlertName, ...AlertName[]];

/** Something that a security team should look at. It changes no answer. */
export type Alert = {
  readonly name: AlertName;
  readonly timeMs: number;
  /** What the cool-down counts by, beside the name; never shown. */
  readonly subject: string;
  readonly workspace?: string | undefined;
  readonly keyId?: string | undefined;
  /** As text; masked where the policy says so before it leaves. */
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
  /** Route, username, country, counts: what is shown beside the rest. Never a credential. */
  readonly facts: Readonly<Record<string, string>>;
};

/** A count of failed authentications that raises an alert, and for `blockMs` refuses whoever reached it. */
export type FailureRule = {
  readonly by: 'ip' | 'key';
  readonly windows: readonly { readonly limit: number; readonly lengthMs: number }[];
  readonly blockMs?: number | undefined;
};

/** What is watched for, and who is told. */
export type AlertRules = {
  readonly failures: readonly FailureRule[];
  /** How far above its own history a key's hour must be; undefined: nothing is unusual. */
  readonly unusual?: { readonly factor: number; readonly atLeast: number } | undefined;
  readonly coolDownMs: number;
  readonly muted: ReadonlySet<AlertName>;
  readonly webhooks: readonly AlertWebhook[];
};

/** `secret` as Standard Webhooks writes it; `alerts` undefined means all. */
export type AlertWebhook = {
  readonly url: string;
  readonly secret: string;
  readonly alerts?: ReadonlySet<AlertName> | undefined;
};

/** What the names of alert events begin with. */
export const ALERT_EVENT = 'alert.';

/** The event that the audit stream, the store and webhooks hold of an alert; `suppressed` like it were not told since the last. */
export function alertEvent(alert: Alert, id: string, suppressed: number): AuditEvent {
  const { severity, title } = ALERTS[alert.name];
  const { keyId } = alert;
  return {
    id,
    time: new Date(alert.timeMs).toISOString(),
    event: `${ALERT_EVENT}${alert.name}`,
    workspace_id: alert.workspace,
    object: keyId === undefined ? undefined : { kind: 'key', id: keyId },
    request_id: alert.requestId,
    address: alert.address,
    facts: {
      severity,
      title,
      ...alert.facts,
      ...(suppressed > 0 && { suppressed: String(suppressed) }),
    },
  };
}
