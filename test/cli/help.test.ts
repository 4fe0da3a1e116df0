import { expect, test } from 'vitest';
import { run } from './shell.ts';

/** What the overview lists, without operands. */
async function commands(): Promise<readonly string[]> {
  const { out } = await run(['help']);
  const lines = out.split('\n').filter((line) => line.startsWith('  '));
  return lines.map(
    (line) =>
      line
        .trim()
        .split(/ {2,}/, 1)[0]
        ?.replace(/( [A-Z]+…?)+$/, '') ?? '',
  );
}

test('the overview lists every command', async () => {
  const groups = ['users', 'workspaces', 'teams', 'roles'];
  const verbs = ['create', 'list', 'show', 'update', 'delete'];
  const keys = ['create', 'list', 'show', 'update', 'rotate', 'disable', 'enable', 'revoke'];
  expect(await commands()).toEqual([
    ...['init', 'serve', 'validate', 'schema'],
    ...[...keys, 'verify', 'import', 'scanner', 'new'].map((verb) => `keys ${verb}`),
    ...groups.flatMap((group) => verbs.map((verb) => `${group} ${verb}`)),
    'audit',
    'audit verify',
    'alerts',
    'store copy',
  ]);
});

test('every command has its own help, which fits a terminal', async () => {
  for (const name of await commands()) {
    const words = name.split(' ');
    const asked = await run([...words, '--help']);
    expect([name, asked.code, asked.err]).toEqual([name, 0, '']);
    expect(asked.out).toContain(`postern ${name}`);
    expect(await run(['help', ...words])).toEqual(asked);
    expect(await run([...words, '--nonsense', '-h'])).toEqual(asked);
    for (const line of asked.out.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
  }
});

test('help of a group lists its commands, and --help does the same', async () => {
  const asked = await run(['help', 'keys']);
  expect(asked).toMatchObject({ code: 0, out: expect.stringContaining('keys rotate ID') });
  expect(asked.out).not.toContain('users');
  expect(await run(['keys', '--help'])).toEqual(asked);
});

const MISSPELT: readonly (readonly [readonly string[], string])[] = [
  [[], 'postern <command>'],
  [['kesy'], 'postern: unknown command; did you mean "keys"?'],
  [['valdiate', 'x'], 'postern: unknown command; did you mean "validate"?'],
  [['quux'], 'postern: unknown command\nsee: postern help'],
  [['--version'], 'postern: unknown command\nsee: postern help'],
  [['keys'], 'postern keys: expected one of create, list,'],
  [['keys', 'revok', 'k1'], 'postern keys: unknown command; did you mean "revoke"?'],
  [['keys', '--json'], 'postern keys: expected one of create, list,'],
  [['users', 'crate'], 'postern users: unknown command; did you mean "create"?'],
  [['help', 'kesy'], 'did you mean "keys"?'],
  [['help', 'keys', 'quux'], 'postern keys: unknown command'],
  [['keys', 'create', '--nmae', 'x'], '--nmae: unknown option; did you mean --name?'],
  [['keys', 'rotate', 'k1', '--grcae=1h'], '--grcae: unknown option; did you mean --grace?'],
  [['constructor'], 'postern: unknown command'],
];

test.each(MISSPELT)('%j is a wrong command line', async (args, expected) => {
  const { code, out, err } = await run(args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(expected);
});
