import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDirectory } from '../config/policy-file.ts';
import { run, runProgram } from './shell.ts';

let directory: ReturnType<typeof openDirectory>;
let config: string;
beforeEach(() => {
  directory = openDirectory();
  config = join(directory.path, 'postern.yaml');
});
afterEach(() => directory[Symbol.dispose]());

const init = (...more: readonly string[]) => run(['init', '--config', config, ...more]);
const cli = (args: readonly string[], input = '') =>
  run(args, { input, env: { POSTERN_CONFIG: config } });

/** Every byte of every file of the directory, as Latin-1. */
const allBytes = () =>
  readdirSync(directory.path)
    .map((name) => readFileSync(join(directory.path, name), 'latin1'))
    .join('\n');

describe('init', () => {
  test('writes a sound policy, and prints the token alone on standard output', async () => {
    const { code, out, err } = await init();
    expect(code).toBe(0);
    expect(out).toMatch(/^postern_admin_[0-9A-Za-z]{38}$/);
    expect(err).toContain(`wrote ${config}`);
    expect(err).toContain(`postern serve --config ${config}`);
    expect(err).not.toContain(out);
    expect(await run(['validate', config])).toMatchObject({
      ...{ code: 0, err: '' },
      out: expect.stringContaining('3 routes, 0 declared keys, 0 issuers, 0 warnings'),
    });
    expect(existsSync(join(directory.path, 'postern.db'))).toBe(true);
    expect(allBytes()).not.toContain(out);
  });

  test('a second time does nothing and says so; --replace makes another token', async () => {
    const first = await init();
    const policy = readFileSync(config, 'utf8');
    const again = await init();
    expect(again).toMatchObject({ code: 1, out: '' });
    expect(again.err).toContain('has an admin token already; nothing was changed');
    const replaced = await init('--replace', '--json');
    expect(JSON.parse(replaced.out)).toEqual({
      token: expect.stringMatching(/^postern_admin_/),
      config,
    });
    expect(JSON.parse(replaced.out).token).not.toBe(first.out);
    expect(readFileSync(config, 'utf8')).toBe(policy);
  });

  test('never writes over a policy, and puts the token into its store', async () => {
    const policy = 'store: "sqlite:mine.db"\nroutes: [{ path: /a, access: [api_key] }]\n';
    directory.write('postern.yaml', policy);
    expect(await init()).toMatchObject({ code: 0 });
    expect(readFileSync(config, 'utf8')).toBe(policy);
    expect(existsSync(join(directory.path, 'mine.db'))).toBe(true);
    expect(await init('--store=other.db')).toMatchObject({ code: 1, out: '' });
  });

  test('puts the store of a new policy where --store says, whatever the name', async () => {
    expect(await init('--store=da"ta/${X}.db')).toMatchObject({ code: 0 });
    expect(existsSync(join(directory.path, 'da"ta', '${X}.db'))).toBe(true);
  });

  test.each([
    [
      'a store in memory',
      'store: memory\nroutes: [{ path: /a, access: [api_key] }]\n',
      'keeps no token',
    ],
    ['problems', 'rouets: []\n', 'did you mean "routes"?'],
  ])('tells of a policy with %s', async (_name, policy, says) => {
    directory.write('postern.yaml', policy);
    expect(await init()).toMatchObject({ code: 2, out: '', err: expect.stringContaining(says) });
  });

  test('says where it cannot write', async () => {
    directory.write('file', '');
    const { code, err } = await run(['init', '--config', join(directory.path, 'file', 'p.yaml')]);
    expect(code).toBe(1);
    expect(err).toMatch(/cannot be written: (ENOTDIR|EEXIST)/);
  });
});

