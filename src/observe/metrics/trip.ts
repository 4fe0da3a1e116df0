import { BUCKETS_SECONDS, type Makers } from './makers.ts';
import { Histogram, type Registry } from './prom-client.ts';

/** A trip to a server of the store; there are a few operations, named in the source. */
export type TripReading = {
  readonly operation: string;
  readonly outcome: 'ok' | 'late' | 'down' | 'failed';
  readonly tookMs: number;
};

const FAILED = ['late', 'down', 'failed'] as const;

/** Times trips to the store, by labels that are bound at the first trip of a kind. */
export function tripMetric(registry: Registry, make: Makers): (trip: TripReading) => void {
  const duration = new Histogram({
    name: 'postern_store_trip_duration_seconds',
    help: 'Time of trips to the store, by operation and outcome.',
    labelNames: ['operation', 'outcome'] as const,
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  const failures = make.counter('store_failures_total', 'Trips to the store that failed.', [
    'operation',
    'outcome',
  ]);
  const bound = new Map<string, ReturnType<typeof duration.labels>>();
  const known = new Set<string>();
  // From 0 on: the first step of a series that is born with it is no increase to Prometheus.
  const know = (operation: string) => {
    known.add(operation);
    for (const outcome of FAILED) failures.inc({ operation, outcome }, 0);
  };
  return ({ operation, outcome, tookMs }) => {
    const id = `${operation}\n${outcome}`;
    const timed = bound.get(id) ?? duration.labels({ operation, outcome });
    bound.set(id, timed);
    timed.observe(tookMs / 1000);
    if (!known.has(operation)) know(operation);
    if (outcome !== 'ok') failures.inc({ operation, outcome });
  };
}
