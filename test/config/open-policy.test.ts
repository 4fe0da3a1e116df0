import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type OpenPolicy, openPolicy, type PolicyChange } from '../../src/config/open-policy.ts';
import { NOW_MS, openDirectory } from './policy-file.ts';

const POLICY = (product: string, access = '[api_key]') =>
  `product: ${product}\nroutes: [{ name: a, path: /a, access: ${access} }]\n`;

/** Opens a policy; `pollMs` is long where only the directory watch shall find a change. */
async function open(path: string, pollMs = 3_600_000) {
  const changes: PolicyChange[] = [];
  const problems: (readonly string[])[] = [];
  const opened = await openPolicy({
    path,
    env: { NAME: 'from-env' },
    now: () => NOW_MS,
    pollMs,
    onChange: (change) => changes.push(change),
    onProblem: (found) => problems.push(found),
  });
  if ('problems' in opened) throw new Error(JSON.stringify(opened.problems));
  return { opened, changes, problems };
}

/** Waits until something holds, at most ten seconds. */
async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !holds(); tries += 1) await delay(10);
  expect(holds()).toBe(true);
}

const productOf = (opened: OpenPolicy) => opened.policy().product;

test('a policy with problems does not open', async () => {
  using directory = openDirectory({ 'policy.yaml': 'rotues: []\n' });
  const opened = await openPolicy({ path: join(directory.path, 'policy.yaml'), env: {} });
  expect('problems' in opened && opened.problems.map((one) => one.message)).toEqual([
    'unknown key; did you mean "routes"?',
  ]);
});

test.each([
  ['by watching its directory', 3_600_000],
  ['by polling', 50],
])('a change is found %s', async (_, pollMs) => {
  using directory = openDirectory({ 'policy.yaml': POLICY('before') });
  const { opened, changes, problems } = await open(join(directory.path, 'policy.yaml'), pollMs);
  await using _policy = opened;
  directory.write('policy.yaml', POLICY('after', 'public'));
  await until(() => changes.length > 0);
  expect(productOf(opened)).toBe('after');
  expect(changes[0]).toMatchObject({
    settings: { product: 'after' },
    loosened: ['route a: became public'],
    restart: [],
  });
  expect(changes[0]?.policy).toBe(opened.policy());
  expect(problems).toEqual([]);
});

test('a bad reload keeps the good policy, and the next good one replaces it', async () => {
  using directory = openDirectory({ 'policy.yaml': POLICY('before') });
  const { opened, changes, problems } = await open(join(directory.path, 'policy.yaml'));
  await using _policy = opened;
  directory.write('policy.yaml', 'product: [\n');
  await opened.reload();
  expect(problems).toHaveLength(1);
  expect(problems[0]?.[0]).toContain('policy.yaml:2:1 ');
  expect([productOf(opened), changes.length]).toEqual(['before', 0]);
  directory.write('policy.yaml', POLICY('after'));
  await opened.reload();
  expect([productOf(opened), changes.length]).toEqual(['after', 1]);
});

test('a reload without a change changes nothing', async () => {
  using directory = openDirectory({ 'policy.yaml': POLICY('same') });
  const { opened, changes, problems } = await open(join(directory.path, 'policy.yaml'));
  await using _policy = opened;
  const before = opened.policy();
  await opened.reload();
  expect([changes, problems]).toEqual([[], []]);
  expect(opened.policy()).toBe(before);
});

test('the swap of the symlink of a Kubernetes volume is found', async () => {
  using directory = openDirectory({
    '..1/policy.yaml': POLICY('one'),
    '..2/policy.yaml': POLICY('two'),
  });
  const data = join(directory.path, '..data');
  symlinkSync('..1', data);
  symlinkSync('..data/policy.yaml', join(directory.path, 'policy.yaml'));
  const { opened, changes } = await open(directory.path);
  await using _policy = opened;
  expect(productOf(opened)).toBe('one');
  symlinkSync('..2', `${data}.next`);
  renameSync(`${data}.next`, data);
  expect(readlinkSync(data)).toBe('..2');
  await until(() => changes.length > 0);
  expect(productOf(opened)).toBe('two');
});