describe('without a server', () => {
  beforeEach(() => init());

  test('the admin works on the store file of the policy', async () => {
    const { code, out: key } = await cli(['keys', 'create', '--name=CI', '--scopes=a:read']);
    expect(code).toBe(0);
    const listed = JSON.parse((await cli(['keys', 'list', '--json'])).out);
    expect(listed.data).toMatchObject([{ name: 'CI', created_by: 'admin' }]);
    const { id } = listed.data[0];
    expect(await cli(['keys', 'verify'], key)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^valid\n/),
    });
    const { out: next } = await cli(['keys', 'rotate', id]);
    expect(await cli(['keys', 'verify'], key)).toMatchObject({
      code: 1,
      out: 'refused key_expired',
    });
    await cli(['keys', 'revoke', id]);
    expect(await cli(['keys', 'verify'], next)).toMatchObject({
      code: 1,
      out: 'refused key_revoked',
    });
    const { out } = await cli(['audit', '--event=key.*']);
    expect(out.match(/key\.\w+/g)).toEqual(['key.revoked', 'key.rotated', 'key.created']);
    for (const raw of [key, next]) expect(allBytes()).not.toContain(raw);
  });

  test('the same Idempotency-Key never makes a second key, though its answer is sealed to another', async () => {
    const args = ['keys', 'create', '--name=CI', '--idempotency-key=once'];
    expect(await cli(args)).toMatchObject({ code: 0 });
    expect(await cli(args)).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse((await cli(['keys', 'list', '--json'])).out).data).toHaveLength(1);
  });

  test('--verbose says so', async () => {
    expect(await cli(['keys', 'list', '--verbose'])).toMatchObject({
      err: `using the store of ${config}, in this process\nnone`,
    });
  });

  test('a key is tried in the place where the policy reads keys', async () => {
    for (const place of ['{ header: x-api-key }', '{ header: x-gateway-key }']) {
      const text = readFileSync(config, 'utf8');
      directory.write(
        'postern.yaml',
        text.replace('api_keys:', `api_keys:\n  read_from: [${place}]`),
      );
      const { out: key } = await cli(['keys', 'create', '--name=CI']);
      expect(await cli(['keys', 'verify'], key)).toMatchObject({ code: 0 });
      // Whatever is no key must never pass for the admin, who needs none in this process.
      expect(await cli(['keys', 'verify'], 'pst_wrong')).toMatchObject({ code: 1 });
      expect(await cli(['keys', 'verify', '--token-header=x-other'], key)).toMatchObject({
        code: 1,
      });
      directory.write('postern.yaml', text);
    }
  });

  test('a store in memory is told as such, with what to do', async () => {
    directory.write('postern.yaml', 'store: memory\nroutes: [{ path: /a, access: [api_key] }]\n');
    const { code, err } = await cli(['keys', 'list']);
    expect(code).toBe(1);
    expect(err).toContain('use "store: sqlite:PATH", or set POSTERN_URL');
  });
});

describe('the program', () => {
  test('leads from nothing to a rotated key, with no secret among its arguments', async () => {
    const cwd = directory.path;
    const token = (await runProgram(['init'], { cwd })).out;
    const created = await runProgram(['keys', 'create', '--name=first', '--json'], { cwd });
    const { id, key } = JSON.parse(created.out);
    expect(await runProgram(['keys', 'verify'], { cwd, input: `${key}\n` })).toMatchObject({
      code: 0,
    });
    const rotated = await runProgram(['keys', 'rotate', id], { cwd });
    expect(rotated.out).toMatch(/^pst_[0-9A-Za-z]{38}$/);
    const env = { POSTERN_KEY: rotated.out };
    expect(await runProgram(['keys', 'verify'], { cwd, env })).toMatchObject({ code: 0 });
    for (const { err } of [created, rotated]) {
      for (const secret of [token, key, rotated.out]) expect(err).not.toContain(secret);
    }
  });

  test('ends with 2 for a wrong command line, with 1 for what fails', async () => {
    const cwd = directory.path;
    const wrong = await runProgram(['keys', 'list'], { cwd });
    expect(wrong).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('which Postern is meant?'),
    });
    const env = { POSTERN_CONFIG: '/nowhere/policy.yaml' };
    expect(await runProgram(['keys', 'list'], { cwd, env })).toMatchObject({ code: 1, out: '' });
  });

  test('stops quietly when its reader does', async () => {
    const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
    const child = spawn(process.execPath, [main, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let err = '';
    child.stderr.on('data', (piece) => {
      err += piece;
    });
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });
});
