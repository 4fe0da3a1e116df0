import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { blocksOf, readPage } from './pages.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { formOf, variablesOf, withActual } from './variable.ts';

const PAGE = readPage('docs/keys.md');

const KEY = /^pst_\w{38}$/;

type Step = { readonly command: string; readonly printed: readonly string[] };

const STEPS: readonly Step[] = blocksOf(PAGE)
  .filter(({ language }) => language === 'console')
  .map(({ lines: [command = '', ...printed] }) => ({
    command: command.replace(/^\$ /, ''),
    printed,
  }));

test('the page has five commands', () => {
  expect(STEPS.map(({ command }) => /postern (\w+(?: \w+)?)/.exec(command)?.[1])).toEqual([
    'init',
    'serve',
    'keys create',
    'keys verify',
    'keys rotate',
  ]);
});

describe('the five commands, as they stand, in an empty folder', () => {
  const seen: (readonly string[])[] = [];
  /** What this run printed in place of what the page shows. */
  const actual = new Map<string, string>();
  let terminal: Terminal;

  beforeAll(async () => {
    terminal = openTerminal();
    for (const step of STEPS) {
      const lines = await take(terminal, step, withActual(step.command, actual));
      seen.push(lines);
      const parts = variablesOf(lines.join('\n'));
      for (const [at, part] of variablesOf(step.printed.join('\n')).entries()) {
        actual.set(part, parts[at] ?? part);
      }
    }
  }, 60_000);
  afterAll(() => terminal[Symbol.asyncDispose]());

  test.each(STEPS.map(({ command, printed }, at) => ({ command, printed, at })))(
    '$command prints what the page says',
    ({ printed, at }) => {
      expect(seen[at]?.map(formOf)).toEqual(printed.map(formOf));
    },
  );

  test('the page shows one key by its id, and two secrets of it; so did this run', () => {
    const shown = STEPS.flatMap(({ command, printed }) => [command, ...printed]).join('\n');
    for (const text of [shown, seen.flat().join('\n')]) {
      const parts = [...new Set(variablesOf(text))];
      expect(parts.filter((part) => KEY.test(part))).toHaveLength(2);
      expect(parts.filter((part) => /^\w{27}$/.test(part))).toHaveLength(1);
    }
  });

  test('at the end the new secret and, for its grace, the old one are valid', async () => {
    const keys = [...actual.values()].filter((part) => KEY.test(part));
    const api = actual.get('127.0.0.1:9192');
    for (const key of keys) {
      const headers = { authorization: `Bearer ${key}` };
      const answer = await fetch(`http://${api}/v1/auth/verify`, { headers });
      expect(await answer.json()).toMatchObject({ valid: true, api_key: { name: 'ci' } });
    }
    expect(keys).toHaveLength(2);
  });
});

/** Runs a step. The server takes free ports, which is all that is changed of what the page says. */
async function take(terminal: Terminal, { printed }: Step, command: string) {
  if (!command.startsWith('postern serve')) return await terminal.run(command);
  terminal.edit('postern.yaml', (text) => {
    const policy = parseDocument(text);
    policy.set('listen', { check: '127.0.0.1:0', api: '127.0.0.1:0', ops: '0.0.0.0:0' });
    return policy.toString();
  });
  return await terminal.start(command, printed.length);
}
