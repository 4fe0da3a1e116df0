import { describe, expect, test } from 'vitest';
import { compileHost, compilePath } from '../../src/core/pattern.ts';
import { decide, outcomeOf, policy, rawKey, token } from './build.ts';
import type { RouteSpec } from './build-route.ts';

const open = (routes: readonly RouteSpec[], more: { ignoreCase?: boolean } = {}) =>
  policy({ routes: routes.map((one) => ({ access: 'public', ...one })), ...more });

describe('patterns match whole segments', () => {
  test.each([
    ['/v1/x', '/v1/x', true],
    ['/v1/x', '/v1/x/', true],
    ['/v1/x/', '/v1/x', true],
    ['/v1/x', '/v1/x?y', true],
    ['/v1/x', '/v1/xy', false],
    ['/v1/x', '/v1/x/y', false],
    ['/v1/x', '/v1', false],
    ['/v1/x', '/V1/x', false],
    ['/v1/x', '/v1/X', false],
    ['/', '/', true],
    ['/', '/?a', true],
    ['/', '/a', false],
    ['/**', '/', true],
    ['/**', '/a/b', true],
    ['/v1/**', '/v1', true],
    ['/v1/**', '/v1/', true],
    ['/v1/**', '/v1/a/b/c', true],
    ['/v1/**', '/v10', false],
    ['/v1/**', '/v1x/a', false],
    ['/v1/**', '/', false],
    ['/v1/*', '/v1/a', true],
    ['/v1/*', '/v1/a/', true],
    ['/v1/*', '/v1', false],
    ['/v1/*', '/v1/', false],
    ['/v1/*', '/v1/a/b', false],
    ['/*/x', '/a/x', true],
    ['/*/x', '/x', false],
    ['/*', '/', false],
    ['/v1/*/x/**', '/v1/a/x', true],
    ['/v1/*/x/**', '/v1/a/x/y', true],
    ['/v1/*/x/**', '/v1/a/y', false],
    ['/v1/a.b', '/v1/a.b', true],
    ['/v1/a.b', '/v1/acb', false],
    ['/__proto__/x', '/__proto__/x', true],
    ['/x', '/__proto__', false],
    ['/x', '/constructor', false],
  ])('%s takes %s: %s', async (path, sent, expected) => {
    const outcome = await outcomeOf(open([{ path }]), { path: sent });
    expect(outcome).toBe(expected ? 'allow' : 'no_route');
  });

  test('a route with several patterns takes each of them', async () => {
    const judged = open([{ path: ['/a', '/b/*'] }]);
    expect(await outcomeOf(judged, { path: '/a' })).toBe('allow');
    expect(await outcomeOf(judged, { path: '/b/c' })).toBe('allow');
    expect(await outcomeOf(judged, { path: '/b' })).toBe('no_route');
  });

  test.each([
    'v1',
    '',
    '/a/../b',
    '/./a',
    '/a//b',
    '/a/**/b',
    '/a*',
    '/a/{id}',
    '/a%2fb',
    '/a?b',
    '/a#b',
    '/a;b',
    '/a\\b',
    '/a b',
    '/**a',
  ])('%j is no pattern', (text) => {
    expect(compilePath(text)).toHaveProperty('problem');
  });
});

describe('case_insensitive_paths', () => {
  const judged = open([{ path: '/Admin/{workspace}', name: 'one' }, { path: '/b/**' }], {
    ignoreCase: true,
  });

  test.each([
    ['/B/C', 'allow'],
    ['/b', 'allow'],
    ['/BB', 'no_route'],
  ])('%s: %s', async (path, expected) => {
    expect(await outcomeOf(judged, { path })).toBe(expected);
  });

  test('a strict route is not passed by in another case', async () => {
    const strict = policy({
      ignoreCase: true,
      routes: [{ path: '/admin/**' }, { path: '/**', access: 'public' }],
    });
    for (const path of ['/ADMIN', '/Admin/x', '/aDmin/']) {
      expect(await outcomeOf(strict, { path })).toBe('missing_credential');
    }
    expect(await outcomeOf(strict, { path: '/%41dmin' })).toBe('ambiguous_path');
  });
});

