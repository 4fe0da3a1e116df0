import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import {
  type Encoding,
  field,
  httpOf,
  type Line,
  messageOf,
  spoil,
  unknownField,
} from './messages.ts';
import { mint, policyText } from './policy.ts';
import { openRawClient, type RawAnswer, type RawClient } from './raw-client.ts';

const MIB = 1024 * 1024;
const SERVING = 1;
const ENCODINGS: readonly Encoding[] = ['raw', 'joined'];
const SECRET = 'a shared secret for the tests of the wire';
const key = mint();
const GOOD: readonly Line[] = [['x-api-key', key.raw]];

let postern: Postern;
let client: RawClient;

beforeAll(async () => {
  const policy = {
    api_keys: {
      read_from: ['bearer', { header: 'x-api-key' }, { query: 'api_key' }],
      declared: [{ id: 'one', hash: key.hash, username: 'ada' }],
    },
    issuers: [{ name: 'id', secret: SECRET, audience: 'api', read_from: [{ cookie: 'session' }] }],
    routes: [
      { name: 'public', path: '/public', access: 'public' },
      { name: 'all', path: '/v1/**', access: ['api_key'] },
    ],
  };
  postern = await startPostern({ policy: policyText(policy) });
  client = openRawClient(postern.checkAddress, undefined, {
    'grpc.max_send_message_length': -1,
  });
});

afterAll(async () => {
  client?.close();
  await postern?.kill();
});

afterEach(async () => {
  expect(await client.health()).toBe(SERVING);
});

/** A refusal that Envoy cannot take for anything else. */
function expectRefused(answer: RawAnswer, status: number, reason: string): void {
  expect(answer).toMatchObject({ status, metadata: { decision: 'deny', reason } });
  expect(answer.code).toBeGreaterThan(0);
  expect(JSON.parse(answer.body)).toMatchObject({ reason });
}

