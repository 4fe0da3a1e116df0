import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stampOf } from '../config/file-set.ts';
import type { TlsFiles } from '../config/settings.ts';
import { openWatch } from '../config/watch.ts';
import type { CheckServer } from '../envoy/server.ts';
import type { ServerTls } from '../envoy/tls.ts';
import type { Logger } from '../observe/log.ts';
import type { Validity } from '../observe/metrics/certificate.ts';
import type { Metrics } from '../observe/metrics/metrics.ts';

const POLL_MS = 2000;

/** What a certificate that is kept fresh needs. */
export type Kept = {
  readonly files: TlsFiles;
  /** As it was read for the listener. */
  readonly first: ServerTls;
  readonly server: Pick<CheckServer, 'renew'>;
  readonly metrics: Pick<Metrics, 'certificate'>;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** How often the files are looked at where no event tells, ms. */
  readonly pollMs?: number | undefined;
};

/** Reads the files of a TLS listener. Throws with the name of one that cannot be read. */
export function readTls({ cert, key, clientCa, clientNames }: TlsFiles): ServerTls {
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    clientCa: clientCa === undefined ? undefined : readFileSync(clientCa),
    clientNames,
  };
}

/**
 * Gives a listener the certificates that its files hold, whenever they change: new connections get them, those that
 * stand go on. Files that cannot be used, as while only one of two is written, change nothing but a metric and are
 * read again when they change again. The answer ends it.
 */
export function keepCertificateFresh(kept: Kept): () => void {
  const { files, metrics, log } = kept;
  let held = kept.first;
  let hasFailed = false;
  const take = () => {
    watch.follow(stampsOf(files));
    try {
      const next = readTls(files);
      if (isSame(held, next)) {
        if (hasFailed) metrics.certificate(true, validityOf(held));
        hasFailed = false;
        return;
      }
      kept.server.renew(next);
      held = next;
      hasFailed = false;
      const validity = validityOf(next);
      metrics.certificate(true, validity);
      const until = new Date(validity.notAfterMs).toISOString();
      log.info({ until }, 'the certificate is renewed');
    } catch (cause) {
      hasFailed = true;
      metrics.certificate(false, validityOf(held));
      log.error({ err: cause }, 'the certificate cannot be renewed: the one before stays');
    }
  };
  const watch = openWatch(take, kept.pollMs ?? POLL_MS);
  metrics.certificate(true, validityOf(held));
  // What changed between the first reading and now is found here.
  take();
  return watch.close;
}

function stampsOf({ cert, key, clientCa }: TlsFiles) {
  const paths = [cert, key, ...(clientCa === undefined ? [] : [clientCa])];
  return paths.map((path) => ({ path, stamp: stampOf(path) }));
}

function isSame(one: ServerTls, other: ServerTls): boolean {
  const authorities = (tls: ServerTls) => tls.clientCa ?? Buffer.alloc(0);
  return (
    one.cert.equals(other.cert) &&
    one.key.equals(other.key) &&
    authorities(one).equals(authorities(other))
  );
}

/** When the first certificate of a chain, which is the listener's own, begins and ends. */
function validityOf({ cert }: ServerTls): Validity {
  const { validFromDate, validToDate } = new X509Certificate(cert);
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() };
}
