import { Counter, Gauge, type Registry } from './prom-client.ts';

/** A sink of the audit as metrics show it; it is named by its kind. */
export type SinkReading = {
  readonly sink: string;
  readonly written: number;
  /** Not taken, because too much waited. */
  readonly dropped: number;
  /** Taken, and lost. */
  readonly failed: number;
  readonly waitingEvents: number;
  readonly waitingBytes: number;
};

const OUTCOMES = ['written', 'dropped', 'failed'] as const;

/** Shows what each sink of the audit took, lost and still holds, and the sums; read when somebody scrapes. */
export function addAudit(registry: Registry, read: () => readonly SinkReading[]): void {
  const registers = [registry];
  new Counter({
    name: 'postern_audit_events_total',
    help: 'Audit events by sink: written where they go, dropped because too much waited, failed after they were taken.',
    labelNames: ['sink', 'outcome'] as const,
    registers,
    collect() {
      this.reset();
      for (const reading of read()) {
        const { sink } = reading;
        for (const outcome of OUTCOMES) this.inc({ sink, outcome }, reading[outcome]);
      }
    },
  });
  new Gauge({
    name: 'postern_audit_waiting_events',
    help: 'Audit events that wait for a sink, those in its spool included.',
    labelNames: ['sink'] as const,
    registers,
    collect() {
      this.reset();
      for (const { sink, waitingEvents } of read()) this.set({ sink }, waitingEvents);
    },
  });
  addSums(registry, read);
}

function addSums(registry: Registry, read: () => readonly SinkReading[]): void {
  const sum = (name: string, help: string, of: (reading: SinkReading) => number) =>
    new Gauge({
      name: `postern_audit_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read().reduce((total, reading) => total + of(reading), 0));
      },
    });
  sum('dropped', 'Audit events lost, by all sinks.', ({ dropped, failed }) => dropped + failed);
  sum('waiting_bytes', 'Audit bytes that wait for their sinks.', (one) => one.waitingBytes);
}
