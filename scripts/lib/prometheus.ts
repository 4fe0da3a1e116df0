import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the tests say where they find no Prometheus. */
export const PROMETHEUS_REMEDY =
  'install it (Debian: apt-get install prometheus), or set PROMETHEUS_BIN and PROMTOOL_BIN';

const VARIABLES = { prometheus: 'PROMETHEUS_BIN', promtool: 'PROMTOOL_BIN' } as const;

/** Finds a program of Prometheus: the one that its variable names, else one in PATH. Throws when the variable names no file. */
export function findPrometheus(program: keyof typeof VARIABLES): string | undefined {
  const named = process.env[VARIABLES[program]];
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`${VARIABLES[program]} is ${named}, and there is no such file`);
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, program)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
