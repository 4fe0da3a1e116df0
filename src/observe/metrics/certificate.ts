import { Counter, Gauge, type Registry } from 'prom-client';

/** Counts readings of the listener's certificate, and shows when the one in use ends (epoch ms). */
export function certificateMetric(
  registry: Registry,
): (isLoaded: boolean, notAfterMs: number) => void {
  const registers = [registry];
  const loads = new Counter({
    name: 'postern_certificate_loads_total',
    help: 'Certificates of listen.check that were read, at the start too.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const notAfter = new Gauge({
    name: 'postern_certificate_not_after_timestamp_seconds',
    help: 'When the certificate of listen.check ends; absent without TLS.',
    // A label, though it has one value: a gauge without any shows 0 before it is set.
    labelNames: ['listener'] as const,
    registers,
  });
  return (isLoaded, notAfterMs) => {
    loads.inc({ outcome: isLoaded ? 'ok' : 'failed' });
    notAfter.set({ listener: 'check' }, notAfterMs / 1000);
  };
}
