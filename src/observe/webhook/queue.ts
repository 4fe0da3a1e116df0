import type { Delivery, WebhookMessage } from './post.ts';
import type { WebhookSender } from './sender.ts';

/** What is counted: each POST by its outcome, and `dropped` for each message that is given up. */
export type WebhookOutcome = Delivery['outcome'] | 'dropped';

/** Messages that wait for one webhook, in memory; whoever pushes never waits. */
export type WebhookQueue = {
  readonly push: (message: Omit<WebhookMessage, 'timeMs'>) => void;
  readonly waiting: () => number;
  /** Tries once more what waits, for at most `graceMs`; what is left then is dropped. At 0 nothing more is sent. */
  readonly close: (graceMs: number) => Promise<void>;
};

export type QueueOptions = {
  /** Opens the sender; its results are told to the queue. */
  readonly openSender: (onResult: (delivery: Delivery) => void) => WebhookSender;
  /** Told of each POST, and of each message that is given up. */
  readonly onOutcome: (outcome: WebhookOutcome, delivery?: Delivery) => void;
  /** Epoch ms; the stamp that is signed. */
  readonly now: () => number;
  /** How long to wait before the next try, ms, after so many. */
  readonly delayMs?: ((tries: number) => number) | undefined;
  readonly messagesMax?: number | undefined;
};

const MESSAGES_MAX = 1000;
/** Over about half a day: 1 s, 3 s, 9 s … to 4 hours. */
const TRIES_MAX = 12;
const FIRST_MS = 1000;
const FACTOR = 3;
const DELAY_MAX_MS = 4 * 3_600_000;
/** After so many failures in a row a receiver counts as away, and is tried once in the first wait: each try costs. */
const AWAY_FAILURES = 5;
/** A receiver cannot put a message off for longer. */
const RETRY_AFTER_MAX_MS = 3_600_000;

type Entry = {
  readonly message: Omit<WebhookMessage, 'timeMs'>;
  tries: number;
  /** By the monotonic clock. */
  dueMs: number;
  /** Its wait was cut short once, which is all it gets: what fails by itself keeps its waits, and its tries. */
  isHastened: boolean;
};

/** The wait after so many tries: up to a quarter more by chance, so that many senders do not come back at once. */
export function backOffMs(tries: number, chance: number): number {
  const plainMs = Math.min(FIRST_MS * FACTOR ** (tries - 1), DELAY_MAX_MS);
  return plainMs * (1 + chance / 4);
}

/** Opens a queue that has one message under way at a time. What failed is tried again; other messages pass it meanwhile. */
export function openWebhookQueue(options: QueueOptions): WebhookQueue {
  const { messagesMax = MESSAGES_MAX, onOutcome } = options;
  const sender = options.openSender((delivery) => {
    queue.last = delivery;
    onOutcome(delivery.outcome, delivery);
  });
  const queue: Queue = {
    ...options,
    delayMs: options.delayMs ?? ((tries) => backOffMs(tries, Math.random())),
    sender,
    entries: new Set(),
    last: { outcome: 'accepted' },
    failures: 0,
    isClosing: false,
    isSending: false,
    restMs: 0,
    timer: undefined,
    idle: [],
  };
  return {
    push: (message) => {
      if (queue.isClosing || queue.entries.size >= messagesMax) return onOutcome('dropped');
      queue.entries.add({ message, tries: 0, dueMs: 0, isHastened: false });
      turn(queue);
    },
    waiting: () => queue.entries.size,
    close: (graceMs) => closeWithin(queue, graceMs),
  };
}

type Queue = Omit<QueueOptions, 'delayMs'> & {
  readonly delayMs: (tries: number) => number;
  readonly sender: WebhookSender;
  readonly entries: Set<Entry>;
  /** What came of the POST before. */
  last: Delivery;
  /** POSTs that failed, since the last that did not. */
  failures: number;
  isClosing: boolean;
  isSending: boolean;
  /** No message goes before this time, by the monotonic clock: the receiver asked for it, or is away. */
  restMs: number;
  timer: NodeJS.Timeout | undefined;
  readonly idle: (() => void)[];
};

/** Sends what is due, or waits for it. */
function turn(queue: Queue): void {
  if (queue.isSending) return;
  clearTimeout(queue.timer);
  const first = earliest(queue.entries);
  if (!first) {
    for (const resolve of queue.idle.splice(0)) resolve();
    return;
  }
  const dueMs = queue.isClosing ? 0 : Math.max(first.dueMs, queue.restMs);
  const waitMs = dueMs - performance.now();
  if (waitMs > 0) {
    queue.timer = setTimeout(turn, waitMs, queue).unref();
    return;
  }
  queue.isSending = true;
  void sendOne(queue, first).finally(() => {
    queue.isSending = false;
    turn(queue);
  });
}

async function sendOne(queue: Queue, entry: Entry): Promise<void> {
  entry.tries += 1;
  const outcome = await queue.sender.send({ ...entry.message, timeMs: queue.now() });
  const { entries, failures } = queue;
  queue.failures = outcome === 'failed' ? failures + 1 : 0;
  if (outcome === 'accepted') {
    entries.delete(entry);
    // A receiver that is back gets all that waits for it.
    if (failures > 0) for (const other of entries) hasten(other);
  } else if (outcome === 'refused' || queue.isClosing || entry.tries >= TRIES_MAX) {
    drop(queue, entry);
  } else putOff(queue, entry);
}

function putOff(queue: Queue, entry: Entry): void {
  const nowMs = performance.now();
  const askedMs = Math.min(queue.last.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  const isAway = queue.failures >= AWAY_FAILURES;
  queue.restMs = nowMs + Math.max(askedMs, isAway ? queue.delayMs(1) : 0);
  entry.dueMs = nowMs + Math.max(queue.delayMs(entry.tries), askedMs);
}

function hasten(entry: Entry): void {
  if (entry.isHastened || entry.tries === 0) return;
  entry.dueMs = 0;
  entry.isHastened = true;
}

function drop(queue: Queue, entry: Entry): void {
  if (queue.entries.delete(entry)) queue.onOutcome('dropped', queue.last);
}

async function closeWithin(queue: Queue, graceMs: number): Promise<void> {
  queue.isClosing = true;
  clearTimeout(queue.timer);
  if (graceMs > 0) await sendAllWithin(queue, graceMs);
  for (const entry of queue.entries) drop(queue, entry);
  queue.sender.close();
}

function sendAllWithin(queue: Queue, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, graceMs);
    queue.idle.push(() => {
      clearTimeout(late);
      resolve();
    });
    turn(queue);
  });
}

/** The entry that is due first; of several the one that came first. */
function earliest(entries: ReadonlySet<Entry>): Entry | undefined {
  let first: Entry | undefined;
  for (const entry of entries) if (!first || entry.dueMs < first.dueMs) first = entry;
  return first;
}
