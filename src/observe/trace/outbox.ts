import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

/** What became of spans since the start, and how many wait or are under way. */
export type SpanCounts = {
  readonly exported: number;
  readonly failed: number;
  readonly dropped: number;
  readonly waiting: number;
};

/** Spans that leave this process in batches, without ever holding up a check. */
export type Outbox = {
  readonly processor: SpanProcessor;
  /** Whether so many spans can wait; where they cannot, they count as dropped, and must not come. */
  readonly admits: (spans: number) => boolean;
  readonly counts: () => SpanCounts;
};

type Result = Parameters<Parameters<SpanExporter['export']>[1]>[0];

export type OutboxOptions = {
  readonly exporter: SpanExporter;
  readonly waitingMax: number;
  readonly batchMax: number;
  readonly delayMs: number;
  /** Hears of every batch; the error says why it was not taken. */
  readonly onExport: (error: Error | undefined) => void;
};

/** An export without an end by then has failed: a collector may send its answer a byte at a time, for ever. */
const SAFE_EXPORT_MS = 60_000;
const FAILED = 1;
const SUCCESS = 0;

/**
 * Opens an outbox over an exporter. What waits is bounded: a check whose spans find no room is dropped as a whole,
 * because a trace with holes misleads, and is counted.
 */
export function openOutbox(options: OutboxOptions): Outbox {
  const { exporter, waitingMax, batchMax, delayMs, onExport } = options;
  const counts = { exported: 0, failed: 0, dropped: 0, waiting: 0 };
  const tell = (spans: number, result: Result) => {
    counts.waiting -= spans;
    if (result.code === SUCCESS) counts.exported += spans;
    else counts.failed += spans;
    onExport(result.code === SUCCESS ? undefined : (result.error ?? new Error('not exported')));
  };
  const batches = new BatchSpanProcessor({
    exporter: countingExporter(exporter, tell),
    maxQueueSize: waitingMax,
    maxExportBatchSize: batchMax,
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: SAFE_EXPORT_MS,
  });
  return {
    processor: {
      onStart: () => {},
      onEnd: (span) => {
        counts.waiting += 1;
        batches.onEnd(span);
      },
      forceFlush: () => batches.forceFlush(),
      shutdown: () => batches.shutdown(),
    },
    admits: (spans) => {
      if (counts.waiting + spans <= waitingMax) return true;
      counts.dropped += spans;
      return false;
    },
    counts: () => ({ ...counts }),
  };
}

/** The same exporter; what became of each batch is told once, also where the exporter throws or never answers. */
function countingExporter(
  exporter: SpanExporter,
  tell: (spans: number, result: Result) => void,
): SpanExporter {
  return {
    export: (spans: ReadableSpan[], answer) => {
      let isSettled = false;
      const settle = (result: Result) => {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(late);
        tell(spans.length, result);
        answer(result);
      };
      const error = new Error('no end of an answer');
      const late = setTimeout(() => settle({ code: FAILED, error }), SAFE_EXPORT_MS).unref();
      try {
        exporter.export(spans, settle);
      } catch (cause) {
        const error = cause instanceof Error ? cause : new Error(String(cause));
        settle({ code: FAILED, error });
      }
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
