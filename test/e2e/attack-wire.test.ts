import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN, type Castle, openCastle } from './attack-castle.ts';

let castle: Castle;

beforeAll(async () => {
  castle = await openCastle();
});
afterAll(() => castle?.stop());

const AUTH = `authorization: Bearer ${ADMIN}\r\n`;
const HOST = 'host: x\r\n';
const PATIENCE_MS = 2000;
const BODY = '{"name":"wire","prefix":"pst_live_"}';
const JSON_TYPE = 'content-type: application/json\r\n';

/** A report that nobody signed, for which no credential is asked. */
const report = (body: string) =>
  `POST /v1/leaked-keys HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: 36\r\n\r\n${body}`;

type Said = { readonly text: string; readonly isClosed: boolean };

/** Sends bytes and hears what comes until the end, or until enough answers have come. */
function speak(
  bytes: string,
  more: { readonly answers?: number; readonly isHalf?: boolean } = {},
): Promise<Said> {
  const { answers = Infinity, isHalf = false } = more;
  const { hostname, port } = new URL(castle.apiUrl);
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    const end = (isClosed: boolean) => {
      clearTimeout(patience);
      socket.destroy();
      resolve({ text, isClosed });
    };
    const patience = setTimeout(() => end(false), PATIENCE_MS);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (statusesOf(text).length >= answers) end(false);
    });
    socket.on('error', () => end(true));
    socket.on('end', () => end(true));
    if (isHalf) socket.end(bytes, 'latin1');
    else socket.write(bytes, 'latin1');
  });
}

function statusesOf(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));
}

const get = (path: string, lines = '') => `GET ${path} HTTP/1.1\r\n${HOST}${AUTH}${lines}\r\n`;
const post = (lines: string, body: string) =>
  `POST /v1/api-keys HTTP/1.1\r\n${HOST}${AUTH}${JSON_TYPE}${lines}\r\n${body}`;

describe('bytes that are no request are refused, and make nothing', () => {
  test.for<readonly [name: string, bytes: string]>([
    ['headers of 60 KB', get('/v1/api-keys', `x-bomb: ${'x'.repeat(60_000)}\r\n`)],
    ['twenty thousand headers', get('/v1/api-keys', 'a: b\r\n'.repeat(20_000))],
    ['a target of 60 KB', get(`/v1/api-keys?a=${'x'.repeat(60_000)}`)],
    ['two lengths', post('content-length: 5\r\ncontent-length: 36\r\n', BODY)],
    [
      'a length and pieces',
      post('content-length: 36\r\ntransfer-encoding: chunked\r\n', `24\r\n${BODY}\r\n0\r\n\r\n`),
    ],
    ['a length that is no number', post('content-length: 0x24\r\n', BODY)],
    ['a negative length', post('content-length: -1\r\n', BODY)],
    [
      'pieces in another coding',
      post('transfer-encoding: gzip, chunked\r\n', `24\r\n${BODY}\r\n0\r\n\r\n`),
    ],
    [
      'a coding that is spelt oddly',
      post('transfer-encoding: xchunked\r\n', `24\r\n${BODY}\r\n0\r\n\r\n`),
    ],
    ['a piece of no size', post('transfer-encoding: chunked\r\n', `zz\r\n${BODY}\r\n0\r\n\r\n`)],
    ['a folded header', get('/v1/api-keys', 'x-a: b\r\n c\r\n')],
    ['a header without a name', get('/v1/api-keys', ': b\r\n')],
    ['a space before the colon', get('/v1/api-keys', 'x-a : b\r\n')],
    ['NUL in a header', get('/v1/api-keys', 'x-a: b\u0000c\r\n')],
    ['a lone line feed', 'GET /v1/api-keys HTTP/1.1\nhost: x\n\n'],
    ['no version', 'GET /v1/api-keys\r\n\r\n'],
    ['another version', `GET /v1/api-keys HTTP/3.0\r\n${HOST}\r\n`],
    ['no host', 'GET /v1/api-keys HTTP/1.1\r\n\r\n'],
    ['a host that is none', `GET /v1/api-keys HTTP/1.1\r\nhost: a b/c?d\r\n${AUTH}\r\n`],
    ['two hosts', `GET /v1/api-keys HTTP/1.1\r\n${HOST}host: y\r\n${AUTH}\r\n`],
    ['a method nobody knows', `STEAL /v1/api-keys HTTP/1.1\r\n${HOST}${AUTH}\r\n`],
    ['TRACE', `TRACE /v1/api-keys HTTP/1.1\r\n${HOST}${AUTH}\r\n`],
    ['CONNECT', `CONNECT x:443 HTTP/1.1\r\n${HOST}${AUTH}\r\n`],
    ['a target of no path', `GET api-keys HTTP/1.1\r\n${HOST}${AUTH}\r\n`],
    ['a star', `OPTIONS * HTTP/1.1\r\n${HOST}${AUTH}\r\n`],
    [
      'another host as the target',
      `GET //evil.example.com/v1/api-keys HTTP/1.1\r\n${HOST}${AUTH}\r\n`,
    ],
    ['an expectation', post('content-length: 36\r\nexpect: the-worst\r\n', BODY)],
    [
      'an upgrade',
      get('/v1/nothing', 'connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n'),
    ],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'],
  ])('%s', async ([, bytes]) => {
    const before = await castle.dump();
    const { text, isClosed } = await speak(bytes, { answers: 1 });
    const [status = isClosed ? 400 : 0] = statusesOf(text);
    expect([status, text.slice(0, 300)]).toEqual([
      expect.toSatisfy((one) => one >= 400 && one < 500),
      expect.anything(),
    ]);
    expect(text).not.toContain(ADMIN);
    expect(await castle.dump()).toBe(before);
  });

  test('what follows a refused body on one connection is not taken for a request of its own', async () => {
    const before = await castle.dump();
    const smuggled = post(`content-length: ${BODY.length}\r\n`, BODY);
    const outer = `POST /v1/nothing HTTP/1.1\r\n${HOST}${AUTH}content-length: ${smuggled.length}\r\n\r\n${smuggled}`;
    const { text } = await speak(outer + get('/v1/scopes'), { answers: 3 });
    // The connection may also be closed, since nobody read the body.
    expect([[404], [404, 200]]).toContainEqual(statusesOf(text));
    expect(await castle.dump()).toBe(before);
  });
});

