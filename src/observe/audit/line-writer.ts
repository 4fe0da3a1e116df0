import { write } from 'node:fs';

/** Lines that leave this process in order, without ever holding up a check. */
export type LineWriter = {
  /** False when the line was dropped because too much waits already. */
  readonly write: (line: string) => boolean;
  readonly counts: () => { readonly waitingBytes: number; readonly dropped: number };
  /** Resolves when all that was written has left, or after `graceMs`. */
  readonly flush: (graceMs: number) => Promise<void>;
};

const WAITING_BYTES_MAX = 16 * 1024 * 1024;
/** Lines are collected this long, because each write costs a trip to a thread. */
const BATCH_MS = 20;
const RETRY_MS = 10;

/**
 * Opens a writer on a file descriptor. A pipe whose reader stalls would block a plain write to standard
 * output, and with it every check; here at most 16 MiB wait, and what comes after is dropped and counted.
 */
export function openLineWriter(descriptor: number): LineWriter {
  const queue: Queue = {
    lines: [],
    waitingBytes: 0,
    dropped: 0,
    isSending: false,
    timer: undefined,
    idle: [],
  };
  return {
    write(line) {
      const bytes = Buffer.byteLength(line) + 1;
      if (queue.waitingBytes + bytes > WAITING_BYTES_MAX) {
        queue.dropped += 1;
        return false;
      }
      queue.lines.push(line);
      queue.waitingBytes += bytes;
      if (!queue.isSending) {
        queue.isSending = true;
        sendLater(descriptor, queue);
      }
      return true;
    },
    counts: () => ({ waitingBytes: queue.waitingBytes, dropped: queue.dropped }),
    flush(graceMs) {
      if (!queue.isSending) return Promise.resolve();
      return new Promise((resolve) => {
        const late = setTimeout(resolve, graceMs);
        queue.idle.push(() => {
          clearTimeout(late);
          resolve();
        });
        if (queue.timer) sendNow(descriptor, queue);
      });
    },
  };
}

type Queue = {
  lines: string[];
  waitingBytes: number;
  dropped: number;
  isSending: boolean;
  /** Set while lines are collected for the next batch. */
  timer: NodeJS.Timeout | undefined;
  idle: (() => void)[];
};

/** Lines are collected for a moment: each write costs a trip to another thread. */
function sendLater(descriptor: number, queue: Queue): void {
  queue.timer = setTimeout(() => sendNow(descriptor, queue), BATCH_MS);
}

/** Sends all lines that wait, as one batch. */
function sendNow(descriptor: number, queue: Queue): void {
  clearTimeout(queue.timer);
  queue.timer = undefined;
  const { lines } = queue;
  queue.lines = [];
  const batch = { bytes: Buffer.from(`${lines.join('\n')}\n`), lines: lines.length };
  sendBatch(descriptor, queue, batch);
}

/** Goes on with the lines that came while a batch was written. */
function sendNext(descriptor: number, queue: Queue): void {
  if (queue.lines.length === 0) {
    queue.isSending = false;
    for (const resolve of queue.idle.splice(0)) resolve();
  } else if (queue.idle.length > 0) sendNow(descriptor, queue);
  else sendLater(descriptor, queue);
}

/** Writes until the batch has left; a full pipe is tried again, a broken one costs the batch. */
function sendBatch(
  descriptor: number,
  queue: Queue,
  batch: { readonly bytes: Buffer; readonly lines: number },
): void {
  write(descriptor, batch.bytes, 0, batch.bytes.length, null, (cause, written) => {
    if (cause && isTemporary(cause)) {
      setTimeout(() => sendBatch(descriptor, queue, batch), RETRY_MS);
      return;
    }
    const gone = cause ? batch.bytes.length : written;
    if (cause) queue.dropped += batch.lines;
    queue.waitingBytes -= gone;
    const bytes = batch.bytes.subarray(gone);
    if (bytes.length > 0) sendBatch(descriptor, queue, { ...batch, bytes });
    else sendNext(descriptor, queue);
  });
}

function isTemporary(cause: NodeJS.ErrnoException): boolean {
  return cause.code === 'EAGAIN' || cause.code === 'EINTR';
}
