import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseDocument, stringify } from 'yaml';
import { loadPolicy } from '../../src/config/load.ts';
import { writeProblem } from '../../src/config/problem.ts';
import { blocksOf, readPage } from './pages.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const BLOCKS = blocksOf(readPage('docs/keys.md'));
const YAML = BLOCKS.filter(({ language }) => language === 'yaml').map(({ lines }) =>
  lines.join('\n'),
);
/** Command lines of the page beside the five; one that ends in a backslash goes on. */
const COMMANDS = BLOCKS.filter(({ language }) => language === 'sh').flatMap(({ lines }) =>
  lines.join('\n').split(/(?<!\\)\n/),
);
const [IMPORTED = ''] = BLOCKS.filter(({ language }) => language === 'json').map(
  ({ lines }) => `${lines.join('\n')}\n`,
);

describe('the other commands of the page on keys', () => {
  const seen = new Map<string, string>();
  let terminal: Terminal;

  beforeAll(async () => {
    terminal = openTerminal();
    const printed = await terminal.run('postern init');
    const token = /postern_admin_\w+/.exec(printed.join('\n'))?.[0] ?? '';
    terminal.edit('postern.yaml', (text) => onFreePorts(withOldPrefix(text)));
    terminal.write('old-keys.jsonl', IMPORTED);
    const listening = await terminal.start('postern serve --config postern.yaml', 3);
    const api = String(JSON.parse(listening[1] ?? '{}').address);
    for (const command of COMMANDS) {
      const line = command.replaceAll('127.0.0.1:9192', api);
      const lines = await terminal.run(`POSTERN_TOKEN=${token}\n${line}`);
      seen.set(command, lines.join('\n'));
    }
  }, 60_000);
  afterAll(() => terminal[Symbol.asyncDispose]());

  test.each([
    ['postern workspaces create', /^id +acme$/m],
    ['postern users create', /^workspace_id +acme$/m],
    ['postern keys create', /^created personal key \w{27} "laptop"$/m],
    ['postern keys import', /^1 imported, 0 refused$/m],
    ['curl', /"name":"ci".*"key":"pst_\w{38}"/],
  ])('%s does what it is shown for', (begin, expected) => {
    const told = [...seen].filter(([command]) => command.startsWith(begin));
    expect(told).toHaveLength(1);
    expect(told[0]?.[1]).toMatch(expected);
  });

  test('are all looked at', () => {
    expect(COMMANDS).toHaveLength(5);
  });
});

test.each(YAML.map((text) => [text.split('\n').slice(0, 2).join(' '), text]))(
  'the piece of a policy "%s…" is sound',
  (_, text) => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-piece-'));
    const path = join(folder, 'policy.yaml');
    const routes = [{ path: '/**', access: 'public' }];
    writeFileSync(path, stringify({ routes, ...parse(text) }));
    const { problems } = loadPolicy({ path, env: {}, nowMs: Date.UTC(2030, 0, 1) });
    rmSync(folder, { recursive: true });
    expect(problems.map(writeProblem)).toEqual([]);
  },
);

function withOldPrefix(text: string): string {
  const policy = parseDocument(text);
  const piece = YAML.find((one) => one.includes('checksum: false')) ?? '';
  policy.setIn(['api_keys'], parse(piece).api_keys);
  return policy.toString();
}

function onFreePorts(text: string): string {
  const policy = parseDocument(text);
  policy.set('listen', { check: '127.0.0.1:0', api: '127.0.0.1:0', ops: '127.0.0.1:0' });
  return policy.toString();
}
