import type { Command } from './command.ts';

/**
 * `validate PATH [--envoy FILE]`: 0 when the policy holds, 2 when it or a file has problems; warnings count with
 * `--strict` only, as 1.
 */
export function validateCommand(): Command {
  return {
    name: 'validate',
    summary: 'check a policy, and how Envoy is wired to it; exit code 2 when it has problems',
    operands: ['PATH'],
    options: {
      envoy: {
        value: 'FILE',
        isList: true,
        help: 'also judge how Envoy is wired: a file or directory; may be repeated',
      },
      ignore: { value: 'NAME', isList: true, help: 'leave out a warning about wiring' },
      strict: { help: 'exit code 1 when there are warnings' },
      json: { help: 'print problems and warnings as JSON' },
    },
    notes: [
      'FILE holds YAML or JSON: a bootstrap, listener or configuration dump of Envoy, or Kubernetes objects',
      'for Istio, Envoy Gateway or the Gateway API. Give files that patch each other together.',
      'Each warning about wiring is explained in docs/wiring.md.',
    ],
    run: async (given, session) => {
      const { validate } = await import('./validation.ts');
      return await validate(given, session);
    },
  };
}