describe('a message that is no question', () => {
  const good = messageOf({ lines: GOOD });
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['attributes without anything', field(1, new Uint8Array())],
    ['a request without http', field(1, field(4, new Uint8Array()))],
    ['http without anything', field(1, field(4, field(2, new Uint8Array())))],
    ['unknown fields only', unknownField(7, 'what newer versions say')],
    ['attributes of unknown fields only', field(1, unknownField(700, 'new'))],
    ['a length beyond the end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])],
    ['a number that never ends', Buffer.alloc(64, 0xff)],
    ['a wire type that does not exist', Buffer.from([0x0f, 0x01])],
    ['a group in a group, half a million deep', Buffer.alloc(MIB / 2, 0x0b)],
    ['half a question', good.subarray(0, good.length / 2)],
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('%s: 400', async (_name, bytes) => {
    expectRefused(await client.check(bytes), 400, 'malformed_request');
  });

  test('random bytes: never an allow', async () => {
    for (let turn = 0; turn < 300; turn += 1) {
      const answer = await client.check(randomBytes(turn * 7));
      expect(answer.code).toBeGreaterThan(0);
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });

  test('a question without a credential, some of its bytes changed: never an allow', async () => {
    const bare = messageOf({ lines: [['x-other', 'value']] });
    for (let turn = 0; turn < 500; turn += 1) {
      const bytes = Buffer.from(bare);
      for (const at of randomBytes(1 + (turn % 4)))
        bytes[at % bytes.length] = randomBytes(1)[0] ?? 0;
      const answer = await client.check(bytes);
      expect(answer.code).toBeGreaterThan(0);
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('what newer versions of Envoy may add', () => {
  const extra = unknownField(500, 'something new');
  const http = httpOf({ lines: GOOD });
  test.each<[string, Uint8Array]>([
    ['the message', Buffer.concat([messageOf({ lines: GOOD }), extra])],
    ['the attributes', field(1, Buffer.concat([extra, field(4, field(2, http)), extra]))],
    ['tls_session', field(1, Buffer.concat([field(12, extra), field(4, field(2, http))]))],
    ['the request', field(1, field(4, Buffer.concat([extra, field(2, http), extra])))],
    ['http', field(1, field(4, field(2, Buffer.concat([extra, http, extra]))))],
  ])('is ignored in %s', async (_name, bytes) => {
    expect((await client.check(bytes)).metadata).toMatchObject({ username: 'ada' });
  });
});

describe('a body', () => {
  test.each([
    ['of 1 MiB', { body: 'a'.repeat(MIB) }, 0, undefined],
    ['of 4 MiB', { body: 'a'.repeat(4 * MIB) }, 413, 'body_too_large'],
    ['of 4 MiB, packed as bytes', { raw_body: Buffer.alloc(4 * MIB) }, 413, 'body_too_large'],
  ])('%s', async (_name, http, status, reason) => {
    const answer = await client.check(messageOf({ lines: GOOD, http }));
    if (reason === undefined) expect(answer.code).toBe(0);
    else expectRefused(answer, status, reason);
  });

  test('of 9 MiB: the call fails, which Envoy does not take for an allow', async () => {
    const message = messageOf({ lines: GOOD, http: { body: 'a'.repeat(9 * MIB) } });
    await expect(client.check(message)).rejects.toMatchObject({ code: 8 });
  });
});

describe('bytes that are not UTF-8', () => {
  const BAD = [Buffer.from([0xc3, 0x28, 0x80, 0x80]), Buffer.from([0xed, 0xa0, 0x80, 0xff])];
  const refused: readonly (readonly [string, Uint8Array])[] = [
    ['method', messageOf({ lines: GOOD, method: 'GETZZZZ' })],
    ['path', messageOf({ lines: GOOD, path: '/v1/ZZZZ' })],
    ['query', messageOf({ lines: GOOD, path: '/v1/x?a=ZZZZ' })],
    ['path of joined headers', messageOf({ lines: GOOD, path: '/v1/ZZZZ', encoding: 'joined' })],
    ['host', messageOf({ lines: GOOD, host: 'ZZZZ.example.com' })],
    ['header name', messageOf({ lines: [...GOOD, ['x-ZZZZ', '1']] })],
    ['joined header name', messageOf({ lines: [...GOOD, ['x-ZZZZ', '1']], encoding: 'joined' })],
    ['joined header value', messageOf({ lines: [...GOOD, ['x-a', 'ZZZZ']], encoding: 'joined' })],
  ];
  test.each(refused)('in the %s: 400', async (_name, message) => {
    for (const bad of BAD) {
      expectRefused(await client.check(spoil(message, 'ZZZZ', bad)), 400, 'malformed_request');
    }
  });

  test('in a header that no rule reads, in raw bytes, are let through as they are', async () => {
    const message = messageOf({ lines: [...GOOD, ['x-name', 'ZZZZ']] });
    for (const bad of BAD) expect((await client.check(spoil(message, 'ZZZZ', bad))).code).toBe(0);
  });

  test.each(ENCODINGS)('in a credential: 400 (%s)', async (encoding) => {
    const message = messageOf({ lines: [['x-api-key', `ZZZZ${key.raw}`]], encoding });
    const reason = encoding === 'raw' ? 'malformed_credential' : 'malformed_request';
    for (const bad of BAD) {
      expectRefused(await client.check(spoil(message, 'ZZZZ', bad)), 400, reason);
    }
  });

  test.each([
    ['scheme', messageOf({ lines: GOOD, scheme: 'ZZZZ' })],
    ['protocol', messageOf({ lines: GOOD, http: { protocol: 'ZZZZ' } })],
    ['id', messageOf({ lines: GOOD, http: { id: 'ZZZZ' } })],
    ['body', messageOf({ lines: GOOD, http: { body: 'ZZZZ' } })],
    ['address', messageOf({ lines: GOOD, address: 'ZZZZ' })],
    ['context', messageOf({ lines: GOOD, context: { ZZZZ: 'ZZZZ' } })],
  ])('in the %s, which decides nothing here: an answer', async (_name, message) => {
    for (const bad of BAD) {
      const answer = await client.check(spoil(message, 'ZZZZ', bad));
      if (answer.code === 0) expect(answer.metadata).toMatchObject({ username: 'ada' });
      else expectRefused(answer, 400, 'malformed_request');
    }
  });
});

describe.each(ENCODINGS)('names and values of headers, %s', (encoding) => {
  test.each([
    '__proto__',
    'constructor',
    'toString',
    'hasownproperty',
    'length',
    '__defineGetter__',
  ])('a header named %s is plain data', async (name) => {
    const sent = await client.check(messageOf({ lines: [...GOOD, [name, 'x']], encoding }));
    expect(sent.metadata).toMatchObject({ decision: 'allow', username: 'ada' });
    const bare = await client.check(messageOf({ lines: [[name, key.raw]], encoding }));
    expectRefused(bare, 401, 'missing_credential');
  });

  test.each<[string, string, readonly Line[]]>([
    ['Host beside :authority', 'malformed_request', [['host', 'evil.example.com']]],
    ['two Host', 'malformed_request', repeated('host', 'api.example.com')],
    ['two :authority', 'malformed_request', [[':authority', 'api.example.com']]],
    ['two Origin', 'malformed_request', repeated('origin', 'https://a.example.com')],
    ['two Referer', 'malformed_request', repeated('referer', 'https://a.example.com/')],
    ['a Referer and null', 'malformed_request', pair('referer', 'https://a.example.com/', 'null')],
    ['two Authorization', 'duplicate_credential', repeated('authorization', `Bearer ${key.raw}`)],
    [
      'Basic and Bearer',
      'duplicate_credential',
      pair('authorization', 'Basic YQ==', `Bearer ${key.raw}`),
    ],
    ['two X-Api-Key', 'duplicate_credential', repeated('x-api-key', key.raw)],
    ['two X-Api-Key, one empty', 'duplicate_credential', pair('x-api-key', key.raw, '')],
    ['one in two places', 'duplicate_credential', [['authorization', `Bearer ${key.raw}`]]],
  ])('%s: 400 %s', async (_name, reason, lines) => {
    const own = lines.some(([name]) => name === 'x-api-key' || name === 'authorization');
    const all = own && _name !== 'one in two places' ? lines : [...GOOD, ...lines];
    expectRefused(await client.check(messageOf({ lines: all, encoding })), 400, reason);
  });

  test.each([
    ['twice in the query', `/v1/x?api_key=${key.raw}&api_key=${key.raw}`, []],
    ['in another spelling', `/v1/x?api_key=${key.raw}&api%5Fkey=${key.raw}`, []],
    ['in query and header', `/v1/x?api_key=${key.raw}`, GOOD],
  ])('a key %s: 400', async (_name, path, lines) => {
    const answer = await client.check(messageOf({ path, lines, encoding }));
    expectRefused(answer, 400, 'duplicate_credential');
  });
});

test.each([
  'a:8443:443',
  'a:443:443',
  'a b',
  'a,b',
  'a/b',
  'a@b',
  'a:',
  ':x',
  '[::1',
  'a:123456',
  'ä',
])('the host %s is none: 400', async (host) => {
  const answer = await client.check(messageOf({ lines: GOOD, host }));
  expectRefused(answer, 400, 'malformed_request');
});

describe('a cookie that is taken out leaves the others as they were', () => {
  test.each([
    ['a=1; session=t; b=2', 'a=1; b=2'],
    ['session=t;a="x;y"', 'a="x; y"'],
    ['a=\u00c3\u00a9; session=t', 'a=\u00e9'],
    ['a=1; session=t; b=\u00ff\u00c3', 'a=1'],
    ['a=1; SESSION=t; sessions=t;session =t', 'a=1; SESSION=t; sessions=t'],
  ])('%s', async (cookie, kept) => {
    const { set } = await client.check(messageOf({ path: '/public', lines: [['cookie', cookie]] }));
    expect(set['cookie']).toBe(kept);
  });

  test('also where Envoy sends it as text', async () => {
    const lines = [['cookie', 'a=\u00e9\u{1f600}; session=t; b=2']] as const;
    const { set } = await client.check(messageOf({ path: '/public', lines, encoding: 'joined' }));
    expect(set['cookie']).toBe('a=\u00e9\u{1f600}; b=2');
  });

  test('and nothing of it where it is all there is', async () => {
    const lines = [['cookie', 'session=t']] as const;
    const { set, removed } = await client.check(messageOf({ path: '/public', lines }));
    expect([set['cookie'], removed.includes('cookie')]).toEqual([undefined, true]);
  });
});

function repeated(name: string, value: string): readonly Line[] {
  return pair(name, value, value);
}

function pair(name: string, one: string, other: string): readonly Line[] {
  return [
    [name, one],
    [name, other],
  ];
}
