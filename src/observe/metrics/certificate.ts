import { Counter, Gauge, type Registry } from './prom-client.ts';

/** When a certificate begins and ends, epoch ms. */
export type Validity = { readonly notBeforeMs: number; readonly notAfterMs: number };

/** The certificate in use; `isLoaded` is false while the one that its files hold cannot be used. */
export type CertificateReading = Validity & { readonly isLoaded: boolean };

export type CertificateMetric = {
  readonly note: (isLoaded: boolean, held: Validity) => void;
  /** Undefined without TLS. */
  readonly read: () => CertificateReading | undefined;
};

/** Counts readings of the listener's certificate, and shows when the one in use ends. */
export function certificateMetric(registry: Registry): CertificateMetric {
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
  let reading: CertificateReading | undefined;
  const note = (isLoaded: boolean, held: Validity) => {
    loads.inc({ outcome: isLoaded ? 'ok' : 'failed' });
    notAfter.set({ listener: 'check' }, held.notAfterMs / 1000);
    reading = { ...held, isLoaded };
  };
  return { note, read: () => reading };
}
