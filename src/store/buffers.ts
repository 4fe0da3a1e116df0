import type { AuditEvent } from '../core/records.ts';
import type { Batch } from './batch.ts';
import { USE_WRITE_MS } from './store.ts';
import { createWriter, type Writer, type WriterOptions } from './writer.ts';

/** Events that may wait for the next write; what comes beyond is dropped and counted. */
const WAITING_EVENTS = 10_000;
/** Of them refusals: whoever is refused ten thousand times pushes no alert and no change out. */
const WAITING_REFUSALS = 9000;
const REFUSAL = 'decision.refused';

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
  let refusals = 0;
  let dropped = 0;
  const add = (event: AuditEvent): boolean => {
    const isRefusal = event.event === REFUSAL;
    const isFull = waiting.length >= WAITING_EVENTS || (isRefusal && refusals >= WAITING_REFUSALS);
    if (isFull) {
      dropped += 1;
      return false;
    }
    if (isRefusal) refusals += 1;
    waiting.push(event);
    return true;
  };
  const source = {
    take() {
      const items = waiting;
      waiting = [];
      refusals = 0;
      return items;
    },
    write: (events: readonly AuditEvent[]) => write({ uses: [], events }),
    restore(events: readonly AuditEvent[]) {
      const all = [...events, ...waiting];
      waiting = [];
      refusals = 0;
      for (const event of all) add(event);
    },
  };
  const writer = createWriter(source, { ...options, everyMs: USE_WRITE_MS });
  return {
    recordEvent(event) {
      if (add(event)) writer.wake();
    },
    dropped: () => dropped,
    ...writer,
  };
}