describe('hosts', () => {
  test.each([
    ['api.example.com', 'api.example.com', true],
    ['API.Example.com', 'api.example.com', true],
    ['api.example.com.', 'api.example.com', true],
    ['api.example.com:443', 'api.example.com', true],
    ['api.example.com:80', 'api.example.com', true],
    ['api.example.com.:443', 'api.example.com', true],
    ['api.example.com', 'api.example.com:8443', false],
    ['api.example.com:8443', 'api.example.com:8443', true],
    ['api.example.com:8443', 'api.example.com', false],
    ['api.example.com', 'xapi.example.com', false],
    ['api.example.com', 'api.example.com.evil.com', false],
    ['api.example.com', 'example.com', false],
    ['api.example.com', '', false],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['*.example.com', 'a..example.com', false],
    ['*.example.com', 'aexample.com', false],
    ['*.example.com', 'a.example.com.evil.com', false],
    ['*.example.com:8443', 'a.example.com:8443', true],
    ['*.example.com:8443', 'a.example.com', false],
    ['[::1]', '[::1]', true],
    ['[::1]:8080', '[::1]:8080', true],
    ['[::1]', '[::2]', false],
    ['127.0.0.1', '127.0.0.1', true],
  ])('%s takes %s: %s', async (host, sent, expected) => {
    const outcome = await outcomeOf(open([{ host }]), { host: sent });
    expect(outcome).toBe(expected ? 'allow' : 'no_route');
  });

  test.each([
    '',
    'https://a.com',
    'a.com/x',
    '*.',
    '*',
    'a.*.com',
    '*a.com',
    'a..com',
    'a.com:99999',
    'a b.com',
    'a.com:',
    '{tenant}.a.com',
  ])('%j is no host', (text) => {
    expect(compileHost(text)).toHaveProperty('problem');
  });
});

describe('methods', () => {
  test.each([
    [['GET'], 'GET', true],
    [['GET'], 'HEAD', true],
    [['HEAD'], 'GET', false],
    [['GET'], 'get', false],
    [['GET'], 'Get', false],
    [['GET'], 'POST', false],
    [['POST'], 'HEAD', false],
    [['CONNECT'], 'CONNECT', true],
    [['TRACE'], 'TRACE', true],
    [undefined, 'PROPFIND', true],
    [undefined, 'OPTIONS', true],
    [undefined, 'HEAD', true],
    [undefined, 'CONNECT', false],
    [undefined, 'TRACE', false],
  ])('%j takes %s: %s', async (methods, method, expected) => {
    const judged = open([methods ? { methods } : {}]);
    expect(await outcomeOf(judged, { method })).toBe(expected ? 'allow' : 'no_route');
  });
});

describe('context', () => {
  const judged = open([{ context: { tier: 'edge', zone: 'a' } }]);
  test.each([
    [{ tier: 'edge', zone: 'a' }, 'allow'],
    [{ tier: 'edge', zone: 'a', more: 'x' }, 'allow'],
    [{ tier: 'edge' }, 'no_route'],
    [{ tier: 'edge', zone: 'A' }, 'no_route'],
    [{}, 'no_route'],
  ])('%j: %s', async (context, expected) => {
    expect(await outcomeOf(judged, { context })).toBe(expected);
  });
});

