import type { WebhookOutcome } from '../webhook/queue.ts';
import type { Makers } from './makers.ts';
import { Gauge, type Registry } from './prom-client.ts';

/** A webhook as metrics name it, by its place in the policy: `alerts-1`, `audit-1`. */
export type WebhookReading = { readonly webhook: string; readonly waiting: number };

export type WebhookMetric = {
  readonly count: (webhook: string, outcome: WebhookOutcome) => void;
  /** Adds webhooks whose messages that wait are shown. */
  readonly follow: (read: () => readonly WebhookReading[]) => void;
};

const OUTCOMES: readonly WebhookOutcome[] = ['accepted', 'refused', 'failed', 'dropped'];

/** Counts what webhooks are sent; a webhook is there, with zeros, from the first scrape on. */
export function webhookMetric(registry: Registry, make: Makers): WebhookMetric {
  const sources: (() => readonly WebhookReading[])[] = [];
  new Gauge({
    name: 'postern_webhook_waiting',
    help: 'Messages that wait for a webhook.',
    labelNames: ['webhook'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const { webhook, waiting } of sources.flatMap((read) => read())) {
        this.set({ webhook }, waiting);
        for (const outcome of OUTCOMES) deliveries.inc({ webhook, outcome }, 0);
      }
    },
  });
  // Made after the gauge, which a scrape therefore reads first.
  const deliveries = make.counter(
    'webhook_deliveries_total',
    'Messages sent to webhooks, each try counted; dropped: messages given up.',
    ['webhook', 'outcome'],
  );
  return {
    count: (webhook, outcome) => deliveries.inc({ webhook, outcome }),
    follow: (read) => void sources.push(read),
  };
}
