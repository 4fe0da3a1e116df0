import type { Config } from './schema.ts';
import { type AuditConfig, auditOf } from './schema-audit.ts';

/** How an event is written: as the lines of standard output, or as OCSF in a CloudEvents envelope. */
export type AuditFormat = 'postern' | 'ocsf';

/** Where audit events go; paths are relative to the policy. */
export type AuditSinkPlace =
  | { readonly kind: 'stdout'; readonly format: AuditFormat }
  | {
      readonly kind: 'file';
      readonly format: AuditFormat;
      readonly path: string;
      readonly maxBytes: number;
      readonly keepFiles: number;
    }
  | {
      readonly kind: 'redis';
      readonly format: AuditFormat;
      /** Undefined: the store's own. */
      readonly url?: string | undefined;
      readonly stream: string;
      readonly maxLength: number;
    }
  | {
      readonly kind: 'webhook';
      readonly format: AuditFormat;
      readonly url: string;
      readonly secret: string;
    };

/** How audit events are recorded. */
export type AuditSettings = {
  readonly mode: 'buffered' | 'blocking';
  readonly sinks: readonly AuditSinkPlace[];
  readonly spool?: string | undefined;
  readonly spoolMaxBytes: number;
  /** `true`: a plain hash; with a key an HMAC. */
  readonly chain: boolean | { readonly key: string };
};

/** Reads the audit settings of a checked policy. */
export function readAuditSettings(config: Pick<Config, 'audit'>): AuditSettings {
  const { mode, sinks, spool, spool_max_bytes, chain } = auditOf(config);
  return { mode, sinks: sinks.map(readSink), spool, spoolMaxBytes: spool_max_bytes, chain };
}

function readSink(written: AuditConfig['sinks'][number]): AuditSinkPlace {
  if (written === 'stdout') return { kind: 'stdout', format: 'postern' };
  if ('stdout' in written) return { kind: 'stdout', ...written.stdout };
  if ('file' in written) {
    const { path, format, max_bytes, keep_files } = written.file;
    return { kind: 'file', format, path, maxBytes: max_bytes, keepFiles: keep_files };
  }
  if ('redis' in written) {
    const { url, stream, max_length, format } = written.redis;
    return { kind: 'redis', format, url, stream, maxLength: max_length };
  }
  return { kind: 'webhook', ...written.webhook };
}
