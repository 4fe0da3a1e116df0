import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDirectory } from '../config/policy-file.ts';
import { type Cli, openCli } from './on-stage.ts';
import { run } from './shell.ts';

let cli: Cli;
let directory: ReturnType<typeof openDirectory>;
beforeEach(async () => {
  cli = await openCli();
  directory = openDirectory();
});
afterEach(async () => {
  directory[Symbol.dispose]();
  await cli[Symbol.asyncDispose]();
});

const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');

function importing(name: string, text: string, ...more: readonly string[]) {
  directory.write(name, text);
  return cli.run(['keys', 'import', join(directory.path, name), ...more]);
}

test('takes over keys from JSON lines: their holders go on using them', async () => {
  const lines = ['old_first_key_12345', 'old_second_key_1234'].map((key) =>
    JSON.stringify({
      name: key.slice(0, 9),
      prefix: 'old_',
      hash: `sha256:${hashOf(key)}`,
      workspace_id: 'acme',
      scopes: ['reports:read'],
    }),
  );
  expect(await importing('keys.jsonl', `${lines.join('\n\n')}\n`)).toEqual({
    ...{ code: 0, out: '2 imported, 0 refused', err: '' },
  });
  expect(await cli.stage.gateOn('old_second_key_1234')).toBe('allow');
});

test('takes over keys from a CSV, whose cells are written as options are', async () => {
  const csv = [
    'name,Hash,prefix,key_prefix,workspace,scopes,rate_limit,allowed-ips,metadata,hide_credentials,expires_at',
    `"Key, old",${hashOf('old_first_key_12345')},old_,old_fi,acme,"reports:read,billing:read",per_minute=5,192.0.2.1,"{""a"":1}",true,2027-01-01T00:00:00Z`,
  ];
  expect(await importing('keys.csv', csv.join('\r\n'), '--json')).toMatchObject({ code: 0 });
  const { out } = await cli.run(['keys', 'list', '--prefix=old_', '--json']);
  expect(JSON.parse(out).data).toMatchObject([
    {
      ...{ name: 'Key, old', key_prefix: 'old_fi', workspace_id: 'acme' },
      ...{ scopes: ['reports:read', 'billing:read'], rate_limit: { per_minute: 5 } },
      ...{ allowed_ips: ['192.0.2.1'], metadata: { a: 1 }, hide_credentials: true },
      expires_at: '2027-01-01T00:00:00.000Z',
    },
  ]);
});

test('tells each bad line by its number, never by its text, and goes on to the end', async () => {
  const secret = 'old_a_raw_key_by_mistake';
  const good = (key: string) =>
    JSON.stringify({ name: 'k', prefix: 'old_', hash: `sha256:${hashOf(key)}` });
  const lines = [
    good('old_1'),
    '{"name":',
    `"${secret}"`,
    JSON.stringify({ name: 'k', prefix: 'old_', key: secret }),
    JSON.stringify({ name: 'k', prefix: 'old_', hash: secret }),
    JSON.stringify({ name: 'k', prefix: 'pr_live_', hash: `sha256:${hashOf('x')}` }),
    good('old_1'),
    JSON.stringify({ name: 'k', hash: `sha256:${hashOf('y')}`, surprise: secret }),
    good('old_2'),
  ];
  const { code, out, err } = await importing('keys.ndjson', lines.join('\n'));
  expect(code).toBe(1);
  expect(out).toBe('2 imported, 7 refused');
  expect(err.split('\n')).toEqual([
    // Of two lines with one key, whichever comes second is refused.
    ...(err.startsWith('line 1: ') ? [expect.stringMatching(/^line 1: /)] : []),
    'line 2: expected a JSON object on one line',
    'line 3: expected a JSON object',
    'line 4: give the hash, "sha256:<hex>", and never the key itself',
    expect.stringMatching(/^line 5: \/hash /),
    expect.stringMatching(/^line 6: \/prefix /),
    ...(err.startsWith('line 1: ') ? [] : [expect.stringMatching(/^line 7: /)]),
    expect.stringMatching(/^line 8: /),
  ]);
  expect(err).not.toContain(secret);
});

test.each([
  ['a misspelt column', 'name,hsah', 'did you mean "hash"?'],
  ['a column twice', 'hash,name,name', 'named twice'],
  ['no hash', 'name,prefix', 'no column "hash"'],
  ['raw keys', 'name,key', 'never the key itself'],
])('a CSV with %s stops before anything is asked', async (_name, heading, says) => {
  const { code, err } = await importing('keys.csv', `${heading}\na,b,c\n`);
  expect(code).toBe(2);
  expect(err).toContain(says);
});

test('bad cells are told by line and column', async () => {
  const csv = `hash,name,rate_limit\n${'0'.repeat(64)},a,burst=lots\nb,c\n"x`;
  const { code, err } = await importing('keys.csv', csv);
  expect(code).toBe(1);
  expect(err.split('\n')).toEqual([
    'line 2: rate_limit: expected whole numbers, as in per_minute=30,burst=10',
    'line 3: 2 cells under 3 columns',
    'line 4: a quoted cell does not end',
  ]);
});

test('reads standard input, when it is told the format', async () => {
  const input = `{"name":"k","prefix":"old_","hash":"sha256:${hashOf('old_1')}"}\n`;
  expect(await cli.run(['keys', 'import', '-'], { input })).toMatchObject({ code: 2 });
  expect(await cli.run(['keys', 'import', '-', '--format=jsonl'], { input })).toMatchObject({
    ...{ code: 0, out: '1 imported, 0 refused' },
  });
});

test('tells its progress on standard error', async () => {
  const lines = Array.from({ length: 1500 }, (_, at) =>
    JSON.stringify({ name: `k${at}`, prefix: 'old_', hash: hashOf(`old_${at}`) }),
  );
  const { code, out, err } = await importing('keys.jsonl', lines.join('\n'));
  expect({ code, out }).toEqual({ code: 0, out: '1500 imported, 0 refused' });
  expect(err).toMatch(/^10\d\d lines: 10\d\d imported, 0 refused$/);
});

test('gives up where no request gets through', async () => {
  const input = Array.from({ length: 100 }, () => '{"name":"k"}').join('\n');
  const url = await freeUrl();
  const env = { POSTERN_URL: url, POSTERN_TOKEN: 'x'.repeat(40) };
  const { code, out, err } = await run(['keys', 'import', '-', '--format=jsonl'], { input, env });
  expect({ code, out }).toEqual({ code: 1, out: '0 imported, 16 refused' });
  const [first] = err.split('\n');
  expect(first).toBe(`line 1: ${url} cannot be reached: ECONNREFUSED`);
  expect(err).toMatch(/stopped at line 16: no request gets through; run it again afterwards$/);
});

/** Where nobody listens. */
async function freeUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

test('a file that is not there is told as such', async () => {
  expect(await cli.run(['keys', 'import', '/nowhere/keys.csv'])).toMatchObject({
    code: 1,
    err: 'postern: /nowhere/keys.csv cannot be read: ENOENT',
  });
});
