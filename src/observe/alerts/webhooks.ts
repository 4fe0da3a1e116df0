import type { AlertName, AlertWebhook } from '../../core/alert.ts';
import type { AuditEvent } from '../../core/records.ts';
import type { Delivery } from '../webhook/post.ts';
import { openWebhookQueue, type WebhookOutcome, type WebhookQueue } from '../webhook/queue.ts';
import { createWebhookSender } from '../webhook/sender.ts';

/** The webhooks of the policy in force. */
export type AlertWebhooks = {
  /** Takes up the webhooks of a policy: those that stay keep what waits for them. */
  readonly use: (webhooks: readonly AlertWebhook[]) => void;
  readonly send: (name: AlertName, event: AuditEvent) => void;
  readonly waiting: () => readonly { readonly webhook: string; readonly waiting: number }[];
  /** Sends what waits, for at most `graceMs`. */
  readonly close: (graceMs: number) => Promise<void>;
};

/** What came of a message; `webhook` is its place in the policy, `host` where it stands. */
export type WebhookResult = {
  readonly webhook: string;
  readonly host: string;
  readonly outcome: WebhookOutcome;
  readonly delivery?: Delivery | undefined;
};

type Open = { webhook: AlertWebhook; label: string; readonly queue: WebhookQueue };

/** Opens no webhook until `use` names them. */
export function createAlertWebhooks(onResult: (result: WebhookResult) => void): AlertWebhooks {
  let open: ReadonlyMap<string, Open> = new Map();
  return {
    use: (webhooks) => {
      const next = new Map<string, Open>();
      for (const [index, webhook] of webhooks.entries()) {
        const id = `${webhook.url}\n${webhook.secret}`;
        const label = `alerts-${index + 1}`;
        const twin = next.get(id);
        // Two entries for one receiver are one queue, which takes what either takes.
        if (twin) twin.webhook = { ...webhook, alerts: eitherOf(twin.webhook, webhook) };
        else next.set(id, renewed(open.get(id), { webhook, label, onResult }));
      }
      for (const [id, { queue }] of open) if (!next.has(id)) void queue.close(0);
      open = next;
    },
    send: (name, event) => {
      const message = writeMessage(event);
      for (const { webhook, queue } of open.values()) {
        if (webhook.alerts?.has(name) ?? true) queue.push(message);
      }
    },
    waiting: () =>
      [...open.values()].map(({ label, queue }) => ({ webhook: label, waiting: queue.waiting() })),
    close: async (graceMs) => {
      await Promise.all([...open.values()].map(({ queue }) => queue.close(graceMs)));
    },
  };
}

/** A message as Standard Webhooks advises: its type, its time, and under `data` what happened. */
function writeMessage(event: AuditEvent): { readonly id: string; readonly body: string } {
  const { id, time, event: type } = event;
  return { id, body: JSON.stringify({ type, timestamp: time, data: event }) };
}

function renewed(
  known: Open | undefined,
  { webhook, label, onResult }: Pick<Open, 'webhook' | 'label'> & Told,
): Open {
  if (!known) return openOne({ webhook, label, onResult });
  known.webhook = webhook;
  known.label = label;
  return known;
}

type Told = { readonly onResult: (result: WebhookResult) => void };

function openOne({ webhook, label, onResult }: Pick<Open, 'webhook' | 'label'> & Told): Open {
  const { url, secret } = webhook;
  const { host } = new URL(url);
  const one: Open = {
    webhook,
    label,
    queue: openWebhookQueue({
      openSender: (onDelivery) => createWebhookSender({ url, secret, onResult: onDelivery }),
      onOutcome: (outcome, delivery) => onResult({ webhook: one.label, host, outcome, delivery }),
      now: Date.now,
    }),
  };
  return one;
}

function eitherOf(one: AlertWebhook, other: AlertWebhook): AlertWebhook['alerts'] {
  if (!one.alerts || !other.alerts) return undefined;
  return new Set([...one.alerts, ...other.alerts]);
}
