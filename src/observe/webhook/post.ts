import { createHmac } from 'node:crypto';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';

/** One message; `id` stays the same however often it is sent, so that its receiver can leave out what it knows. */
export type WebhookMessage = {
  readonly id: string;
  /** When it is sent, epoch ms: receivers refuse what is minutes old. */
  readonly timeMs: number;
  readonly body: string;
  /** `application/json` where nothing is said. */
  readonly contentType?: string | undefined;
};

/**
 * What became of one POST. `accepted`: 2xx. `refused`: the receiver says that trying again is in vain.
 * `failed`: no answer in time, no connection, or an answer that may differ next time.
 */
export type Delivery = {
  readonly outcome: 'accepted' | 'refused' | 'failed';
  readonly status?: number | undefined;
  /** What the receiver asks to wait, ms. */
  readonly retryAfterMs?: number | undefined;
  /** A word for the log, such as ECONNREFUSED; never the URL. */
  readonly cause?: string | undefined;
};

/** The connection to one webhook. */
export type Post = {
  /** Sends one message; never rejects. */
  readonly post: (message: WebhookMessage) => Promise<Delivery>;
  /** Ends what is under way as failed. */
  readonly close: () => void;
};

const SECRET_PREFIX = 'whsec_';
/** What is read of an answer, so that its connection can serve again. */
const ANSWER_BYTES_MAX = 16 * 1024;
const ANSWER_MS_MAX = 1000;
const TRY_AGAIN = new Set([408, 425, 429]);
const DELAY_SECONDS = /^\d{1,9}$/;

/** The signature of a message (Standard Webhooks, symmetric: HMAC-SHA256 over `id.timestamp.body`). */
export function signatureOf(secret: string, id: string, seconds: number, body: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  const digest = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return `v1,${digest}`;
}

/**
 * Makes the POST of one webhook: signed, without redirects and proxies, over in `timeoutMs` whatever the receiver does.
 * Its connection is kept for the next message, and keeps no process alive.
 */
export function createPost(target: {
  readonly url: string;
  readonly secret: string;
  readonly timeoutMs: number;
}): Post {
  const url = new URL(target.url);
  const isPlain = url.protocol === 'http:';
  const agent = isPlain ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true });
  const request = isPlain ? requestHttp : requestHttps;
  const post = (message: WebhookMessage) =>
    new Promise<Delivery>((resolve) => {
      const { headers, body } = signed(target.secret, message);
      const sent = request(url, { method: 'POST', agent, headers });
      const timers = [setTimeout(() => sent.destroy(new Error('late')), target.timeoutMs)];
      let delivery: Delivery | undefined;
      sent.on('response', (answer) => {
        delivery = readAnswer(answer);
        timers.push(setTimeout(() => sent.destroy(), ANSWER_MS_MAX));
        drain(answer, () => sent.destroy());
      });
      sent.on('error', (cause) => {
        delivery ??= { outcome: 'failed', cause: wordOf(cause) };
      });
      // Not before its connection is free or gone, so that a receiver never has more than one.
      sent.on('close', () => {
        for (const timer of timers) clearTimeout(timer);
        resolve(delivery ?? { outcome: 'failed', cause: 'closed' });
      });
      sent.end(body);
    });
  return { post, close: () => agent.destroy() };
}

function signed(secret: string, { id, timeMs, body, contentType }: WebhookMessage) {
  const seconds = Math.floor(timeMs / 1000);
  const bytes = Buffer.from(body);
  const headers = {
    'content-type': contentType ?? 'application/json',
    'content-length': bytes.byteLength,
    'user-agent': 'postern',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatureOf(secret, id, seconds, body),
  };
  return { headers, body: bytes };
}

function readAnswer({ statusCode = 0, headers }: IncomingMessage): Delivery {
  if (statusCode >= 200 && statusCode < 300) return { outcome: 'accepted', status: statusCode };
  const isFinal = statusCode >= 400 && statusCode < 500 && !TRY_AGAIN.has(statusCode);
  if (isFinal) return { outcome: 'refused', status: statusCode };
  const retryAfterMs = readRetryAfter(headers['retry-after']);
  return { outcome: 'failed', status: statusCode, retryAfterMs };
}

/** Seconds or a date (RFC 9110 section 10.2.3), as a time from now. */
function readRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (DELAY_SECONDS.test(text)) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

/** Reads an answer away; one that goes on too long costs the connection. */
function drain(answer: IncomingMessage, end: () => void): void {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) end();
  });
  answer.on('error', end);
}

function wordOf(cause: Error): string {
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return cause.message === 'late' ? 'late' : 'failed';
}
