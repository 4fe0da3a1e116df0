import { afterEach, beforeEach, expect, test } from 'vitest';
import { mintKey } from '../../src/core/api-key.ts';
import { DECLARED_KEY } from '../api/stage.ts';
import { type Cli, openCli } from './on-stage.ts';

let cli: Cli;
beforeEach(async () => {
  cli = await openCli();
});
afterEach(async () => {
  await cli[Symbol.asyncDispose]();
});

test('says valid, and shows scopes and limits without spending any', async () => {
  const { key } = await cli.create('--name=CI', '--workspace=acme', '--scopes=reports:read');
  const ran = async () =>
    await cli.run(['keys', 'verify'], { input: `${key}\n`, env: { POSTERN_TOKEN: '' } });
  const { code, out, err } = await ran();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^valid\n/);
  expect(out).toMatch(/^scopes +reports:read$/m);
  expect(out).toMatch(/^600\/minute +600 +600 /m);
  expect(out).toMatch(/^600\/minute burst +20 +20 /m);
  expect(out).not.toContain(key);
  expect(await ran()).toEqual({ code, out, err });
});

test('says why not, with exit code 1', async () => {
  const wrong = mintKey('pr_live_', new Uint8Array(64));
  expect(await cli.run(['keys', 'verify'], { env: { POSTERN_KEY: wrong } })).toMatchObject({
    ...{ code: 1, out: 'refused unknown_key' },
    err: expect.stringContaining('(401 unknown_key)'),
  });
});

test('with --json prints what the API answered, either way', async () => {
  const good = await cli.run(['keys', 'verify', '--json'], { env: { POSTERN_KEY: DECLARED_KEY } });
  expect(JSON.parse(good.out)).toMatchObject({ valid: true, api_key: { id: 'declared' } });
  const bad = await cli.run(['keys', 'verify', '--json'], { env: { POSTERN_KEY: 'pr_live_no' } });
  expect([bad.code, JSON.parse(bad.out)]).toMatchObject([1, { reason: 'unknown_key' }]);
});

test('sends it in the header that --token-header names', async () => {
  const around = { env: { POSTERN_KEY: DECLARED_KEY } };
  expect(await cli.run(['keys', 'verify', '--token-header=X-API-Key'], around)).toMatchObject({
    code: 0,
  });
});

test('at a terminal asks for it, without showing it', async () => {
  const { code, err } = await cli.run(['keys', 'verify'], { answer: DECLARED_KEY });
  expect({ code, err }).toEqual({ code: 0, err: 'key: ' });
});

test.each([
  ['nothing', '', 'no key'],
  ['two words', 'pr_live_a b', 'characters that no key has'],
  ['a control character', 'pr_live_a\u0001', 'characters that no key has'],
  ['far too much', 'x'.repeat(20_000), 'characters that no key has'],
])('refuses %s', async (_name, input, expected) => {
  const { code, err } = await cli.run(['keys', 'verify'], { input });
  expect(code).toBe(2);
  expect(err).toContain(expected);
  expect(err).not.toContain('pr_live_');
});

test('takes no key as argument', async () => {
  expect(await cli.run(['keys', 'verify', DECLARED_KEY])).toMatchObject({ code: 2 });
});
