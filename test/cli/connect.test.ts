import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDirectory } from '../config/policy-file.ts';
import { run } from './shell.ts';

const TOKEN = 'a-token-that-nobody-may-see-0123456789';
const HERE = 'http://127.0.0.1:9';

type Case = {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: string;
};

const WRONG: readonly Case[] = [
  {
    name: 'two options',
    args: ['--url', HERE, '--config', 'x'],
    says: '--url and --config name two',
  },
  {
    name: 'two variables',
    env: { POSTERN_URL: HERE, POSTERN_CONFIG: 'x' },
    says: 'POSTERN_URL and POSTERN_CONFIG name two',
  },
  { name: 'no token', env: { POSTERN_URL: HERE }, says: 'POSTERN_TOKEN is not set' },
  {
    name: 'an empty token',
    env: { POSTERN_URL: HERE, POSTERN_TOKEN: ' ' },
    says: 'POSTERN_TOKEN is not set',
  },
  {
    name: 'a token of two lines',
    env: { POSTERN_URL: HERE, POSTERN_TOKEN: `${TOKEN}\n${TOKEN}` },
    says: 'characters that no token has',
  },
  {
    name: 'a token file that is missing',
    args: ['--url', HERE, '--token-file', '/nowhere/t'],
    says: '/nowhere/t cannot be read (ENOENT)',
  },
  {
    name: 'a URL that is none',
    args: ['--url', TOKEN],
    says: 'the URL of the API begins with https://',
  },
  {
    name: 'another scheme',
    args: ['--url', `ftp://${TOKEN}`],
    says: 'the URL of the API begins with https://',
  },
  {
    name: 'a password in the URL',
    args: ['--url', `https://me:${TOKEN}@example.com`],
    says: 'holds no user and password',
  },
  {
    name: 'a query in the URL',
    args: ['--url', `https://example.com/?k=${TOKEN}`],
    says: 'has no query',
  },
  {
    name: 'http to another machine',
    args: ['--url', 'http://192.0.2.1:9192'],
    says: 'http: would show the token',
  },
  {
    name: 'http to a name that begins like this machine',
    args: ['--url', 'http://localhost.example.com'],
    says: 'http: would show the token',
  },
  {
    name: 'a header that cannot be',
    args: ['--url', HERE, '--token-header', 'a b'],
    says: '--token-header',
  },
  {
    name: 'a timeout that is none',
    args: ['--url', HERE, '--timeout', '0s'],
    env: { POSTERN_TOKEN: TOKEN },
    says: '--timeout',
  },
];

test.each(WRONG)('$name is a wrong command line', async ({ args = [], env = {}, says }) => {
  const { code, out, err } = await run(['keys', 'list', ...args], { env });
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(says);
  expect(err).not.toContain(TOKEN);
});

/** A server that answers as it is told, and what it was asked. */
async function openServer(answer: RequestListener) {
  const asked: { readonly path: string; readonly headers: NodeJS.Dict<string | string[]> }[] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? '', headers: request.headers });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const EMPTY_LIST: RequestListener = (_request, response) => {
  response.setHeader('content-type', 'application/json').end('{"data":[],"next_cursor":null}');
};

describe('which API is asked', () => {
  test('an option wins over the environment, and --verbose says which it is', async () => {
    await using server = await openServer(EMPTY_LIST);
    const env = { POSTERN_URL: 'http://127.0.0.1:1', POSTERN_TOKEN: TOKEN };
    const { code, err } = await run(['keys', 'list', '--url', `${server.url}/base/`, '--verbose'], {
      env,
    });
    expect(code).toBe(0);
    expect(err).toBe(`using ${server.url}/base\nnone`);
    expect(server.asked).toMatchObject([
      { path: '/base/v1/api-keys?limit=50', headers: { authorization: `Bearer ${TOKEN}` } },
    ]);
  });

  test('the token comes from a file, and stands where --token-header says', async () => {
    await using server = await openServer(EMPTY_LIST);
    using directory = openDirectory({ token: `${TOKEN}\n` });
    const file = join(directory.path, 'token');
    const args = [
      'keys',
      'list',
      '--url',
      server.url,
      '--token-file',
      file,
      '--token-header=X-Api-Key',
    ];
    expect(await run(args, { env: { POSTERN_TOKEN: 'another' } })).toMatchObject({ code: 0 });
    const [asked] = server.asked;
    expect(asked?.headers['x-api-key']).toBe(TOKEN);
    expect(asked?.headers['authorization']).toBeUndefined();
  });
});

const STRANGE: readonly (readonly [string, RequestListener, string])[] = [
  [
    'a page',
    (_, response) => void response.end('<html>hello</html>'),
    'none of the management API',
  ],
  [
    'a page of an error',
    (_, response) => void response.writeHead(502).end('bad gateway'),
    '(status 502)',
  ],
  ['nothing', (_, response) => void response.end(), 'none of the management API'],
  [
    'a redirection',
    (_, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
    '(status 307)',
  ],
  [
    'JSON that is no list',
    (_, response) => void response.end('{"ok":true}'),
    'the answer is no list',
  ],
  [
    'a list without end',
    (_, response) => void response.end('{"data":[],"next_cursor":"a"}'),
    'the list does not end',
  ],
  ['a connection that breaks', (request) => void request.socket.destroy(), 'cannot be reached'],
];

test.each(STRANGE)('%s instead of the API is told as such', async (_name, answer, says) => {
  await using server = await openServer(answer);
  const env = { POSTERN_URL: server.url, POSTERN_TOKEN: TOKEN };
  const { code, err } = await run(['keys', 'list', '--all'], { env });
  expect(code).toBe(1);
  expect(err).toContain(says);
  expect(err).not.toContain(TOKEN);
  expect(new Set(server.asked.map(({ path }) => path.split('?')[0]))).toEqual(
    new Set(['/v1/api-keys']),
  );
});

test('an API that does not answer is given up', async () => {
  await using server = await openServer(() => {});
  const env = { POSTERN_URL: server.url, POSTERN_TOKEN: TOKEN };
  const { code, err } = await run(['keys', 'list', '--timeout', '50ms'], { env });
  expect(code).toBe(1);
  expect(err).toContain(`${server.url} cannot be reached: no answer in time`);
});

test('an answer that was lost can be asked for again: the command says how', async () => {
  let seen: string | string[] | undefined;
  await using server = await openServer((request) => {
    seen = request.headers['idempotency-key'];
    request.socket.destroy();
  });
  const env = { POSTERN_URL: server.url, POSTERN_TOKEN: TOKEN };
  for (const args of [
    ['keys', 'create', '--name=CI'],
    ['keys', 'rotate', 'k1'],
  ]) {
    const { code, err } = await run(args, { env });
    expect(code).toBe(1);
    expect(seen).toMatch(/^[\w-]{36}$/);
    expect(err).toContain(`--idempotency-key ${seen}`);
  }
});

test('a refusal is told with when to try again, and nothing of it steers the terminal', async () => {
  await using server = await openServer((_request, response) => {
    response.writeHead(503, { 'retry-after': '7' });
    response.end(
      JSON.stringify({
        detail: 'no\u001b[2Jstore',
        reason: 'unavailable',
        errors: [null, { pointer: '/a\u0007' }],
      }),
    );
  });
  const env = { POSTERN_URL: server.url, POSTERN_TOKEN: TOKEN };
  const { code, err } = await run(['keys', 'show', 'k1'], { env });
  expect(code).toBe(1);
  expect(err).toBe(
    'refused: no\\u001b[2Jstore (503 unavailable)\n  : \n  /a\\u0007: \nwhat to do: try again in 7 s',
  );
});
