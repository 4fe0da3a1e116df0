/** Ids of the trace and of the span of a check, where it is recorded. */
export type TraceIds = {
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
};

/** One observation as an example of its bucket (OpenMetrics 1.0, exemplars). */
export type Exemplar = {
  readonly traceId: string;
  readonly spanId: string;
  readonly value: number;
  /** Epoch ms. */
  readonly atMs: number;
};

/** The last example of each bucket of a histogram. */
export type Exemplars = {
  /** Keeps an observation that is recorded; any other leads nowhere. */
  readonly note: (value: number, ids: TraceIds) => void;
  /** The example of the bucket with this upper bound; `+Inf` is the last. */
  readonly find: (bound: string) => Exemplar | undefined;
};

const LAST_BOUND = '+Inf';

/** Keeps examples for the buckets with these upper bounds, in ascending order. */
export function createExemplars(bounds: readonly number[], now: () => number): Exemplars {
  const byBound = new Map<string, Exemplar>();
  return {
    note: (value, { traceId, spanId }) => {
      if (traceId === undefined || spanId === undefined) return;
      const bound = bounds.find((upper) => value <= upper);
      const key = bound === undefined ? LAST_BOUND : String(bound);
      byBound.set(key, { traceId, spanId, value, atMs: now() });
    },
    find: (bound) => byBound.get(bound),
  };
}
