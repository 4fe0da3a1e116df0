import { alertsCommand } from './alerts.ts';
import { readArguments } from './arguments.ts';
import { auditCommand } from './audit.ts';
import { auditVerifyCommand } from './audit-verify.ts';
import type { Command } from './command.ts';
import { findCommand, unknownCommand, writeHelp, writeOverview } from './help.ts';
import { initCommand } from './init.ts';
import { keysCreateCommand, keysRotateCommand, keysSwitchCommand } from './key-commands.ts';
import { keysImportCommand } from './key-import.ts';
import { keysNewCommand } from './key-new.ts';
import { KEYS } from './key-resource.ts';
import { keysScannerCommand } from './key-scanner.ts';
import { keysVerifyCommand } from './key-verify.ts';
import { PEOPLE } from './people-resources.ts';
import type { Resource } from './resource.ts';
import {
  createCommand,
  deleteCommand,
  listCommand,
  showCommand,
  updateCommand,
} from './resource-commands.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import { openSession, type Session } from './session.ts';
import { storeCopyCommand } from './store-copy.ts';
import { type Console, UsageError } from './usage.ts';
import { validateCommand } from './validate.ts';

const COMMANDS: readonly Command[] = [
  initCommand(),
  serveCommand(),
  validateCommand(),
  schemaCommand(),
  keysCreateCommand(),
  listCommand(KEYS),
  showCommand(KEYS),
  updateCommand(KEYS),
  keysRotateCommand(),
  keysSwitchCommand('disable'),
  keysSwitchCommand('enable'),
  deleteCommand(KEYS, 'revoke'),
  keysVerifyCommand(),
  keysImportCommand(),
  keysScannerCommand(),
  keysNewCommand(),
  ...PEOPLE.flatMap(allFive),
  auditCommand(),
  auditVerifyCommand(),
  alertsCommand(),
  storeCopyCommand(),
];

function allFive(resource: Resource): readonly Command[] {
  return [
    createCommand(resource),
    listCommand(resource),
    showCommand(resource),
    updateCommand(resource),
    deleteCommand(resource, 'delete'),
  ];
}

/** Runs a command; the answer is the exit code: 0 done, 1 failed or refused, 2 wrong command line or policy. */
export async function runCommand(
  args: readonly string[],
  console: Console,
  session: Session = openSession(console),
): Promise<number> {
  try {
    return await dispatch(args, session);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    session.err(cause.message);
    return 2;
  }
}

async function dispatch(args: readonly string[], session: Session): Promise<number> {
  const [first, ...others] = args;
  if (first === undefined) {
    session.err(writeOverview(COMMANDS));
    return 2;
  }
  if (first === 'help') return tellHelp(others, session);
  const end = args.indexOf('--');
  const isAsking = args.slice(0, end === -1 ? undefined : end).some(isHelp);
  if (isAsking) return tellHelp(wordsOf(args), session);
  const found = findCommand(COMMANDS, args);
  if (!found) throw unknownCommand(COMMANDS, args);
  return await found.command.run(readArguments(found.command, found.rest), session);
}

function isHelp(arg: string): boolean {
  return arg === '--help' || arg === '-h';
}

/** The words before the first option. */
function wordsOf(args: readonly string[]): readonly string[] {
  const end = args.findIndex((arg) => arg.startsWith('-'));
  return end === -1 ? args : args.slice(0, end);
}

function tellHelp(words: readonly string[], session: Session): number {
  const [group] = words;
  const found = findCommand(COMMANDS, words);
  const isGroup = COMMANDS.some(({ name }) => name.startsWith(`${group} `));
  if (found) session.out(writeHelp(found.command));
  else if (group === undefined) session.out(writeOverview(COMMANDS));
  else if (words.length === 1 && isGroup) session.out(writeOverview(COMMANDS, group));
  else throw unknownCommand(COMMANDS, words);
  return 0;
}
