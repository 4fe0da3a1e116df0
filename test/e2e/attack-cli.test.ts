import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { runCli } from '../envoy-harness/cli.ts';

const TOKEN = 'postern_admin_token_of_this_test_0123456789';
const PATIENCE_MS = 10_000;

/** A server that means no good; it keeps what it was sent. */
async function openImpostor(answer: RequestListener) {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
    response.on('error', () => {});
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function run(url: string, args: readonly string[], token: string = TOKEN) {
  const startedMs = performance.now();
  const answer = await runCli(args, { env: { POSTERN_URL: url, POSTERN_TOKEN: token } });
  return { ...answer, tookMs: performance.now() - startedMs };
}

const json = { 'content-type': 'application/json' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const EVIL = 'a\u001b]0;title\u0007\u001b[2J\r\u009b31m\u202egnp\u0000\u0008';
const SHOWN = {
  id: EVIL,
  name: EVIL,
  workspace_id: EVIL,
  status: EVIL,
  key_prefix: EVIL,
  created_at: EVIL,
};

describe.concurrent('what an API says is not let loose on a terminal', () => {
  const refusal = {
    status: 403,
    detail: EVIL,
    reason: EVIL,
    message: EVIL,
    request_id: EVIL,
    errors: [{ pointer: EVIL, detail: EVIL }],
  };
  test.for([
    ['a list', ['keys', 'list'], 200, { data: [SHOWN], next_cursor: null }],
    ['a list as JSON', ['keys', 'list', '--json'], 200, { data: [SHOWN], next_cursor: null }],
    ['an object', ['keys', 'show', 'x'], 200, SHOWN],
    ['a secret', ['keys', 'rotate', 'x'], 200, { ...SHOWN, key: EVIL }],
    ['a refusal', ['keys', 'show', 'x'], 403, refusal],
    ['a refusal as JSON', ['keys', 'show', 'x', '--json'], 403, refusal],
  ] as const)('%s', async ([, args, status, body]) => {
    await using impostor = await openImpostor((_, response) => {
      response.writeHead(status, json).end(JSON.stringify(body));
    });
    const { stdout, stderr } = await run(impostor.url, args);
    expect(stdout + stderr).not.toMatch(CONTROL);
    expect((stdout + stderr).length).toBeGreaterThan(0);
  });
});

describe.concurrent('a server that means no good', () => {
  test.for([302, 307])('does not get the token sent elsewhere by %i', async (status) => {
    await using elsewhere = await openImpostor((_, response) =>
      response.writeHead(200, json).end('{}'),
    );
    await using impostor = await openImpostor((_, response) => {
      response.writeHead(status, { ...json, location: `${elsewhere.url}/v1/api-keys` }).end('{}');
    });
    const { code, stdout, stderr } = await run(impostor.url, ['keys', 'list']);
    expect([code, elsewhere.heard]).toEqual([1, []]);
    expect(stdout + stderr).not.toContain(TOKEN);
  });

  const endless: RequestListener = (_, response) => {
    response.writeHead(200, json);
    const pour = () => {
      while (!response.destroyed && response.write(' '.repeat(1 << 20)));
      if (!response.destroyed) response.once('drain', pour);
    };
    pour();
  };
  test.for<readonly [string, RequestListener, readonly string[]]>([
    ['says nothing', () => {}, ['--timeout', '1s']],
    [
      'stops in the middle',
      (_, response) => void response.writeHead(200, json).write('{"data":['),
      ['--timeout', '1s'],
    ],
    ['hangs up', (request) => void request.socket.destroy(), []],
    ['never ends', endless, []],
    [
      'answers a page for people',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      [],
    ],
    ['answers no JSON', (_, response) => void response.writeHead(200, json).end('{"data":'), []],
    [
      'answers another shape',
      (_, response) => void response.writeHead(200, json).end('{"data":7,"next_cursor":{}}'),
      [],
    ],
    ['answers null', (_, response) => void response.writeHead(200, json).end('null'), []],
    [
      'answers a deep list',
      (_, response) => void response.writeHead(200, json).end('['.repeat(200_000)),
      [],
    ],
    [
      'answers with names of the prototype',
      (_, response) =>
        void response
          .writeHead(403, json)
          .end('{"reason":"__proto__","errors":[null,7,{"pointer":"/constructor"}]}'),
      [],
    ],
  ])('that %s does not hold anybody up, nor learn more', async ([, answer, args]) => {
    await using impostor = await openImpostor(answer);
    const { code, stdout, stderr, tookMs } = await run(impostor.url, ['keys', 'list', ...args]);
    expect([code, tookMs < PATIENCE_MS]).toEqual([1, true]);
    expect(stdout + stderr).not.toContain(TOKEN);
    expect(stderr).not.toMatch(/\n\s+at .*:\d+/);
    expect(stderr.length).toBeLessThan(4000);
  });

  test('that gives the same cursor for ever is not followed for ever', async () => {
    let asked = 0;
    await using impostor = await openImpostor((_, response) => {
      asked += 1;
      if (asked > 2000) response.destroy();
      else response.writeHead(200, json).end('{"data":[{"id":"x"}],"next_cursor":"again"}');
    });
    const { tookMs } = await run(impostor.url, ['keys', 'list', '--all']);
    expect([asked < 1000, tookMs < PATIENCE_MS]).toEqual([true, true]);
  });
});

describe.concurrent('a token', () => {
  test.for<readonly [name: string, url: string, token: string]>([
    ['in the clear to another machine', 'http://192.0.2.1:9', TOKEN],
    ['in the address', 'http://user:pass@127.0.0.1:9', TOKEN],
    ['to no server at all', 'file:///etc/passwd', TOKEN],
    ['with a line of its own', 'http://127.0.0.1:9', 'a\r\nx-evil: 1'],
    ['that is empty', 'http://127.0.0.1:9', ''],
  ])('does not go %s', async ([, url, token]) => {
    const { code, stdout, stderr } = await run(url, ['keys', 'list'], token);
    expect(code).toBe(2);
    if (token !== '') expect(stdout + stderr).not.toContain(token);
  });

  test('needs no place among the arguments, and no option takes one', async () => {
    for (const command of [
      ['keys', 'create'],
      ['keys', 'verify'],
      ['keys', 'import'],
    ]) {
      const { stdout } = await runCli([...command, '--help']);
      expect(stdout.length).toBeGreaterThan(100);
      expect(stdout).not.toMatch(/--(token|key|secret|password) /);
    }
  });

  test.for<readonly [id: string, path: string]>([
    ['../users/x', '..%2Fusers%2Fx'],
    ['a?b=c#d', 'a%3Fb%3Dc%23d'],
    ['%2e%2e', '%252e%252e'],
    ['x/rotate', 'x%2Frotate'],
  ])('goes to no other path by the id %s', async ([id, path]) => {
    await using impostor = await openImpostor((_, response) =>
      response.writeHead(404, json).end('{}'),
    );
    await run(impostor.url, ['keys', 'show', id]);
    expect(impostor.heard.map((line) => line.split(' ')[1])).toEqual([`/v1/api-keys/${path}`]);
  });
});
