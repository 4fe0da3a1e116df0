import type { Command } from './command.ts';

/** `schema`: prints the JSON Schema of the policy file. */
export function schemaCommand(): Command {
  return {
    name: 'schema',
    summary: 'print the JSON Schema of the policy file',
    options: {},
    run: async (_given, session) => {
      const { writeJsonSchema } = await import('../config/json-schema.ts');
      session.out(JSON.stringify(writeJsonSchema(), undefined, 2));
      return 0;
    },
  };
}