describe('slow, cut and hasty clients', () => {
  test('sixty requests at once on one connection are answered in their order', async () => {
    const paths = Array.from({ length: 60 }, (_, at) =>
      at % 3 === 0 ? '/v1/nothing' : at % 3 === 1 ? '/v1/scopes' : '/v1/api-keys?limit=0',
    );
    const { text } = await speak(paths.map((path) => get(path)).join(''), { answers: 60 });
    expect(statusesOf(text)).toEqual(paths.map((_, at) => [404, 200, 400][at % 3]));
  });

  test('bodies that stop in the middle make nothing and are no failure of Postern', async () => {
    const before = await castle.dump();
    const cuts = Array.from({ length: 20 }, (_, at) => BODY.slice(0, at));
    const said = await Promise.all([
      ...cuts.map((cut) => speak(post('content-length: 36\r\n', cut), { isHalf: true })),
      ...cuts.map((cut) => speak(report(cut), { isHalf: true })),
      ...cuts.map((cut) =>
        speak(post('transfer-encoding: chunked\r\n', `24\r\n${cut}`), { isHalf: true }),
      ),
    ]);
    const statuses = said.flatMap(({ text }) => statusesOf(text));
    expect(statuses.filter((status) => status < 400 || status > 499)).toEqual([]);
    expect(await castle.dump()).toBe(before);
    const errors = castle.postern
      .stderr()
      .split('\n')
      .filter((line) => line.includes('"level":50'));
    expect(errors.slice(0, 1)).toEqual([]);
  });

  test('two hundred clients that say nothing more keep nobody else waiting', async () => {
    const { hostname, port } = new URL(castle.apiUrl);
    const sockets = Array.from({ length: 200 }, (_, at) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.write(
        at % 2 === 0 ? 'GET /v1/api-keys HTTP/1.1\r\nhost' : post('content-length: 36\r\n', '{"na'),
      );
      return socket;
    });
    const startedMs = performance.now();
    const { status } = await castle.ask('GET', '/v1/api-keys');
    const tookMs = performance.now() - startedMs;
    for (const socket of sockets) socket.destroy();
    expect(status).toBe(200);
    expect(tookMs).toBeLessThan(2000);
  });
});

test('every answer says that it is not to be kept, nor guessed at, nor framed', async () => {
  for (const path of ['/', '/openapi.json', '/v1/api-keys', '/v1/nothing', '/v1/auth/verify']) {
    const { headers, text } = await castle.ask('GET', path);
    expect([path, headers['x-content-type-options']]).toEqual([path, 'nosniff']);
    if (path.startsWith('/v1/')) expect(headers['cache-control']).toBe('no-store');
    if (path === '/') expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).not.toContain('<script');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  }
});
