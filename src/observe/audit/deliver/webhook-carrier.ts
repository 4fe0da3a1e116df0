import { hash } from 'node:crypto';
import type { Carrier } from './delivery.ts';

/** Makes one signed POST (`src/observe/webhook/`). */
export type Sender = {
  readonly send: (message: {
    readonly id: string;
    readonly timeMs: number;
    readonly body: string;
    readonly contentType?: string;
  }) => Promise<'accepted' | 'refused' | 'failed'>;
  readonly close: () => void;
};

/** CloudEvents' own form of several events, and JSON where they are none. */
const CONTENT_TYPES = {
  ocsf: 'application/cloudevents-batch+json; charset=utf-8',
  postern: 'application/json; charset=utf-8',
} as const;

/**
 * Posts events as one JSON array. A receiver that refuses is asked again like one that fails: what it refuses today,
 * for instance for a wrong secret, is not to be lost. The id is that of the content, so that the same batch has it again.
 */
export function createWebhookCarrier(
  sender: Sender,
  format: keyof typeof CONTENT_TYPES,
  now: () => number,
): Carrier {
  return {
    carry: async (events) => {
      const body = `[${events.join(',')}]`;
      const id = `audit-${hash('sha256', body, 'hex').slice(0, 32)}`;
      const contentType = CONTENT_TYPES[format];
      return (await sender.send({ id, timeMs: now(), body, contentType })) === 'accepted';
    },
    close: async () => sender.close(),
  };
}
