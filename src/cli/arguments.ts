import { parseArgs } from 'node:util';
import { suggest } from '../config/nearest.ts';
import { printable } from './printable.ts';
import { UsageError } from './usage.ts';

/** An option: with `value`, the placeholder of its text, or a flag. `isList` may be given several times. */
export type Option = {
  readonly value?: string | undefined;
  readonly help: string;
  readonly isList?: boolean | undefined;
};
export type Options = { readonly [name: string]: Option };

/** What the command line of a command may hold. Every operand must be there; one that ends in `…` may be repeated. */
export type CommandLine = {
  /** As it is typed: `keys create`. */
  readonly name: string;
  readonly operands?: readonly string[] | undefined;
  readonly options: Options;
};

/** A command line that was read: operands in order, texts of options and flags by name. */
export type Given = {
  readonly operands: readonly string[];
  readonly text: { readonly [name: string]: string | undefined };
  readonly flags: ReadonlySet<string>;
};

/** What people try to hand over a secret with. */
const SECRETS = new Set(['token', 'key', 'secret', 'password', 'api-key']);

/** Reads a command line. Throws a `UsageError` that never repeats a value: it may be a secret. */
export function readArguments(line: CommandLine, args: readonly string[]): Given {
  const operands: string[] = [];
  const text: { [name: string]: string } = {};
  const flags = new Set<string>();
  for (const token of tokensOf(line, args)) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = findOption(line, token.name, token.rawName);
    if (isFlag(line, option, token)) flags.add(token.name);
    else text[token.name] = readText(line, option, token, text[token.name]);
  }
  checkOperands(line, operands.length);
  return { operands, text, flags };
}

type OptionToken = {
  readonly name: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
};

function tokensOf(line: CommandLine, args: readonly string[]) {
  const options = Object.entries(line.options).map(([name, { value }]) => [
    name,
    { type: value === undefined ? 'boolean' : 'string' } as const,
  ]);
  return parseArgs({
    args: [...args],
    options: Object.fromEntries(options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

function isFlag(line: CommandLine, option: Option, { name, value }: OptionToken): boolean {
  if (option.value !== undefined) return false;
  if (value !== undefined) throw wrong(line, `--${name} takes no value`);
  return true;
}

function readText(
  line: CommandLine,
  option: Option,
  { name, value, inlineValue }: OptionToken,
  before: string | undefined,
): string {
  if (value === undefined || (inlineValue !== true && /^-./.test(value))) {
    throw wrong(line, `--${name} needs a value: --${name}=${option.value}`);
  }
  if (before === undefined) return value;
  if (option.isList !== true) throw wrong(line, `--${name} is given twice`);
  return `${before},${value}`;
}

function findOption(line: CommandLine, name: string, rawName: string): Option {
  const option = Object.hasOwn(line.options, name) ? line.options[name] : undefined;
  if (option) return option;
  if (SECRETS.has(name)) throw wrong(line, `--${name}: ${NO_SECRETS}`);
  const hint = suggest(name, Object.keys(line.options)).replace(/"(.+)"/, '--$1');
  throw wrong(line, `${printable(rawName)}: unknown option${hint}`);
}

const NO_SECRETS =
  'a secret is no argument, because arguments show in the list of processes; ' +
  'use POSTERN_TOKEN, --token-file or standard input';

function checkOperands(line: CommandLine, number: number): void {
  const wanted = line.operands ?? [];
  if (number < wanted.length) throw wrong(line, `${wanted[number]} is missing`);
  const isOpen = wanted.at(-1)?.endsWith('…') === true;
  if (number > wanted.length && !isOpen) {
    const found = wanted.length === 0 ? 'no arguments' : `only ${wanted.join(' ')}`;
    throw wrong(line, `takes ${found} beside its options`);
  }
}

function wrong({ name }: CommandLine, problem: string): UsageError {
  return new UsageError(`postern ${name}: ${problem}\nsee: postern ${name} --help`);
}
