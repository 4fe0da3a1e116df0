import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the tests say where they find no Redis. */
export const REDIS_REMEDY =
  'install one (Debian: apt-get install redis-server; macOS: brew install redis), or set REDIS_SERVER_BIN';

/** Valkey serves as well: it speaks the same protocol, with the same options. */
const NAMES = ['redis-server', 'valkey-server'];

/** Finds Redis: `REDIS_SERVER_BIN`, else one in PATH. Throws when `REDIS_SERVER_BIN` names no file. */
export function findRedis(): string | undefined {
  const named = process.env['REDIS_SERVER_BIN'];
  if (named) {
    if (!existsSync(named)) {
      throw new Error(`REDIS_SERVER_BIN is ${named}, and there is no such file`);
    }
    return named;
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
