import { describe, expect, test } from 'vitest';
import { SPELLINGS, splitTarget } from '../../src/core/target.ts';
import { outcomeOf, policy } from './build.ts';

const OPEN = policy({ routes: [{ path: '/**', access: 'public' }] });
const LENIENT = policy({ routes: [{ path: '/**', access: 'public', pathAllow: SPELLINGS }] });

describe('a target is split at the first question mark', () => {
  test.each([
    ['/a', '/a', undefined],
    ['/a?', '/a', ''],
    ['/a?b', '/a', 'b'],
    ['/a?b?c', '/a', 'b?c'],
    ['/a?/../b', '/a', '/../b'],
    ['/?x=/admin', '/', 'x=/admin'],
    ['/a%3Fb', '/a%3Fb', undefined],
  ])('%s has the path %s and the query %s', (raw, path, query) => {
    expect(splitTarget(raw)).toMatchObject({ raw, path, query });
  });
});

describe('a target without trouble is judged by its route', () => {
  test.each([
    '/',
    '/a',
    '/a/',
    '/a/b.c/d',
    '/.well-known/x',
    '/...',
    '/a..b',
    '/..a',
    '/a%20b',
    '/100%25',
    '/caf%C3%A9',
    '/%F0%9F%98%80',
    '/a+b',
    '/a,b',
    '/@user',
    '/a:b',
    "/~a!$&'()*=_-",
    '/a%2Bb',
    '/a%40b',
    '/a?x=1;y=2',
    '/a?x=%2f%5c%00%2e%23',
    '/a?x=//..//',
    '/a?x=\\',
    '/a?x=%zz',
    '/a?x=é',
    '/a?x= y',
    '/a?x=%ff',
    '/__proto__/constructor',
  ])('%s', async (path) => {
    expect(await outcomeOf(OPEN, { path })).toBe('allow');
  });
});

const CONTROLS = [...Array.from({ length: 0x20 }, (_, code) => code), 0x7f];

describe('control bytes are refused anywhere', () => {
  test.each(CONTROLS)('byte %i', async (code) => {
    const byte = String.fromCharCode(code);
    for (const path of [`/a${byte}b`, `/${byte}`, `/a?x=${byte}`, `/a${byte}?x`]) {
      expect(await outcomeOf(LENIENT, { path }), JSON.stringify(path)).toBe('ambiguous_path');
    }
  });
});

/** Refused whatever the route's `path_allow` admits. */
const ALWAYS = [
  ['no leading slash', 'admin'],
  ['an empty target', ''],
  ['only a query', '?a=b'],
  ['the asterisk form', '*'],
  ['the absolute form', 'http://api.example.com/a'],
  ['a raw # in the path', '/a#b'],
  ['a raw # at the end', '/a#'],
  ['a raw # in the query', '/a?b#c'],
  ['a backslash', '/a\\b'],
  ['a backslash and dots', '/a\\..\\b'],
  ['an encoded backslash', '/a%5Cb'],
  ['an encoded backslash, lower case', '/a%5cb'],
  ['an encoded NUL', '/a%00'],
  ['a bad escape', '/a%zz'],
  ['a bad escape of one digit', '/a%2'],
  ['a lone percent', '/100%'],
  ['a percent before a slash', '/a%/b'],
  ['an old unicode escape', '/a%u002fb'],
  ['a dot segment', '/a/./b'],
  ['a double dot segment', '/a/../b'],
  ['a dot segment at the end', '/a/.'],
  ['a double dot segment at the end', '/a/..'],
  ['a leading dot segment', '/../a'],
  ['a dot segment with a slash at the end', '/a/../'],
  ['an encoded dot segment', '/a/%2e/b'],
  ['an encoded double dot segment', '/a/%2e%2e/b'],
  ['a half encoded double dot segment', '/a/.%2E/b'],
  ['a dot segment behind an encoded slash', '/a%2f..%2fb'],
  ['a dot segment with a parameter', '/a/..;x=1/b'],
  ['a dot segment with an encoded parameter', '/a/..%3bx/b'],
  ['a lone continuation byte', '/a%80'],
  ['a lone lead byte', '/a%C3'],
  ['a byte that UTF-8 never holds', '/a%ff'],
  ['an overlong slash', '/a%c0%afb'],
  ['an overlong dot', '/a/%c0%ae%c0%ae/b'],
  ['an encoded surrogate', '/a%ed%a0%80'],
  ['a code point beyond Unicode', '/a%f4%90%80%80'],
  ['an encoded #', '/a%23b'],
  ['an encoded line feed', '/a%0ab'],
  ['an encoded tab', '/a%09'],
  ['an encoded DEL', '/a%7f'],
] as const;