describe('the first match decides', () => {
  const judged = open([
    { name: 'one', path: '/a/*', methods: ['POST'] },
    { name: 'two', path: '/a/b' },
    { name: 'three', path: '/*/b' },
    { name: 'four', path: ['/c', '/a/**'] },
    { name: 'five', path: '/**', host: 'other.example.com' },
  ]);
  test.each([
    ['POST', '/a/b', 'api.example.com', 'one'],
    ['GET', '/a/b', 'api.example.com', 'two'],
    ['GET', '/x/b', 'api.example.com', 'three'],
    ['GET', '/a/c', 'api.example.com', 'four'],
    ['GET', '/c', 'api.example.com', 'four'],
    ['GET', '/d', 'other.example.com', 'five'],
  ])('%s %s on %s is %s', async (method, path, host, name) => {
    const decision = await decide(judged, { method, path, host });
    expect(decision).toMatchObject({ kind: 'allow', route: { name } });
  });

  test('what no route takes is refused, and names none', async () => {
    const decision = await decide(judged, { path: '/d' });
    expect(decision).toMatchObject({ kind: 'deny', reason: 'no_route' });
    expect(decision.route).toBeUndefined();
  });
});

describe('{workspace} binds the request to the caller', () => {
  const raw = rawKey();
  const other = rawKey('pst_', 2);
  const homeless = rawKey('pst_', 3);
  const judged = policy({
    keys: [{ raw, workspace: 'w1' }, { raw: other, workspace: 'w2' }, { raw: homeless }],
    issuers: [{ name: 'id', claims: { workspace: { path: ['org'] } } }],
    workspaces: { w1: { slug: 'acme' }, w2: { slug: 'beta' } },
    routes: [
      { path: '/t/{workspace}/**', access: ['api_key', 'jwt'] },
      { path: '/two/{workspace}/{workspace}', access: ['api_key'] },
      { path: '/h/**', host: '{workspace}.example.com', access: ['api_key'] },
      { path: '/both/{workspace}', host: '{workspace}.example.com', access: ['api_key'] },
    ],
  });
  test.each([
    ['/t/w1', 'x.org', raw, 'allow'],
    ['/t/acme/y', 'x.org', raw, 'allow'],
    ['/t/w2', 'x.org', raw, 'wrong_workspace'],
    ['/t/beta', 'x.org', raw, 'wrong_workspace'],
    ['/t/beta', 'x.org', other, 'allow'],
    ['/t/ACME', 'x.org', raw, 'wrong_workspace'],
    ['/t/acme', 'x.org', homeless, 'wrong_workspace'],
    ['/t/', 'x.org', raw, 'no_route'],
    ['/t/%61cme', 'x.org', other, 'wrong_workspace'],
    ['/t/undefined', 'x.org', homeless, 'wrong_workspace'],
    ['/two/acme/w1', 'x.org', raw, 'allow'],
    ['/two/acme/beta', 'x.org', raw, 'wrong_workspace'],
    ['/h/x', 'acme.example.com', raw, 'allow'],
    ['/h/x', 'beta.example.com', raw, 'wrong_workspace'],
    ['/h/x', 'example.com', raw, 'no_route'],
    ['/h/x', 'a.acme.example.com', raw, 'no_route'],
    ['/both/acme', 'w1.example.com', raw, 'allow'],
    ['/both/acme', 'beta.example.com', raw, 'wrong_workspace'],
    ['/both/beta', 'acme.example.com', raw, 'wrong_workspace'],
  ])('%s on %s', async (path, host, bearer, expected) => {
    expect(await outcomeOf(judged, { path, host, bearer })).toBe(expected);
  });

  test('the workspace of a token binds in the same way', async () => {
    const ask = (path: string, org: unknown) =>
      outcomeOf(judged, { path, bearer: token('id', { org }) });
    expect(await ask('/t/acme', 'w1')).toBe('allow');
    expect(await ask('/t/beta', 'w1')).toBe('wrong_workspace');
    expect(await ask('/t/unlisted', 'unlisted')).toBe('allow');
    expect(await ask('/t/acme', undefined)).toBe('wrong_workspace');
    expect(await ask('/t/acme', ['w1'])).toBe('wrong_workspace');
  });

  test('an encoded spelling never stands for the workspace of somebody else', async () => {
    const bearer = token('id', { org: '%61cme' });
    expect(await outcomeOf(judged, { path: '/t/%61cme/x', bearer })).not.toBe('allow');
  });
});