test('a new file of a directory, and the file of a placeholder, are watched', async () => {
  using secrets = openDirectory({ name: 'one' });
  using directory = openDirectory({
    'a.yaml': POLICY(`\${file:${join(secrets.path, 'name')}}`),
  });
  const { opened, changes } = await open(directory.path);
  await using _policy = opened;
  writeFileSync(join(secrets.path, 'name'), 'two\n');
  await until(() => changes.length === 1);
  expect(productOf(opened)).toBe('two');
  directory.write('b.yaml', 'routes: [{ name: b, path: /b, access: public }]\n');
  await until(() => changes.length === 2);
  expect(opened.policy().routes.map((route) => route.name)).toEqual(['a', 'b']);
});

test('a file that is gone is a problem, and its return is found', async () => {
  using directory = openDirectory({ 'deep/policy.yaml': POLICY('one') });
  const path = join(directory.path, 'deep/policy.yaml');
  const { opened, changes, problems } = await open(path, 50);
  await using _policy = opened;
  rmSync(join(directory.path, 'deep'), { recursive: true });
  await until(() => problems.length > 0);
  expect(problems[0]).toEqual([`${path}:1:1 cannot be read: ENOENT`]);
  mkdirSync(join(directory.path, 'deep'));
  directory.write('deep/policy.yaml', POLICY('two'));
  await until(() => changes.length > 0);
  expect(productOf(opened)).toBe('two');
});

test.each([
  ['a small policy', 500],
  ['a policy that is loaded in a process of its own', 12_000],
])('a reload takes over everything that a first load does: %s', async (_case, count) => {
  const plans = Array.from({ length: 500 }, (_, at) => `  p${at}: { per_minute: ${at + 1} }`);
  const keys = Array.from(
    { length: count },
    (_, at) =>
      `    - { id: k${at}, hash: "sha256:${at.toString(16).padStart(64, '0')}", plan: p${at % 500} }`,
  );
  const text = (product: string) =>
    [POLICY(product), 'plans:', ...plans, 'api_keys:', '  declared:', ...keys, ''].join('\n');
  using directory = openDirectory({ 'policy.yaml': text('one') });
  const { opened } = await open(join(directory.path, 'policy.yaml'));
  await using _policy = opened;
  const { hash: _, product: __, ...first } = opened.policy();
  directory.write('policy.yaml', text('two'));
  await opened.reload();
  const { hash: ___, product, ...second } = opened.policy();
  expect(product).toBe('two');
  expect(second.declaredKeys).toEqual(first.declaredKeys);
  expect(second.plans).toEqual(first.plans);
  expect([...second.plans.keys()]).toEqual([...first.plans.keys()]);
});

test('changes of listeners and store are reported as taking a restart', async () => {
  using directory = openDirectory({ 'policy.yaml': POLICY('one') });
  const { opened, changes } = await open(join(directory.path, 'policy.yaml'));
  await using _policy = opened;
  directory.write(
    'policy.yaml',
    `${POLICY('one')}store: sqlite:/tmp/x\nlisten: { ops: 127.0.0.1:1 }\n`,
  );
  await opened.reload();
  expect(changes[0]?.restart).toEqual(['listen.ops', 'store']);
  expect(opened.settings.store).toEqual({ kind: 'memory' });
});

test('once closed, nothing is reloaded', async () => {
  using directory = openDirectory({ 'policy.yaml': POLICY('one') });
  const { opened, changes } = await open(join(directory.path, 'policy.yaml'));
  await opened[Symbol.asyncDispose]();
  directory.write('policy.yaml', POLICY('two'));
  await opened.reload();
  expect([productOf(opened), changes.length]).toEqual(['one', 0]);
});

test('closing in the midst of a large reload ends it', async () => {
  const keys = Array.from(
    { length: 12_000 },
    (_, at) => `    - { id: k${at}, hash: "sha256:${at.toString(16).padStart(64, '0')}" }`,
  );
  using directory = openDirectory({ 'policy.yaml': POLICY('one') });
  const { opened, changes, problems } = await open(join(directory.path, 'policy.yaml'));
  directory.write(
    'policy.yaml',
    [POLICY('two'), 'api_keys:', '  declared:', ...keys, ''].join('\n'),
  );
  const reloaded = opened.reload();
  await opened[Symbol.asyncDispose]();
  await reloaded;
  expect([changes, problems, productOf(opened)]).toEqual([[], [], 'one']);
});
