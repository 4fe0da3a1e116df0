import { write, writeSync } from 'node:fs';

/** Lines that leave this process in order, without ever holding up a check. */
export type LineWriter = {
  /** False when the line was dropped because too much waits already. */
  readonly write: (line: string) => boolean;
  readonly counts: () => { readonly waitingBytes: number; readonly dropped: number };
  /** Resolves when all that was written has left, or after `graceMs`. */
  readonly flush: (graceMs: number) => Promise<void>;
};

const WAITING_BYTES_MAX = 16 * 1024 * 1024;
const BATCH_MS = 20;
const RETRY_MS = 10;

/**
 * Opens a writer on a file descriptor. A pipe whose reader stalls would block a plain write to standard
 * output, and with it every check; here at most 16 MiB wait, and what comes after is dropped and counted.
 */
export function openLineWriter(descriptor: number): LineWriter {
  let waiting: string[] = [];
  let waitingBytes = 0;
  let dropped = 0;
  let rest: Buffer | undefined;
  let timer: NodeJS.Timeout | undefined;
  let idle: (() => void)[] = [];

  const settle = () => {
    for (const resolve of idle) resolve();
    idle = [];
  };
  const send = () => {
    timer = undefined;
    if (!rest) {
      if (waiting.length === 0) return settle();
      rest = Buffer.from(waiting.join(''));
      waiting = [];
    }
    const sending = rest;
    write(descriptor, sending, 0, sending.length, null, (cause, written) => {
      if (cause && !isTemporary(cause)) {
        dropped += 1;
        waitingBytes = 0;
        rest = undefined;
        waiting = [];
        return settle();
      }
      waitingBytes -= written ?? 0;
      rest = written < sending.length ? sending.subarray(written ?? 0) : undefined;
      if (cause) timer = setTimeout(send, RETRY_MS);
      else send();
    });
  };
  const isSending = () => rest !== undefined;
  return {
    write(line) {
      const bytes = Buffer.byteLength(line) + 1;
      if (waitingBytes + bytes > WAITING_BYTES_MAX) {
        dropped += 1;
        return false;
      }
      waiting.push(`${line}\n`);
      waitingBytes += bytes;
      if (!isSending() && !timer) timer = setTimeout(send, BATCH_MS);
      return true;
    },
    counts: () => ({ waitingBytes, dropped }),
    flush(graceMs) {
      if (waitingBytes === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const late = setTimeout(resolve, graceMs);
        idle.push(() => {
          clearTimeout(late);
          resolve();
        });
        if (!isSending()) {
          clearTimeout(timer);
          send();
        }
      });
    },
  };
}

/** Writes one line at once, for the few that others wait for at start. */
export function writeLineNow(descriptor: number, line: string): void {
  writeSync(descriptor, `${line}\n`);
}

function isTemporary(cause: NodeJS.ErrnoException): boolean {
  return cause.code === 'EAGAIN' || cause.code === 'EINTR';
}
