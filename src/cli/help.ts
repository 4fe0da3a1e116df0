import { suggest } from '../config/nearest.ts';
import type { Options } from './arguments.ts';
import type { Command } from './command.ts';
import { UsageError } from './usage.ts';

const COLUMN_MAX = 34;

/** The command that the first words name, and the words after them. */
export function findCommand(
  commands: readonly Command[],
  args: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ');
    const command = commands.find((one) => one.name === name);
    if (command && args.length >= words) return { command, rest: args.slice(words) };
  }
  return undefined;
}

/** Says what is wrong where no command was found, with the nearest one. */
export function unknownCommand(commands: readonly Command[], args: readonly string[]): UsageError {
  const [group = '', action] = args;
  const actions = commands.flatMap(({ name }) => {
    const [first, second] = name.split(' ');
    return first === group && second !== undefined ? [second] : [];
  });
  if (actions.length > 0) {
    const problem =
      action === undefined || action.startsWith('-')
        ? `expected one of ${actions.join(', ')}`
        : `unknown command${suggest(action, actions)}`;
    return new UsageError(`postern ${group}: ${problem}\nsee: postern ${group} --help`);
  }
  const known = new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''));
  const hint = group.startsWith('-') ? '' : suggest(group, known);
  return new UsageError(`postern: unknown command${hint}\nsee: postern help`);
}

/** The overview: every command in a line, or those of one group. */
export function writeOverview(commands: readonly Command[], group?: string): string {
  const shown = commands.filter(
    ({ name }) => group === undefined || name === group || name.startsWith(`${group} `),
  );
  const entries = shown.map((one): readonly [string, string] => [usageOf(one), one.summary]);
  const about = group === undefined ? '<command>' : `${group} <command>`;
  return [
    `postern ${about}`,
    '',
    ...twoColumns(entries),
    '',
    `postern help ${group ?? ''}${group === undefined ? '' : ' '}<command> tells more of one.`,
    ...(group === undefined ? EXIT_CODES : []),
  ].join('\n');
}

const EXIT_CODES = ['Exit codes: 0 done, 1 failed or refused, 2 wrong command line or policy.'];

/** The help of one command. */
export function writeHelp(command: Command): string {
  const entries = Object.entries(command.options).map(([name, { value, help }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  ]) as readonly (readonly [string, string])[];
  return [
    `postern ${usageOf(command)}${hasOptions(command.options) ? ' [options]' : ''}`,
    '',
    `  ${command.summary}`,
    ...(entries.length > 0 ? ['', ...twoColumns(entries)] : []),
    ...(command.notes ? ['', ...command.notes] : []),
  ].join('\n');
}

function usageOf({ name, operands }: Command): string {
  return [name, ...(operands ?? [])].join(' ');
}

function hasOptions(options: Options): boolean {
  return Object.keys(options).length > 0;
}

function twoColumns(entries: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.min(COLUMN_MAX, Math.max(...entries.map(([left]) => left.length)));
  return entries.flatMap(([left, right]) =>
    left.length > width
      ? [`  ${left}`, `  ${' '.repeat(width)}  ${right}`]
      : [`  ${left.padEnd(width)}  ${right}`],
  );
}
