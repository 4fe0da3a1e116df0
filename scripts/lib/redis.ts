import { findProgram } from './find-program.ts';

/** What the tests say where they find no Redis. */
export const REDIS_REMEDY =
  'install one (Debian: apt-get install redis-server; macOS: brew install redis), or set REDIS_SERVER_BIN';

/** Finds Redis: `REDIS_SERVER_BIN`, else one in PATH; Valkey serves as well, with the same protocol and options. */
export function findRedis(): string | undefined {
  return findProgram('REDIS_SERVER_BIN', ['redis-server', 'valkey-server']);
}
