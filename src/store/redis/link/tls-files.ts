import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisSettings } from '../options.ts';

const FILES = ['ca', 'cert', 'key'] as const;

/**
 * TLS options whose files are read whenever a connection is made, so that a rotated certificate is taken up. A file
 * that cannot be read any more keeps its last content; one that cannot be read at first is thrown.
 */
export function tlsOptions(tls: RedisSettings['tls']): ConnectionOptions {
  const options: ConnectionOptions = { minVersion: 'TLSv1.2' };
  if (tls?.serverName) options.servername = tls.serverName;
  for (const name of FILES) {
    const path = tls?.[name];
    if (path) Object.defineProperty(options, name, { enumerable: true, get: lastContent(path) });
  }
  return options;
}

function lastContent(path: string): () => Buffer {
  let content = readFileSync(path);
  return () => {
    try {
      content = readFileSync(path);
    } catch (cause) {
      if (!isFileError(cause)) throw cause;
    }
    return content;
  };
}

function isFileError(cause: unknown): boolean {
  return cause instanceof Error && 'syscall' in cause;
}
