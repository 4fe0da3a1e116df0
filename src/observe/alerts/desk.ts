import { ALERT_NAMES, type Alert, type AlertName, alertEvent } from '../../core/alert.ts';
import type { Answered } from '../../core/answered.ts';
import { maskEvent } from '../../core/audit.ts';
import type { Policy } from '../../core/policy.ts';
import type { RecordStore } from '../../core/record-store.ts';
import type { AuditEvent } from '../../core/records.ts';
import type { Mask } from '../audit/recorder.ts';
import type { AlertMetric } from '../metrics/alerts.ts';
import { alertsOf } from './alerts-of.ts';
import { createCoolDown } from './cool-down.ts';

/** Where alerts are raised, and from where they are told. */
export type AlertDesk = {
  /** Tells an alert, unless the policy mutes it or it was told a short while ago. Never awaited, never throws. */
  readonly raise: (alert: Alert) => void;
  /** Looks at an answered check; cheap, and after the answer has left. */
  readonly watch: (answered: Answered) => void;
  /** Every alert there is, also those never raised, since the process began. */
  readonly summary: () => readonly AlertCount[];
};

export type AlertCount = {
  readonly name: AlertName;
  /** How often it was told. */
  readonly count: number;
  readonly firstMs?: number;
  readonly lastMs?: number;
  /** How often it was not, by its cool-down. */
  readonly suppressed: number;
};

/** Looks at answered checks for something of its own. */
export type Watcher = (answered: Answered) => void;

export type DeskOptions = {
  readonly policy: () => Policy;
  readonly mask: Mask;
  readonly makeId: (nowMs: number) => string;
  /** The audit stream. */
  readonly tell: (event: AuditEvent) => void;
  /** Keeps the event, so that the API lists it. */
  readonly records: Pick<RecordStore, 'recordEvent'>;
  /** The webhooks. */
  readonly send: (name: AlertName, event: AuditEvent) => void;
  readonly metric: AlertMetric;
  readonly watchers: readonly ((raise: AlertDesk['raise']) => Watcher)[];
};

type Count = { count: number; firstMs?: number; lastMs?: number; suppressed: number };

/** Makes the desk. */
export function createAlertDesk(options: DeskOptions): AlertDesk {
  const { policy, metric } = options;
  const judge = createCoolDown();
  const counts = new Map(ALERT_NAMES.map((name): [AlertName, Count] => [name, unraised()]));
  const raise = (alert: Alert) => {
    const { name, timeMs } = alert;
    const inForce = policy();
    if (inForce.alerts.muted.has(name)) return;
    const count = counts.get(name) ?? unraised();
    const judged = judge(alert, inForce.alerts.coolDownMs);
    if (judged === 'cooling') {
      count.suppressed += 1;
      metric.suppressed(name);
      return;
    }
    count.count += 1;
    count.firstMs ??= timeMs;
    count.lastMs = timeMs;
    metric.raised(name);
    tellAll(options, name, maskedEvent(options, alert, judged.suppressed));
  };
  const watchers = options.watchers.map((open) => open(raise));
  return {
    raise,
    watch: (answered) => {
      for (const alert of alertsOf(answered)) raise(alert);
      for (const watcher of watchers) watcher(answered);
    },
    summary: () => [...counts].map(([name, count]) => ({ name, ...count })),
  };
}

function unraised(): Count {
  return { count: 0, suppressed: 0 };
}

/** The event of an alert, without what the policy masks. */
function maskedEvent(
  { policy, mask, makeId }: DeskOptions,
  alert: Alert,
  suppressed: number,
): AuditEvent {
  const { username } = alert.facts;
  const isNameMasked = policy().mask.username && username !== undefined;
  const facts = isNameMasked ? { ...alert.facts, username: mask(username) } : alert.facts;
  const event = alertEvent({ ...alert, facts }, makeId(alert.timeMs), suppressed);
  return maskEvent(event, policy(), mask);
}

function tellAll({ tell, records, send }: DeskOptions, name: AlertName, event: AuditEvent): void {
  tell(event);
  records.recordEvent(event);
  send(name, event);
}
