import { expect, test } from 'vitest';
import { bindsWorkspace, compileHost, compilePath } from '../../src/core/pattern.ts';

const ANY = { any: 'star' };
const OWN = { any: 'workspace' };

test.each([
  ['/', [], false],
  ['/**', [], true],
  ['/a/b', ['a', 'b'], false],
  ['/a/', ['a'], false],
  ['/a/**', ['a'], true],
  ['/*/b', [ANY, 'b'], false],
  ['/{workspace}/b/**', [OWN, 'b'], true],
  ['/a.b/c~d/e:f', ['a.b', 'c~d', 'e:f'], false],
  ['/ü', ['ü'], false],
])('the path %s is a pattern', (text, segments, below) => {
  expect(compilePath(text)).toEqual({ pattern: { segments, below } });
});

test.each([
  '',
  'a',
  '/a//b',
  '//',
  '/a*',
  '/**/a',
  '/a/***',
  '/{id}',
  '/a{workspace}',
  '/./a',
  '/..',
])('the path %j is no pattern', (text) => {
  expect(compilePath(text)).toHaveProperty('problem');
});

test.each(['/a%20b', '/a?b', '/a#b', '/a;b', '/a\\b', '/a b', '/a\u0000'])(
  'the path %j could never match every reading of a request',
  (text) => {
    expect(compilePath(text)).toHaveProperty('problem');
  },
);

test('a pattern is matched in lower case where case does not matter', () => {
  expect(compilePath('/V1/{workspace}', true)).toEqual({
    pattern: { segments: ['v1', OWN], below: false },
  });
});

test.each([
  ['API.example.com', ['api', 'example', 'com'], false, ''],
  ['api.example.com.', ['api', 'example', 'com'], false, ''],
  ['api.example.com:443', ['api', 'example', 'com'], false, ''],
  ['api.example.com:8443', ['api', 'example', 'com'], false, '8443'],
  ['*.example.com', ['example', 'com'], true, ''],
  ['{workspace}.example.com', [OWN, 'example', 'com'], false, ''],
  ['127.0.0.1', ['127', '0', '0', '1'], false, ''],
  ['[::1]:8080', ['[::1]'], false, '8080'],
])('the host %s is a pattern', (text, labels, subdomains, port) => {
  expect(compileHost(text)).toEqual({ pattern: { labels, subdomains, port } });
});

test.each([
  '',
  '*',
  'a.*.com',
  'a*.com',
  '*.*.com',
  'a..com',
  'a:99999',
  'a:b',
  'http://a',
  'ü.com',
  '::1',
])('the host %j is no pattern', (text) => {
  expect(compileHost(text)).toHaveProperty('problem');
});

test('a pattern binds the workspace only where it says so', () => {
  expect(bindsWorkspace(['a', { any: 'workspace' }])).toBe(true);
  expect(bindsWorkspace(['workspace', { any: 'star' }])).toBe(false);
});
