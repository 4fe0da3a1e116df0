import { Counter, Gauge, type Registry } from './prom-client.ts';

/** What became of spans since the start, and how many wait or are under way. */
export type SpansReading = {
  readonly exported: number;
  readonly failed: number;
  readonly dropped: number;
  readonly waiting: number;
};

const OUTCOMES = ['exported', 'failed', 'dropped'] as const;

/** Shows what becomes of spans; registered only where there are any. */
export function addSpans(registry: Registry, read: () => SpansReading): void {
  const registers = [registry];
  new Counter({
    name: 'postern_trace_spans_total',
    help: 'Spans of traces that were exported, that the collector did not take, and that found no room to wait.',
    labelNames: ['outcome'] as const,
    registers,
    collect() {
      this.reset();
      const reading = read();
      for (const outcome of OUTCOMES) this.inc({ outcome }, reading[outcome]);
    },
  });
  new Gauge({
    name: 'postern_trace_waiting_spans',
    help: 'Spans of traces that wait or are under way.',
    registers,
    collect() {
      this.set(read().waiting);
    },
  });
}
