import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { documentRows } from '../../src/api/document.ts';
import { FAULTS } from '../../src/api/fault.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { runCommand } from '../../src/cli/commands.ts';
import { openSession } from '../../src/cli/session.ts';
import { writeJsonSchema } from '../../src/config/json-schema.ts';
import {
  allPages,
  anchorsOf,
  blocksOf,
  linksOf,
  type Page,
  ROOT,
  readPage,
  spansOf,
} from './pages.ts';

const PAGES = allPages();
const KEYS = readPage('docs/keys.md');

const SESSION = openSession({ out: () => {}, err: () => {} });

/** What `--help` prints of a command; undefined for one that does not exist. */
async function helpOf(words: readonly string[]): Promise<string | undefined> {
  const printed: string[] = [];
  const session = { ...SESSION, out: (line: string) => void printed.push(line) };
  const code = await runCommand([...words, '--help'], session, session);
  const help = printed.join('\n');
  return code === 0 && help.startsWith(`postern ${words.join(' ')}`) ? help : undefined;
}

/** The command lines of a page: in blocks for a shell, and between backticks. */
function commandLines(page: Page): readonly string[] {
  const shells = blocksOf(page).filter(({ language }) => /^(sh|console)$/.test(language));
  return [...shells.flatMap(({ lines }) => lines), ...spansOf(page)]
    .map((line) => line.replace(/npm run (?:-s )?postern --(?= )/, 'postern'))
    .flatMap((line) =>
      [...line.matchAll(/(?:^|[$|] ?)postern ([^|#]+)/g)].map(([, rest]) => rest ?? ''),
    );
}

const LINES = PAGES.flatMap((page) =>
  commandLines(page).map((line) => ({ at: page.path, line: line.trim() })),
);

test('there are command lines to check', () => {
  expect(LINES.length).toBeGreaterThan(30);
});

test.each(LINES)('$at: postern $line exists, with its options', async ({ line }) => {
  const [, group = '', action] = /^([a-z]+)(?: ([a-z]+))?/.exec(line) ?? [];
  if (group === 'help') return;
  const help = (action && (await helpOf([group, action]))) ?? (await helpOf([group]));
  expect(help, 'the command').toBeDefined();
  // What follows a group is one of its commands, and no operand.
  const isGroup = help?.startsWith(`postern ${group} <command>`);
  expect(isGroup && action, 'the command').toBeFalsy();
  const options = [...line.matchAll(/(?<=\s)--[a-z-]+/g)].map(([option]) => option);
  for (const option of options.filter((one) => one !== '--help')) {
    expect(help).toMatch(new RegExp(`(?<![\\w-])${option}(?![\\w-])`));
  }
});

test('every option that the page on keys names is one of some command', async () => {
  const overview = (await helpOf([])) ?? '';
  const names = [...overview.matchAll(/^ {2}([a-z]+(?: [a-z]+)?)(?= )/gm)].map(
    ([, name]) => name ?? '',
  );
  const helps = await Promise.all(names.map((name) => helpOf(name.split(' '))));
  const known = new Set(['--help', ...(helps.join('\n').match(/--[a-z-]+/g) ?? [])]);
  const said = spansOf(KEYS).flatMap((span) => span.match(/(?<=^| )--[a-z]+(?:-[a-z]+)*/g) ?? []);
  expect(said.length).toBeGreaterThan(15);
  expect(said.filter((option) => !known.has(option))).toEqual([]);
});

/** Events that the code puts together of a kind and of what was done. */
const MADE = ['user', 'team', 'role', 'workspace'].flatMap((kind) => {
  const source = readFileSync(join(ROOT, 'src', 'api', 'resource-member.ts'), 'utf8');
  const verbs = source.match(/verb: ('[a-z]+'(?: \| '[a-z]+')*)/)?.[1]?.match(/[a-z]+/g) ?? [];
  return verbs.map((verb) => `${kind}.${verb}`);
});

/** Events that the code names, as texts of their own or put together. */
const EVENTS: ReadonlySet<string> = new Set([
  ...MADE,
  ...globSync('src/**/*.ts', { cwd: ROOT }).flatMap((file) => {
    const source = readFileSync(join(ROOT, file), 'utf8').replaceAll('`${kind}.', "'user.");
    const names = source.matchAll(/['"]((?:key|user|team|role|workspace|decision)\.[a-z_]+)['"`]/g);
    return [...names].map(([, name = '']) => name);
  }),
]);

test('every event that a page names is one of the code', () => {
  const said = PAGES.flatMap(spansOf).filter((span) =>
    /^(key|user|team|role|workspace|decision)\.[a-z_]+$/.test(span),
  );
  expect(said.length).toBeGreaterThan(10);
  expect(said.filter((event) => !EVENTS.has(event))).toEqual([]);
});

test('the page on keys names every event of keys and of decisions', () => {
  const said = new Set(spansOf(KEYS));
  const told = [...EVENTS].filter((event) => /^(key|decision)\./.test(event));
  expect(told).toContain('key.rotated');
  expect(told.filter((event) => !said.has(event))).toEqual([]);
});

test('the page on keys names every reason of the management API under its status', () => {
  const said = [...KEYS.text.matchAll(/^\| ((?:\d{3}(?:, )?)+) \| (.+) \|$/gm)].flatMap(
    ([, statuses = '', reasons = '']) =>
      [...reasons.matchAll(/`([a-z_]+)`/g)].map(([, reason = '']) => ({ reason, statuses })),
  );
  expect(said.map(({ reason }) => reason).sort()).toEqual(Object.keys(FAULTS).sort());
  const told = new Map<string, { readonly status: number }>(Object.entries(FAULTS));
  const misplaced = said.filter(
    ({ reason, statuses }) => !statuses.split(', ').includes(String(told.get(reason)?.status)),
  );
  expect(misplaced).toEqual([]);
});

const ROWS = [...ROUTES, ...documentRows(ROUTES)];
const ROOTS = new Set(ROWS.map(({ path }) => path.split('/').slice(0, 3).join('/')));

test.each(PAGES)('$path: every request of the management API exists', ({ path, text }) => {
  const isOurs = (one: string) =>
    path === KEYS.path || ROOTS.has(one.split('/').slice(0, 3).join('/'));
  const found = text.matchAll(
    /(?:\b(GET|POST|PATCH|DELETE) )?(?<![a-z*])(\/(?:v1\/[\w{}/-]+|openapi\.json))/g,
  );
  const said = [...found]
    .map(([, method, name = '']) => ({ method, name: name.replace(/\/$/, '') }))
    .filter(({ name }) => isOurs(name));
  if (path === KEYS.path) expect(said.length).toBeGreaterThan(10);
  const strange = said.filter(
    ({ method, name }) =>
      !ROWS.some((row) => row.path === name && (method === undefined || row.method === method)),
  );
  expect(strange).toEqual([]);
});

test('every setting that the page on keys names is one of the policy', () => {
  const said = spansOf(KEYS)
    .map(
      (span) =>
        /^((?:api_keys|audit|listen|limits)\.[a-z_]+(?:\.[a-z_]+)*)(?::.*)?$/.exec(span)?.[1],
    )
    .filter((name) => name !== undefined);
  expect(said.length).toBeGreaterThan(5);
  expect(said.filter((name) => !isSetting(name))).toEqual([]);
});

/** Whether the schema of the policy has a setting, through alternatives too. */
function isSetting(name: string): boolean {
  const step = (nodes: readonly unknown[], member: string): readonly unknown[] =>
    nodes.flatMap(alternatives).flatMap((node) => {
      const next = (node['properties'] as { readonly [name: string]: unknown } | undefined)?.[
        member
      ];
      return next === undefined ? [] : [next];
    });
  return name.split('.').reduce(step, [writeJsonSchema()]).length > 0;
}

function alternatives(node: unknown): readonly { readonly [member: string]: unknown }[] {
  const one = node as { readonly [member: string]: unknown };
  const more = ['anyOf', 'oneOf', 'allOf'].flatMap(
    (word) => (one[word] as unknown[] | undefined) ?? [],
  );
  return [one, ...more.flatMap(alternatives)];
}

test.each(PAGES)('$path: every link leads somewhere', (page) => {
  const dead = linksOf(page).filter(({ file, anchor }) => {
    const path = file === '' ? page.path : join(dirname(page.path), file);
    if (!existsSync(join(ROOT, path))) return true;
    return anchor !== '' && !anchorsOf(readPage(path)).has(anchor);
  });
  expect(dead).toEqual([]);
});
