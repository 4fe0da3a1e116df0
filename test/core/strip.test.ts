import { describe, expect, test } from 'vitest';
import { type PolicySpec, rawKey } from './build.ts';
import { upstreamOf } from './build-upstream.ts';

const RAW = rawKey();

describe('credentials are removed', () => {
  const spec: PolicySpec = {
    readFrom: [
      { kind: 'bearer' },
      { kind: 'header', name: 'x-api-key' },
      { kind: 'query', name: 'api_key' },
      { kind: 'query', name: 'k' },
    ],
    issuers: [
      {
        name: 'id',
        readFrom: [
          { kind: 'cookie', name: 'session' },
          { kind: 'header', name: 'x-token' },
        ],
      },
    ],
    keys: [{ raw: RAW }],
    routes: [
      { path: '/p/**', access: 'public' },
      { path: '/keep/**', access: 'public', stripCredentials: false },
      { path: '/keep-key', stripCredentials: false },
      { path: '/**' },
    ],
  };
  const removed = async (path: string) => (await upstreamOf(spec, { path })).set[':path'];

  test('from every place where one may stand, whichever was used', async () => {
    for (const asked of [{ bearer: RAW, path: '/x' }, { path: '/p/x' }]) {
      const { remove } = await upstreamOf(spec, asked);
      for (const name of ['authorization', 'x-api-key', 'x-token']) expect(remove).toContain(name);
    }
  });

  test.each([
    ['/p?api_key=x', '/p'],
    ['/p?api_key=x&a=1', '/p?a=1'],
    ['/p?a=1&api_key=x', '/p?a=1'],
    ['/p?a=1&api_key=x&b=%20+%7e&&c', '/p?a=1&b=%20+%7e&&c'],
    ['/p?z=1&api_key=x&a=2&api_key=y', '/p?z=1&a=2'],
    ['/p?api%5Fkey=x&a', '/p?a'],
    ['/p?api%5fkey=x&a', '/p?a'],
    ['/p?%61%70%69_key=x&a', '/p?a'],
    ['/p?API_KEY=x&a', '/p?a'],
    ['/p?Api%5FKey=x&a', '/p?a'],
    ['/p?api_key&a', '/p?a'],
    ['/p?api_key=&a', '/p?a'],
    ['/p?api_key=x=y&a', '/p?a'],
    ['/p?k=x&api_key=y&a', '/p?a'],
    ['/p?api_key=x%zz&a', '/p?a'],
    ['/p/?api_key=x', '/p/'],
    ['/p/a%20b?api_key=x&q=%2F', '/p/a%20b?q=%2F'],
  ])('from the query byte for byte: %s becomes %s', async (path, expected) => {
    expect(await removed(path)).toBe(expected);
  });

  test.each([
    '/p',
    '/p?',
    '/p?a=1',
    '/p?xapi_key=1',
    '/p?api_keys=1',
    '/p?a=api_key',
    '/p?a=1&&',
    '/p?key=api_key=x',
  ])('nothing is changed where there is none: %s', async (path) => {
    expect(await removed(path)).toBeUndefined();
  });

  test.each([
    ['session=x', undefined, true],
    ['session=x; a=b', 'a=b', false],
    ['a=b; session=x; c="d e"', 'a=b; c="d e"', false],
    ['a=b; session=x; session=y', 'a=b', false],
    ['a=b', undefined, false],
    ['sessions=x; SESSION=y', undefined, false],
    ['session=x; name=caf\u00c3\u00a9', 'name=café', false],
    ['session=x; name=\u00ff', undefined, true],
  ])('from the cookies: %s', async (cookie, expected, isGone) => {
    const { set, remove } = await upstreamOf(spec, { path: '/p', headers: { cookie } });
    expect(set['cookie']).toBe(expected);
    expect(remove.has('cookie')).toBe(isGone);
  });

  test('not where the route keeps them', async () => {
    const headers = { cookie: 'session=x', 'x-api-key': 'x' };
    const { set, remove } = await upstreamOf(spec, { path: '/keep?api_key=x', headers });
    expect(set).not.toHaveProperty(':path');
    expect(set).not.toHaveProperty('cookie');
    for (const name of ['authorization', 'x-api-key', 'cookie']) expect(remove).not.toContain(name);
  });

  test('but there too where the key hides them', async () => {
    const hidden: PolicySpec = { ...spec, keys: [{ raw: RAW, hide_credentials: true }] };
    const asked = { path: '/keep-key', bearer: RAW };
    expect((await upstreamOf(hidden, asked)).remove).toContain('authorization');
    expect((await upstreamOf(spec, asked)).remove).not.toContain('authorization');
    const query = { path: `/keep-key?a=1&api_key=${RAW}` };
    expect((await upstreamOf(hidden, query)).set[':path']).toBe('/keep-key?a=1');
  });
});
