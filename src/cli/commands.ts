import { keysCommand } from './keys.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import { type Console, UsageError } from './usage.ts';
import { validateCommand } from './validate.ts';

type Command = (args: readonly string[], console: Console) => Promise<number>;

const COMMANDS: { readonly [name: string]: Command } = {
  serve: serveCommand,
  validate: validateCommand,
  schema: schemaCommand,
  keys: keysCommand,
};

const USAGE = `postern <command>

  serve --config PATH    answer Envoy by this policy (a file or a directory)
  validate PATH          check a policy; exit code 2 when it has problems
  schema                 print the JSON Schema of the policy file
  keys new --prefix P    make an API key and the entry that declares it
`;

/** Runs a command; the answer is the exit code: 0 done, 1 failed, 2 wrong command line or policy. */
export async function runCommand(args: readonly string[], console: Console): Promise<number> {
  const [name, ...rest] = args;
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    const isHelp = name === 'help' || name === '--help' || name === '-h';
    (isHelp ? console.out : console.err)(USAGE);
    return isHelp ? 0 : 2;
  }
  try {
    return await command(rest, console);
  } catch (cause) {
    if (!isUsage(cause)) throw cause;
    console.err(cause.message);
    return 2;
  }
}

/** Also what `parseArgs` throws for options that do not exist. */
function isUsage(cause: unknown): cause is Error {
  if (cause instanceof UsageError) return true;
  return (
    cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_PARSE_ARGS')
  );
}
