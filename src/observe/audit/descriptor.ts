import { write } from 'node:fs';
import type { Target } from './journal.ts';

const RETRY_MS = 10;

/**
 * Standard output, or another descriptor, as a target. A pipe whose reader stalls would block a plain write, and with
 * it every check; here a thread waits. A full pipe is tried again, a broken one rejects.
 */
export function descriptorTarget(descriptor: number): Target {
  return {
    append: (bytes) =>
      new Promise((resolve, reject) => {
        writeRest(descriptor, bytes, (cause) => (cause ? reject(cause) : resolve()));
      }),
    close: async () => {},
  };
}

function writeRest(descriptor: number, bytes: Uint8Array, done: (cause?: Error) => void): void {
  write(descriptor, bytes, 0, bytes.length, null, (cause, written) => {
    if (cause && isTemporary(cause)) {
      setTimeout(() => writeRest(descriptor, bytes, done), RETRY_MS);
    } else if (cause) done(cause);
    else if (written < bytes.length) writeRest(descriptor, bytes.subarray(written), done);
    else done();
  });
}

function isTemporary(cause: NodeJS.ErrnoException): boolean {
  return cause.code === 'EAGAIN' || cause.code === 'EINTR';
}
