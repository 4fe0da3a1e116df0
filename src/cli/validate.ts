import { parseArgs } from 'node:util';
import { readEnvironment } from '../config/environment.ts';
import { loadPolicy } from '../config/load.ts';
import { writeProblem } from '../config/problem.ts';
import { type Console, UsageError } from './usage.ts';

/** `postern validate PATH`: 0 when the policy holds, 2 when it has problems; warnings do not count. */
export async function validateCommand(args: readonly string[], console: Console): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, strict: true });
  const [path, ...rest] = positionals;
  if (path === undefined || rest.length > 0) throw new UsageError('postern validate PATH');
  const loaded = loadPolicy({ path, env: readEnvironment(), nowMs: Date.now() });
  for (const problem of loaded.problems) console.err(`error: ${writeProblem(problem)}`);
  for (const warning of loaded.warnings) console.err(`warning: ${writeProblem(warning)}`);
  const warnings = counted(loaded.warnings.length, 'warning');
  if (!loaded.config) {
    console.out(`${path}: ${counted(loaded.problems.length, 'problem')}, ${warnings}`);
    return 2;
  }
  const { routes, api_keys, issuers } = loaded.config;
  const parts = [
    counted(routes.length, 'route'),
    counted(api_keys.declared.length, 'declared key'),
    counted(issuers.length, 'issuer'),
    warnings,
  ];
  console.out(`${path}: sound (${parts.join(', ')}), policy ${loaded.hash.slice(0, 12)}`);
  return 0;
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
