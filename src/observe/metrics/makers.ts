import { Counter, Gauge, type Registry } from './prom-client.ts';

/** Buckets of durations, seconds; none below a tenth of a millisecond can be told apart. */
export const BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25,
];

/** Makers of metrics whose names begin with `postern_`. */
export type Makers = ReturnType<typeof makers>;

/** Makes the makers of a registry. */
export function makers(registry: Registry) {
  const registers = [registry];
  return {
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Counter<L>({ name: `postern_${name}`, help, labelNames, registers }),
    gauge: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Gauge<L>({ name: `postern_${name}`, help, labelNames, registers }),
  };
}
