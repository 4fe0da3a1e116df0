import { expect, test } from 'vitest';
import { type CommandLine, readArguments } from '../../src/cli/arguments.ts';
import { UsageError } from '../../src/cli/usage.ts';

const LINE: CommandLine = {
  name: 'keys update',
  operands: ['ID'],
  options: {
    name: { value: 'TEXT', help: '' },
    scopes: { value: 'A,B', help: '', isList: true },
    'allowed-ips': { value: 'A,B', help: '', isList: true },
    json: { help: '' },
  },
};

const GOOD: readonly (readonly [string, readonly string[], object])[] = [
  ['an operand', ['k1'], { operands: ['k1'], text: {}, flags: [] }],
  [
    'options on either side',
    ['--json', 'k1', '--name', 'a'],
    { operands: ['k1'], text: { name: 'a' }, flags: ['json'] },
  ],
  [
    'a value behind =',
    ['k1', '--name=a=b'],
    { operands: ['k1'], text: { name: 'a=b' }, flags: [] },
  ],
  ['an empty value', ['k1', '--name='], { operands: ['k1'], text: { name: '' }, flags: [] }],
  [
    'a value with a dash behind =',
    ['k1', '--name=-a'],
    { operands: ['k1'], text: { name: '-a' }, flags: [] },
  ],
  [
    'a lone dash as value',
    ['k1', '--name', '-'],
    { operands: ['k1'], text: { name: '-' }, flags: [] },
  ],
  [
    'a list given twice',
    ['k1', '--scopes', 'a,b', '--scopes=c'],
    { operands: ['k1'], text: { scopes: 'a,b,c' }, flags: [] },
  ],
  [
    'what looks like an option behind --',
    ['--', '--json'],
    { operands: ['--json'], text: {}, flags: [] },
  ],
];

test.each(GOOD)('reads %s', (_name, args, expected) => {
  const { operands, text, flags } = readArguments(LINE, args);
  expect({ operands, text, flags: [...flags] }).toEqual(expected);
});

const BAD: readonly (readonly [string, readonly string[], string])[] = [
  ['a missing operand', [], 'ID is missing'],
  ['an operand too many', ['k1', 'hunter2'], 'takes only ID beside its options'],
  [
    'a misspelt option',
    ['k1', '--nmae', 'hunter2'],
    '--nmae: unknown option; did you mean --name?',
  ],
  ['an unknown option', ['k1', '--quux=hunter2'], '--quux: unknown option'],
  ['a prototype as option', ['k1', '--__proto__=hunter2'], '--__proto__: unknown option'],
  ['a constructor as option', ['k1', '--constructor'], '--constructor: unknown option'],
  ['a short option', ['k1', '-n'], '-n: unknown option'],
  ['an option without its value', ['k1', '--name'], '--name needs a value: --name=TEXT'],
  ['an option for a value', ['k1', '--name', '--json'], '--name needs a value: --name=TEXT'],
  ['a value for a flag', ['k1', '--json=hunter2'], '--json takes no value'],
  ['a text given twice', ['k1', '--name=a', '--name=hunter2'], '--name is given twice'],
  ['a token as argument', ['k1', '--token', 'hunter2'], '--token: a secret is no argument'],
  ['a key as argument', ['k1', '--key=hunter2'], '--key: a secret is no argument'],
  ['a control character', ['k1', '--\u001b[31m'], '--\\u001b[31m: unknown option'],
];

test.each(BAD)('refuses %s, and repeats no value', (_name, args, expected) => {
  const read = () => readArguments(LINE, args);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(`postern keys update: ${expected}`);
  expect(read).not.toThrow('hunter2');
  expect(read).toThrow('see: postern keys update --help');
});