/** Refused unless a route admits the spelling. */
const SOFT = [
  ['encoded_slash', 'an encoded slash', '/a%2Fb'],
  ['encoded_slash', 'an encoded slash, lower case', '/a%2fb'],
  ['encoded_dot', 'an encoded dot', '/a%2Eb'],
  ['encoded_dot', 'an encoded dot, lower case', '/a%2eb'],
  ['semicolon', 'a parameter', '/a;b'],
  ['semicolon', 'an empty parameter', '/a;'],
  ['semicolon', 'an encoded semicolon', '/a%3bb'],
  ['semicolon', 'an encoded semicolon, upper case', '/a%3B'],
  ['empty_segment', 'an empty segment', '/a//b'],
  ['empty_segment', 'a leading empty segment', '//a'],
  ['empty_segment', 'an empty segment at the end', '/a//'],
  ['empty_segment', 'nothing but slashes', '///'],
  ['non_ascii', 'raw bytes outside ASCII', '/café'],
] as const;

describe('what can be read in two ways is refused', () => {
  test.each([...ALWAYS, ...SOFT.map(([, name, path]) => [name, path] as const)])(
    '%s: %j',
    async (_, path) => {
      expect(await outcomeOf(OPEN, { path })).toBe('ambiguous_path');
      expect(await outcomeOf(OPEN, { path: `${path}${path.includes('?') ? '&' : '?'}q=1` })).toBe(
        'ambiguous_path',
      );
    },
  );
});

describe('path_allow admits none of these', () => {
  test.each(ALWAYS)('%s: %j', async (_, path) => {
    expect(await outcomeOf(LENIENT, { path })).toBe('ambiguous_path');
  });
});

const ENCODED = [...ALWAYS, ...SOFT.map(([, name, path]) => [name, path] as const)]
  .filter(([, path]) => /%[0-9a-f]{2}/i.test(path) && !/%(?![0-9a-f]{2})/i.test(path))
  .map(([name, path]) => [name, path.replaceAll('%', '%25')] as const);

describe('double-encoded spellings of the same are refused', () => {
  test.each(ENCODED)('%s: %j', async (_, path) => {
    expect(await outcomeOf(OPEN, { path })).toBe('ambiguous_path');
  });

  test.each([
    ['/a%252fb'],
    ['/a%252Fb'],
    ['/a%255cb'],
    ['/a%2500'],
    ['/a/%252e%252e/b'],
    ['/a/%252e%2e/b'],
    ['/a%253bb'],
    ['/a%2523b'],
    ['/a%25ff'],
    ['/a%250ab'],
    ['/a%25%32%66b'],
    ['/a%%32%66b'],
    ['/a%25c0%25af'],
  ])('%s', async (path) => {
    expect(await outcomeOf(OPEN, { path })).toBe('ambiguous_path');
  });
});

describe('a reading is what some server may make of the path', () => {
  const readingsOf = (raw: string) => splitTarget(raw).readings.map((one) => `/${one.join('/')}`);

  test.each([
    ['/a/b', ['/a/b']],
    ['/a/', ['/a']],
    ['/', ['/']],
    ['/%61/b', ['/%61/b', '/a/b']],
    ['/%2561', ['/%2561', '/%61', '/a']],
    ['/a%3Fb', ['/a%3Fb', '/a?b', '/a']],
    ['/a%253Fb', ['/a%253Fb', '/a%3Fb', '/a?b', '/a']],
  ])('%s reads as %j', (raw, expected) => {
    expect(new Set(readingsOf(raw))).toEqual(new Set(expected));
    expect(readingsOf(raw)[0]).toBe(expected[0]);
  });
});

