import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ROUTES } from '../../src/api/routes.ts';
import { isOpenRow } from '../../src/api/row.ts';
import { ADMIN, openStage, pointers, sha256, token } from './stage.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

test('every row but those of the documents and of signed reports needs a credential', async () => {
  await using stage = await openStage();
  for (const row of ROUTES) {
    const path = row.path.replaceAll(/\{\w+\}/g, 'x');
    if (isOpenRow(row)) continue;
    const came = await stage.ask(row.method, path, row.body ? { body: {} } : {});
    expect([path, came.status, came.body.reason]).toEqual([path, 401, 'missing_credential']);
    expect(came.headers.get('www-authenticate')).toBe('Bearer realm="postern"');
  }
});

test('every row that names a scope refuses who lacks it', async () => {
  await using stage = await openStage();
  const powerless = await token({ scope: 'reports:read', org: 'acme' });
  for (const row of ROUTES) {
    if (isOpenRow(row) || row.scope === 'any') continue;
    const path = row.path.replaceAll(/\{\w+\}/g, 'x');
    const came = await stage.ask(row.method, path, {
      as: powerless,
      ...(row.body && { body: {} }),
    });
    expect([path, came.status, came.body.reason]).toEqual([path, 403, 'insufficient_scope']);
    expect(came.headers.get('www-authenticate')).toContain(`scope="${row.scope}"`);
  }
});

describe('requests that are none of ours', () => {
  test.each([
    ['GET', '/v1/nothing', 404],
    ['GET', '/v1/api-keys/', 404],
    ['PUT', '/v1/api-keys', 405],
    ['DELETE', '/v1/api-keys', 405],
    ['POST', '/', 405],
    ['GET', '/v1/api-keys/a%2Fb', 404],
    ['GET', '/v1/api-keys/a%00b', 404],
    ['GET', `/v1/api-keys/${'x'.repeat(65)}`, 404],
    ['GET', '/v1/api-keys/constructor', 404],
    ['GET', '/v1/api-keys/__proto__', 404],
  ])('%s %s is %i', async (method, path, status) => {
    await using stage = await openStage();
    expect((await stage.admin(method, path)).status).toBe(status);
  });

  test('a 405 names the methods that there are', async () => {
    await using stage = await openStage();
    const came = await stage.admin('PUT', '/v1/api-keys');
    expect(came.headers.get('allow')).toBe('HEAD, POST, GET');
  });

  test('HEAD is GET without a body', async () => {
    await using stage = await openStage();
    const came = await stage.admin('HEAD', '/v1/api-keys/declared');
    expect([came.status, came.text]).toEqual([200, '']);
  });
});

describe('bodies', () => {
  test.each([
    ['malformed JSON', '{"name":', 400, 'malformed_body'],
    ['a member twice', '{"name":"a","name":"b"}', 400, 'malformed_body'],
    ['a member twice, once escaped', '{"name":"a","n\\u0061me":"b"}', 400, 'malformed_body'],
    ['deep nesting', `{"metadata":${'['.repeat(50)}${']'.repeat(50)}}`, 400, 'malformed_body'],
    ['hostile nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400, 'malformed_body'],
    ['a byte order mark', '\ufeff{"name":"a"}', 400, 'malformed_body'],
    ['nothing', '', 400, 'missing_body'],
    ['no object', '[]', 422, 'validation_failed'],
    ['null', 'null', 422, 'validation_failed'],
  ])('%s', async (_, raw, status, reason) => {
    await using stage = await openStage();
    const came = await stage.ask('POST', '/v1/api-keys', { as: ADMIN, raw, headers: JSON_TYPE });
    expect([came.status, came.body.reason]).toEqual([status, reason]);
    expect(stage.failures).toEqual([]);
  });

  test('bytes that are no UTF-8', async () => {
    await using stage = await openStage();
    const raw = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const came = await stage.ask('POST', '/v1/api-keys', { as: ADMIN, raw, headers: JSON_TYPE });
    expect([came.status, came.body.reason]).toEqual([400, 'malformed_body']);
  });

  test.each([
    ['none', undefined],
    ['a form', 'application/x-www-form-urlencoded'],
    ['another charset', 'application/json; charset=latin1'],
    ['a neighbour', 'application/jsonx'],
  ])('content-type %s is 415', async (_, type) => {
    await using stage = await openStage();
    const raw = new TextEncoder().encode('{"name":"a"}');
    const headers = type === undefined ? {} : { 'content-type': type };
    const came = await stage.ask('POST', '/v1/api-keys', { as: ADMIN, raw, headers });
    expect([came.status, came.body.reason]).toEqual([415, 'unsupported_media_type']);
  });

  test('10 MB are refused, announced or streamed', async () => {
    await using stage = await openStage();
    const raw = 'x'.repeat(10 * 1024 * 1024);
    const came = await stage.ask('POST', '/v1/api-keys', { as: ADMIN, raw, headers: JSON_TYPE });
    expect([came.status, came.body.reason]).toEqual([413, 'too_large']);
    expect(await streamed(stage.url, 300 * 1024)).toBe('413');
    expect(await streamed(stage.url, 1024)).toBe('400');
  });
});

describe('queries', () => {
  test.each([
    ['?limit=0', '/limit'],
    ['?limit=201', '/limit'],
    ['?limit=a', '/limit'],
    ['?limit=1&limit=2', '/limit'],
    ['?colour=red', '/colour'],
    ['?status=gone', '/status'],
    ['?unused_since=yesterday', '/unused_since'],
    ['?__proto__=1', '/__proto__'],
  ])('%s is 400', async (query, pointer) => {
    await using stage = await openStage();
    const came = await stage.admin('GET', `/v1/api-keys${query}`);
    expect([came.status, came.body.reason, pointers(came)]).toEqual([
      400,
      'malformed_query',
      [pointer],
    ]);
  });
});

describe('pages', () => {
  test('a list is walked by cursor and Link, each item once, and the cursor serves no other list', async () => {
    await using stage = await openStage();
    for (let at = 0; at < 7; at += 1) {
      stage.clock.nowMs += 1000;
      await stage.admin('POST', '/v1/api-keys', { name: `k${at}`, prefix: 'pr_live_' });
    }
    const names: string[] = [];
    let path = '/v1/api-keys?limit=3';
    let cursor = '';
    while (path !== '') {
      const page = await stage.admin('GET', path);
      names.push(...page.body.data.map((one: { name: string }) => one.name));
      const link = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1] ?? '';
      expect(page.body.next_cursor === null).toBe(link === '');
      cursor = page.body.next_cursor ?? cursor;
      path = link;
    }
    expect(names).toEqual(['Declared', 'k6', 'k5', 'k4', 'k3', 'k2', 'k1', 'k0']);
    const foreign = await stage.admin('GET', `/v1/api-keys?kind=service&cursor=${cursor}`);
    expect([foreign.status, foreign.body.reason]).toEqual([400, 'malformed_cursor']);
  });

  test.each(['x', 'e30', '%00', 'bnVsbA'])('the cursor %s is 400', async (cursor) => {
    await using stage = await openStage();
    const came = await stage.admin('GET', `/v1/api-keys?cursor=${cursor}`);
    expect([came.status, came.body.reason]).toEqual([400, 'malformed_cursor']);
  });

  test('a credential in the query stands in no link', async () => {
    await using stage = await openStage();
    const body = { name: 'a', prefix: 'pr_live_', scopes: ['api_keys:read'] };
    const { key } = (await stage.admin('POST', '/v1/api-keys', body)).body;
    await stage.admin('POST', '/v1/api-keys', body);
    const came = await stage.ask('GET', `/v1/api-keys?limit=1&api_key=${key}`);
    expect(came.status).toBe(200);
    expect(came.headers.get('link')).toContain('cursor=');
    expect([...came.headers].join()).not.toContain(key);
  });
});

