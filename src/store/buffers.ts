import type { AuditEvent } from '../core/records.ts';
import type { Batch } from './batch.ts';
import { USE_WRITE_MS } from './store.ts';
import { createWriter, type Writer, type WriterOptions } from './writer.ts';

/** Events that may wait for the next write; what comes beyond is dropped and counted. */
const WAITING_EVENTS = 10_000;

/** What every buffer can be asked. */
export type Waiting = Pick<Writer, 'flush' | 'failures' | 'stop'> & {
  readonly dropped: () => number;
};

type Write = (batch: Batch) => Promise<void>;
/** How a buffer is written. */
export type BufferOptions = Omit<WriterOptions, 'everyMs'>;

export type EventBuffer = Waiting & { readonly recordEvent: (event: AuditEvent) => void };

/** Holds events between two writes. */
export function createEventBuffer(write: Write, options: BufferOptions): EventBuffer {
  let waiting: AuditEvent[] = [];
  let dropped = 0;
  const source = {
    take() {
      const items = waiting;
      waiting = [];
      return items;
    },
    write: (events: readonly AuditEvent[]) => write({ uses: [], events }),
    restore(events: readonly AuditEvent[]) {
      const all = [...events, ...waiting];
      waiting = all.slice(0, WAITING_EVENTS);
      dropped += all.length - waiting.length;
    },
  };
  const writer = createWriter(source, { ...options, everyMs: USE_WRITE_MS });
  return {
    recordEvent(event) {
      if (waiting.length >= WAITING_EVENTS) {
        dropped += 1;
        return;
      }
      waiting.push(event);
      writer.wake();
    },
    dropped: () => dropped,
    ...writer,
  };
}
