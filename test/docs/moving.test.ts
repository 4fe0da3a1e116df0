import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { describeRedis, newNamespace, redisUrl } from '../redis-harness/shared.ts';
import { readPage } from './pages.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** Blocks of the page, also those in a list, without what they are indented by. */
const BLOCKS = [...readPage('docs/moving.md').text.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)].map(
  ([, indent = '', language = '', content = '']) => ({
    language,
    text: content.replaceAll(new RegExp(`^${indent}`, 'gm'), '').trimEnd(),
  }),
);
const STEPS = BLOCKS.filter(({ language }) => language === 'console').map(({ text }) => {
  const [command = '', ...printed] = text.split('\n');
  return { command: command.replace(/^\$ /, ''), printed };
});

test('the page copies there and back', () => {
  expect(STEPS.map(({ command }) => command)).toEqual([
    'postern store copy postern.yaml redis.yaml',
    'postern store copy redis.yaml sqlite:back.db',
  ]);
});

describeRedis('the commands of the page, with one key', () => {
  let terminal: Terminal;
  beforeAll(async () => {
    terminal = openTerminal();
    await terminal.run('postern init');
    await terminal.run('postern keys create --name ci');
    const written = parse(BLOCKS.find(({ language }) => language === 'yaml')?.text ?? '');
    const store = { ...written.store, urls: redisUrl, namespace: newNamespace() };
    const routes = [{ path: '/a', access: ['api_key'] }];
    terminal.write('redis.yaml', stringify({ ...written, store, routes }));
  }, 60_000);
  afterAll(() => terminal[Symbol.asyncDispose]());

  test('print what it says, one after the other', async () => {
    for (const { command, printed } of STEPS) expect(await terminal.run(command)).toEqual(printed);
  });

  test('leave a file that serves the same key', async () => {
    terminal.edit('postern.yaml', (text) => text.replace('postern.db', 'back.db'));
    expect((await terminal.run('postern keys list')).join('\n')).toContain(' ci ');
  });
});