describe('failures', () => {
  test('a store that fails is 503 without details', async () => {
    await using stage = await openStage();
    const failing = async () => {
      throw new Error('disk full: /secret/path');
    };
    await using broken = await openStage(undefined, { store: { ...stage.store, getKey: failing } });
    const came = await broken.admin('GET', '/v1/api-keys/x');
    expect([came.status, came.body.reason, came.headers.get('retry-after')]).toEqual([
      503,
      'unavailable',
      '1',
    ]);
    expect(came.text).not.toContain('disk');
    expect(broken.failures).toHaveLength(1);
  });

  test('a bug is 500 without details', async () => {
    await using stage = await openStage(undefined, {
      randomBytes: () => {
        throw new Error('no entropy');
      },
    });
    const came = await stage.admin('POST', '/v1/api-keys', { name: 'a', prefix: 'pr_live_' });
    expect([came.status, came.body.reason]).toEqual([500, 'internal']);
    expect(came.text).not.toContain('entropy');
  });
});

describe('who calls', () => {
  test('a request id is taken over where it looks like one', async () => {
    await using stage = await openStage();
    const path = '/v1/api-keys/x';
    const good = await stage.admin('GET', path, undefined, { 'x-request-id': 'a.b-1' });
    expect([good.headers.get('x-request-id'), good.body.request_id]).toEqual(['a.b-1', 'a.b-1']);
    const bad = await stage.admin('GET', path, undefined, { 'x-request-id': '<script>' });
    expect(bad.headers.get('x-request-id')).not.toBe('<script>');
  });

  test.each([
    ['x-auth-scopes', 'api_keys:read'],
    ['x-auth-username', 'admin'],
    ['x-auth-method', 'admin'],
  ])('%s from a client opens nothing', async (name, value) => {
    await using stage = await openStage();
    const came = await stage.ask('GET', '/v1/api-keys', { headers: { [name]: value } });
    expect(came.status).toBe(401);
  });

  test.each([
    ['as a key header', { 'x-api-key': ADMIN }],
    ['under another scheme', { authorization: `Basic ${ADMIN}` }],
    ['as its digest', { authorization: `Bearer ${sha256(ADMIN)}` }],
    ['cut short', { authorization: `Bearer ${ADMIN.slice(0, -1)}` }],
  ])('the admin token %s opens nothing', async (_, headers) => {
    await using stage = await openStage();
    expect((await stage.ask('GET', '/v1/api-keys', { headers })).status).toBe(401);
  });

  test('the admin token beside another credential is one too many', async () => {
    await using stage = await openStage();
    const headers = { 'x-api-key': 'pr_live_x' };
    const came = await stage.ask('GET', '/v1/api-keys', { as: ADMIN, headers });
    expect([came.status, came.body.reason]).toEqual([400, 'duplicate_credential']);
  });
});

/** Sends a body without a length, in chunks, and answers the status of what comes back. */
function streamed(url: string, size: number): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /v1/api-keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      const chunk = 'x'.repeat(1024);
      for (let sent = 0; sent < size; sent += 1024) socket.write(`400\r\n${chunk}\r\n`);
      socket.write('0\r\n\r\n');
    });
    socket.once('data', (data) => {
      resolve(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1] ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
