import { type Carrier, openDelivery } from './deliver/delivery.ts';
import { openSegments } from './disk/segments.ts';
import { openJournal } from './journal.ts';
import { BATCH_MS, type SinkOptions } from './local-sinks.ts';
import { sealingOf } from './sealing.ts';
import type { Sink } from './sink.ts';

export type SpoolOptions = {
  /** The folder of this sink alone. */
  readonly folder: string;
  readonly maxBytes: number;
  readonly carrier: Carrier;
  /** The first wait after a failed delivery; the waits double up to a minute. Milliseconds. */
  readonly retryMs?: number | undefined;
};

/** A spool is so many files at most, so that what was delivered is soon removed. */
const SEGMENTS = 16;
const RETRY_MS = 500;

/**
 * A sink that is far away. Events are recorded once they are in its spool; from there they are delivered in order, at
 * least once, by this process or the next. What does not fit into the spool is dropped and counted.
 */
export async function openSpoolSink(spool: SpoolOptions, options: SinkOptions): Promise<Sink> {
  const { name, format, onFailure } = options;
  const { folder, carrier, maxBytes, retryMs = RETRY_MS } = spool;
  const segments = await openSegments(folder, Math.ceil(maxBytes / SEGMENTS));
  const delivery = await openDelivery({ folder, segments, carrier, retryMs, onFailure });
  const journal = openJournal({
    target: segments.target,
    batchMs: BATCH_MS,
    isSynced: options.mode === 'blocking',
    sealing: sealingOf(options, segments.lastLine),
    isTriedAgain: true,
    hasRoom: (bytes) => segments.bytes() + journal.counts().waitingBytes + bytes <= maxBytes,
    onWritten: delivery.wake,
    onFailure,
  });
  return {
    name,
    format,
    write: journal.write,
    keep: journal.keep,
    counts: () => {
      const { dropped, failed, waitingEvents, waitingBytes } = journal.counts();
      return {
        written: delivery.delivered(),
        dropped,
        failed: failed + delivery.spoilt(),
        waitingEvents: waitingEvents + delivery.waiting(),
        waitingBytes: waitingBytes + delivery.waitingBytes(),
      };
    },
    close: async (graceMs) => {
      const endMs = performance.now() + graceMs;
      const leftMs = () => Math.max(0, endMs - performance.now());
      await journal.flush(graceMs);
      await delivery.close(leftMs());
      await journal.close(leftMs());
    },
  };
}
