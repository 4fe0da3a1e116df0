import { writeJsonSchema } from '../config/json-schema.ts';
import { type Console, UsageError } from './usage.ts';

/** `postern schema`: prints the JSON Schema of the policy file. */
export async function schemaCommand(args: readonly string[], console: Console): Promise<number> {
  if (args.length > 0) throw new UsageError('postern schema takes no arguments');
  console.out(JSON.stringify(writeJsonSchema(), undefined, 2));
  return 0;
}
