import { createPost, type Delivery, type WebhookMessage } from './post.ts';

/** Sends signed messages to one webhook (Standard Webhooks). */
export type WebhookSender = {
  /**
   * Makes one POST, over in bounded time; never rejects. `refused` must not be tried again, `failed` may be,
   * under the same id.
   */
  readonly send: (message: WebhookMessage) => Promise<Delivery['outcome']>;
  /** Ends what is under way; it counts as failed. */
  readonly close: () => void;
};

/** Where a webhook is, and how it is signed. */
export type WebhookTarget = {
  readonly url: string;
  /** `whsec_` and base64, as the policy was checked for. */
  readonly secret: string;
  readonly timeoutMs?: number | undefined;
  /** Told of each POST before `send` resolves. */
  readonly onResult?: ((delivery: Delivery) => void) | undefined;
};

/** Standard Webhooks advises 15 to 30 seconds; a receiver that takes longer works before it answers. */
const WEBHOOK_TIMEOUT_MS = 15_000;

/** Makes a sender. It tries once: whoever calls keeps what failed. */
export function createWebhookSender(target: WebhookTarget): WebhookSender {
  const { url, secret, timeoutMs = WEBHOOK_TIMEOUT_MS, onResult } = target;
  const { post, close } = createPost({ url, secret, timeoutMs });
  return {
    close,
    send: async (message) => {
      const delivery = await post(message);
      onResult?.(delivery);
      return delivery.outcome;
    },
  };
}
