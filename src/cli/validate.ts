import type { Command } from './command.ts';

/** `validate PATH`: 0 when the policy holds, 2 when it has problems; warnings do not count. */
export function validateCommand(): Command {
  return {
    name: 'validate',
    summary: 'check a policy; exit code 2 when it has problems',
    operands: ['PATH'],
    options: {},
    run: async ({ operands }, session) => {
      const { loadPolicy } = await import('../config/load.ts');
      const { writeProblem } = await import('../config/problem.ts');
      const [path = ''] = operands;
      const loaded = loadPolicy({ path, env: session.env, nowMs: session.now() });
      for (const problem of loaded.problems) session.err(`error: ${writeProblem(problem)}`);
      for (const warning of loaded.warnings) session.err(`warning: ${writeProblem(warning)}`);
      const warnings = counted(loaded.warnings.length, 'warning');
      if (!loaded.config) {
        session.out(`${path}: ${counted(loaded.problems.length, 'problem')}, ${warnings}`);
        return 2;
      }
      const { routes, api_keys, issuers } = loaded.config;
      const parts = [
        counted(routes.length, 'route'),
        counted(api_keys.declared.length, 'declared key'),
        counted(issuers.length, 'issuer'),
        warnings,
      ];
      session.out(`${path}: sound (${parts.join(', ')}), policy ${loaded.hash.slice(0, 12)}`);
      return 0;
    },
  };
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
