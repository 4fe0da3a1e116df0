import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stampOf } from '../config/file-set.ts';
import type { TlsFiles } from '../config/settings.ts';
import { openWatch } from '../config/watch.ts';
import type { CheckServer } from '../envoy/server.ts';
import type { ServerTls } from '../envoy/tls.ts';
import type { Logger } from '../observe/log.ts';
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
  const take = () => {
    watch.follow(stampsOf(files));
    try {
      const next = readTls(files);
      if (isSame(held, next)) return;
      kept.server.renew(next);
      held = next;
      const notAfterMs = notAfterMsOf(next);
      metrics.certificate(true, notAfterMs);
      log.info({ until: new Date(notAfterMs).toISOString() }, 'the certificate is renewed');
    } catch (cause) {
      metrics.certificate(false, notAfterMsOf(held));
      log.error({ err: cause }, 'the certificate cannot be renewed: the one before stays');
    }
  };
  const watch = openWatch(take, kept.pollMs ?? POLL_MS);
  metrics.certificate(true, notAfterMsOf(held));
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

/** When the first certificate of a chain, which is the listener's own, ends. */
function notAfterMsOf({ cert }: ServerTls): number {
  return new X509Certificate(cert).validToDate.getTime();
}
