import { expect, test } from 'vitest';
import { loadPolicy } from '../../src/config/load.ts';
import { writeProblem } from '../../src/config/problem.ts';
import { load, NOW_MS } from './policy-file.ts';

const ROUTE = 'routes: [{ path: /a, access: public }]\n';

test('the files of a directory unite', () => {
  const { config, problems } = load({
    '20-more.yml': `
api_keys: { declared: [{ id: b, hash: "sha256:${'b'.repeat(64)}" }] }
listen: { ops: 127.0.0.1:1 }
plans: { pro: { per_minute: 2 } }
routes: [{ name: b, path: /b, access: public }]
`,
    '10-first.yaml': `
api_keys: { browser: deny, declared: [{ id: a, hash: "sha256:${'a'.repeat(64)}" }] }
listen: { api: 127.0.0.1:2 }
plans: { free: { per_minute: 1 } }
routes: [{ name: a, path: /a, access: public }]
`,
    'notes.txt': 'not a policy',
    '.hidden.yaml': 'not: a policy',
    'deeper/x.yaml': 'not: a policy',
  });
  expect(problems).toEqual([]);
  expect(config?.routes.map((route) => route.name)).toEqual(['a', 'b']);
  expect(config?.api_keys.declared.map((key) => key.id)).toEqual(['a', 'b']);
  expect(config?.api_keys.browser).toBe('deny');
  expect(config?.listen).toMatchObject({ api: '127.0.0.1:2', ops: '127.0.0.1:1' });
  expect(Object.keys(config?.plans ?? {})).toEqual(['free', 'pro']);
});

test('what two files define is a problem that names both places', () => {
  const { problems } = load({
    'a.yaml': `product: one\nplans:\n  free: { per_minute: 1 }\n${ROUTE}`,
    'b.yaml': 'plans:\n  free: { per_day: 1 }\nproduct: two\n',
  });
  expect(problems).toEqual([
    'b.yaml:2:3 plans.free: defined twice; first at a.yaml:3:3',
    'b.yaml:3:1 product: defined twice; first at a.yaml:1:1',
  ]);
});

test('a problem in a joined list stands in the file that wrote it', () => {
  const { problems } = load({
    'a.yaml': ROUTE,
    'b.yaml':
      'x-note: 1\nroutes:\n  - { path: /b, access: public }\n  - { path: /c, acess: public }\n',
  });
  expect(problems).toEqual(['b.yaml:4:17 routes[2].acess: unknown key; did you mean "access"?']);
});

test('a directory without policies and a path without anything are problems', () => {
  expect(load({ 'a.txt': '' }).problems[0]).toMatch(/:1:1 the directory holds no \*\.yaml/);
  const path = '/nowhere/policy.yaml';
  const { problems } = loadPolicy({ path, env: {}, nowMs: NOW_MS });
  expect(problems.map(writeProblem)).toEqual([`${path}:1:1 cannot be read: ENOENT`]);
});

const ENV = { NAME: 'acme', EMPTY: '', NESTED: '${NAME}', NUMBER: '5' };

test.each([
  ['${NAME}', 'acme'],
  ['a-${NAME}-${NAME}', 'a-acme-acme'],
  ['${OTHER:-fallback}', 'fallback'],
  ['${EMPTY:-fallback}', 'fallback'],
  ['${EMPTY}', ''],
  ['${NAME:-}', 'acme'],
  ['$${NAME}', '${NAME}'],
  ['$$${NAME}', '$${NAME}'],
  ['${NESTED}', '${NAME}'],
  ['$NAME', '$NAME'],
  ['${file:secret.txt}', 'from a file'],
])('the placeholder %s becomes %s', (written, text) => {
  const found = load(
    { 'p.yaml': `${ROUTE}scopes: { a: "${written}" }\n`, 'secret.txt': '\n from a file \n' },
    ENV,
  );
  expect(found.config?.scopes).toEqual({ a: text });
});

test.each([
  ['${OTHER}', 'the environment variable OTHER is not set'],
  ['${NAME', 'a placeholder ends with "}"'],
  ['${}', 'expected ${NAME}, ${NAME:-default} or ${file:/path}; "$${" is a literal "${"'],
  ['${A:-${B}}', 'expected ${NAME}, ${NAME:-default} or ${file:/path}; "$${" is a literal "${"'],
  ['${__proto__}', 'the environment variable __proto__ is not set'],
  ['${file:/nowhere}', 'the file "/nowhere" cannot be read'],
])('the placeholder %s is a problem', (written, problem) => {
  const { problems } = load(`${ROUTE}scopes: { a: "${written}" }\n`, ENV);
  expect(problems).toEqual([`policy.yaml:2:14 scopes.a: ${problem}`]);
});

test('a placeholder is a text, also where it looks like a number', () => {
  const { problems } = load(`${ROUTE}limits: { max_subjects: "\${NUMBER}" }\n`, ENV);
  expect(problems).toEqual(['policy.yaml:2:25 limits.max_subjects: expected a number, got a text']);
});

test('keys beginning with x- hold anchors, and a map takes over what it lacks', () => {
  const { config, problems } = load(`
x-anything: \${MISSING}
x-common: &common { access: [api_key], methods: [GET], ips: [10.0.0.0/8] }
routes:
  - { <<: *common, name: a, path: /a, methods: [POST] }
  - { <<: [{ cost: 2 }, *common], name: b, path: /b }
`);
  expect(problems).toEqual([]);
  expect(config?.routes).toEqual([
    { name: 'a', path: '/a', access: ['api_key'], methods: ['POST'], ips: ['10.0.0.0/8'] },
    { name: 'b', path: '/b', access: ['api_key'], methods: ['GET'], ips: ['10.0.0.0/8'], cost: 2 },
  ]);
});

test('a problem in an anchored map stands where it is written', () => {
  const { problems } = load('x-a: &a { access: [apikey] }\nroutes:\n  - { <<: *a, path: /a }\n');
  expect(problems[0]).toMatch(/^policy\.yaml:1:20 routes\[0\]\.access\[0\]: expected one of/);
});

test('aliases that multiply are refused', () => {
  const lines = ['x-0: &a0 [a, a, a, a, a, a, a, a, a, a]'];
  for (let at = 1; at <= 8; at += 1) {
    lines.push(
      `x-${at}: &a${at} [${Array(10)
        .fill(`*a${at - 1}`)
        .join(', ')}]`,
    );
  }
  const { problems } = load(`${lines.join('\n')}\nroutes: *a8\n`);
  expect(problems.some((one) => one.includes('aliases expand to too many values'))).toBe(true);
});

test('YAML that is nested without end is a problem', () => {
  expect(load(`a: ${'['.repeat(50_000)}`).problems.length).toBeGreaterThan(0);
  expect(load(`routes: ${'['.repeat(100)}${']'.repeat(100)}`).problems.length).toBeGreaterThan(0);
});

test('the hash covers policy files and the files of placeholders', () => {
  const files = { 'a.yaml': `product: \${file:name}\n${ROUTE}`, name: 'one' };
  const hash = load(files).hash;
  expect(load(files).hash).toBe(hash);
  expect(load({ ...files, name: 'two' }).hash).not.toBe(hash);
  expect(load({ ...files, 'a.yaml': `${files['a.yaml']}# more\n` }).hash).not.toBe(hash);
});
