import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { patternOf, scannerEntries } from '../../src/cli/key-scanner.ts';
import { hashKey, mintKey, parseKey } from '../../src/core/api-key.ts';
import { openDirectory } from '../config/policy-file.ts';
import { run, runProgram } from './shell.ts';

const POLICY = `
product: Acme Reports
api_keys:
  prefixes:
    pr_live_: { environment: live }
    pr_test_: { environment: test }
    pk_: { publishable: true }
    old_: { checksum: false }
    "": {}
routes: [{ path: /a, access: [api_key] }]
`;

test('prints pattern and samples of each prefix that is secret and has a checksum', async () => {
  using directory = openDirectory({ 'policy.yaml': POLICY });
  const config = join(directory.path, 'policy.yaml');
  const { code, out, err } = await run([
    'keys',
    'scanner',
    '--config',
    config,
    '--json',
    '--samples=5',
  ]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const { data, endpoint } = JSON.parse(out);
  expect(endpoint).toBe('/v1/leaked-keys');
  expect(data).toMatchObject([
    {
      type: 'acme_reports_api_key_pr_live',
      prefix: 'pr_live_',
      environment: 'live',
      pattern: '\\bpr_live_[0-9A-Za-z]{38}\\b',
    },
    {
      type: 'acme_reports_api_key_pr_test',
      prefix: 'pr_test_',
      environment: 'test',
      pattern: '\\bpr_test_[0-9A-Za-z]{38}\\b',
    },
  ]);
  for (const { prefix, pattern, samples } of data) {
    expect(new Set(samples).size).toBe(5);
    const known = [{ prefix, publishable: false, checksum: true }];
    for (const sample of samples) {
      expect(`export KEY="${sample}"`.match(new RegExp(pattern))?.[0]).toBe(sample);
      expect(parseKey(sample, known).kind).toBe('key');
    }
  }
});

test('people read the same, and what to send to whom', async () => {
  using directory = openDirectory({ 'policy.yaml': POLICY });
  const env = { POSTERN_CONFIG: join(directory.path, 'policy.yaml') };
  const { out, err } = await run(['keys', 'scanner', '--samples=1'], { env });
  expect(out).toMatch(
    /^type {5}acme_reports_api_key_pr_live \(live\)\npattern {2}\\bpr_live_\[0-9A-Za-z\]\{38\}\\b\nsample {3}pr_live_\w{38}\n/,
  );
  expect(err).toContain('https://<your host>/v1/leaked-keys');
});

test('without a policy it is the default prefix', async () => {
  using directory = openDirectory();
  const { code, out } = await runProgram(['keys', 'scanner'], { cwd: directory.path });
  expect(code).toBe(0);
  expect(out).toContain('pattern  \\bpst_[0-9A-Za-z]{38}\\b');
});

test('a policy whose keys no scanner can tell is told as such', async () => {
  using directory = openDirectory({
    'policy.yaml':
      'api_keys: { prefixes: { pk_: { publishable: true } } }\nroutes: [{ path: /a, access: [api_key] }]\n',
    'bad.yaml': 'rutes: []\n',
  });
  const at = (name: string) => run(['keys', 'scanner', '--config', join(directory.path, name)]);
  expect(await at('policy.yaml')).toMatchObject({ code: 1, out: '' });
  expect(await at('bad.yaml')).toMatchObject({ code: 2, out: '' });
  expect(await run(['keys', 'scanner', '--samples=lots'])).toMatchObject({ code: 2, out: '' });
});

test.each([
  ['pst_', 'x pst_', ' y'],
  ['a.b-', '"a.b-', '"'],
  ['~t~', '=~t~', ','],
])('the pattern of %s finds a key and nothing longer', (prefix, before, after) => {
  const secret = 'A'.repeat(38);
  const pattern = new RegExp(patternOf(prefix));
  expect(pattern.exec(before + secret + after)?.[0]).toBe(prefix + secret);
  expect(pattern.test(`${before}${secret}A${after}`)).toBe(false);
  expect(pattern.test(`${before.replace('.', 'x')}${secret.slice(1)}${after}`)).toBe(false);
});

test('samples are random, and hold for nobody', () => {
  const prefixes = { pst_: { publishable: false, checksum: true } };
  const [entry] = scannerEntries({ product: 'postern', prefixes }, 2, (size) => randomBytes(size));
  const other = mintKey('pst_', randomBytes(128));
  expect(new Set([...(entry?.samples ?? []), other].map(hashKey)).size).toBe(3);
});