describe('every reading must find the same route', () => {
  const judged = policy({
    routes: [
      { path: '/open', access: 'public' },
      { path: '/open/*/x', access: 'public' },
      { path: '/admin/**', access: ['api_key'] },
      { path: '/**', access: 'public' },
    ],
  });

  test.each([
    ['/open', 'allow'],
    ['/%6Fpen', 'ambiguous_path'],
    ['/%256Fpen', 'ambiguous_path'],
    ['/%61dmin', 'ambiguous_path'],
    ['/%61dmin/a', 'ambiguous_path'],
    ['/%2561dmin/a', 'ambiguous_path'],
    ['/admin%3fx', 'ambiguous_path'],
    ['/admin%253fx', 'ambiguous_path'],
    ['/open%3Fx', 'ambiguous_path'],
    ['/other%3Fx', 'allow'],
    ['/admin/%61', 'missing_credential'],
    ['/open/a%20b/x', 'allow'],
    ['/x/%61dmin', 'allow'],
  ])('%s: %s', async (path, expected) => {
    expect(await outcomeOf(judged, { path })).toBe(expected);
  });
});

describe('path_allow admits its own spelling', () => {
  test.each(SOFT)('%s admits %s, and no other spelling does: %j', async (spelling, _, path) => {
    const only = policy({ routes: [{ path: '/**', access: 'public', pathAllow: [spelling] }] });
    const others = SPELLINGS.filter((one) => one !== spelling);
    const rest = policy({ routes: [{ path: '/**', access: 'public', pathAllow: others }] });
    expect(await outcomeOf(only, { path })).toBe('allow');
    expect(await outcomeOf(rest, { path })).toBe('ambiguous_path');
    expect(await outcomeOf(only, { path: path.replaceAll('%', '%25') })).toBe('allow');
  });

  test.each([
    ['/a%2f%2fb', ['encoded_slash'], 'ambiguous_path'],
    ['/a%2f%2fb', ['encoded_slash', 'empty_segment'], 'allow'],
    ['/a;b%2fc', ['semicolon'], 'ambiguous_path'],
    ['/a;b%2fc', ['semicolon', 'encoded_slash'], 'allow'],
    ['/é;b//c%2fd%2ee', SPELLINGS, 'allow'],
    ['/é;b//c%2fd%2ee', SPELLINGS.slice(1), 'ambiguous_path'],
  ] as const)('%s with %j: %s', async (path, pathAllow, expected) => {
    const judged = policy({ routes: [{ path: '/**', access: 'public', pathAllow }] });
    expect(await outcomeOf(judged, { path })).toBe(expected);
  });

  const judged = policy({
    routes: [
      { path: '/loose/private/**', access: ['api_key'] },
      { path: '/loose/**', access: 'public', pathAllow: SPELLINGS },
      { path: '/exact', access: 'public', pathAllow: SPELLINGS },
    ],
  });
  test.each([
    ['/loose/a;x/b', 'allow'],
    ['/loose//a', 'allow'],
    ['/loose/a%2Fb', 'allow'],
    ['/loose/private;x/y', 'ambiguous_path'],
    ['/loose//private/y', 'ambiguous_path'],
    ['/loose/;x/private', 'ambiguous_path'],
    ['/loose%2fprivate', 'ambiguous_path'],
    ['/loose/%2fprivate', 'ambiguous_path'],
    ['/loose/private%2fx', 'ambiguous_path'],
    ['/loose/;%2fprivate', 'ambiguous_path'],
    ['/loose/;%252fprivate', 'ambiguous_path'],
    ['/loose/%70rivate', 'ambiguous_path'],
    ['/exact;x', 'ambiguous_path'],
    ['//exact', 'ambiguous_path'],
  ])('%s: %s', async (path, expected) => {
    expect(await outcomeOf(judged, { path })).toBe(expected);
  });
});
