import { findProgram } from './find-program.ts';

/** What the tests say where they find no Prometheus. */
export const PROMETHEUS_REMEDY =
  'install it (Debian: apt-get install prometheus), or set PROMETHEUS_BIN and PROMTOOL_BIN';

const VARIABLES = { prometheus: 'PROMETHEUS_BIN', promtool: 'PROMTOOL_BIN' } as const;

/** Finds a program of Prometheus: the one that its variable names, else one in PATH. */
export function findPrometheus(program: keyof typeof VARIABLES): string | undefined {
  return findProgram(VARIABLES[program], [program]);
}
