import { describe, expect, test } from 'vitest';
import type { Place } from '../../src/core/credential.ts';
import { SPELLINGS } from '../../src/core/target.ts';
import { decide, outcomeOf, policy, type RequestSpec, rawKey, token } from './build.ts';

const KEY = rawKey();
const OTHER = rawKey('pst_', 2);
const BROKEN = KEY.slice(0, -1) + (KEY.endsWith('a') ? 'b' : 'a');
const UNKNOWN = rawKey('pst_', 9);
const PLACES: readonly Place[] = [
  { kind: 'bearer' },
  { kind: 'header', name: 'x-api-key' },
  { kind: 'query', name: 'api_key' },
];

const KEYS = [{ raw: KEY }, { raw: OTHER }];
const judged = policy({
  readFrom: PLACES,
  keys: KEYS,
  issuers: [
    { name: 'bearer-issuer' },
    { name: 'cookie-issuer', readFrom: [{ kind: 'cookie', name: 'session' }] },
    { name: 'header-issuer', readFrom: [{ kind: 'header', name: 'x-token' }] },
    { name: 'query-issuer', readFrom: [{ kind: 'query', name: 'access_token' }] },
  ],
  routes: [
    { path: '/keys', access: ['api_key'] },
    { path: '/any', access: ['api_key', 'jwt'] },
    { path: '/tokens', access: ['jwt'] },
    { path: '/both', access: ['both'] },
    { path: '/anon', access: ['anonymous'] },
    { path: '/anon-keys', access: ['api_key', 'anonymous'] },
    { path: '/public', access: 'public' },
    { path: '/public-loose', access: 'public', pathAllow: SPELLINGS },
  ],
});

const TOKEN = token('bearer-issuer');

describe('a credential stands in each of its places', () => {
  test.each<[string, RequestSpec]>([
    ['Bearer', { headers: { authorization: `Bearer ${KEY}` } }],
    ['bearer in lower case', { headers: { authorization: `bearer ${KEY}` } }],
    ['BEARER in upper case', { headers: { authorization: `BEARER ${KEY}` } }],
    ['Bearer and two spaces', { headers: { authorization: `Bearer  ${KEY}` } }],
    ['a header', { headers: { 'x-api-key': KEY } }],
    ['the query', { path: `/any?api_key=${KEY}` }],
    ['the query, after others', { path: `/any?a=1&api_key=${KEY}&b=2` }],
    ['the query, its name encoded', { path: `/any?api%5Fkey=${KEY}` }],
    ['the query, its value encoded', { path: `/any?api_key=${KEY.replace('_', '%5F')}` }],
    ['a token as Bearer', { bearer: TOKEN }],
    ['a token in a header', { headers: { 'x-token': token('header-issuer') } }],
    ['a token in a cookie', { headers: { cookie: `session=${token('cookie-issuer')}` } }],
    ['a token in a quoted cookie', { headers: { cookie: `session="${token('cookie-issuer')}"` } }],
    [
      'a token among cookies',
      { headers: { cookie: `a=b; session=${token('cookie-issuer')}; c=d` } },
    ],
    [
      'a token in one of two Cookie lines',
      { headers: { cookie: ['a=b', `session=${token('cookie-issuer')}`] } },
    ],
    ['a token in the query', { path: `/any?access_token=${token('query-issuer')}` }],
  ])('%s', async (_, asked) => {
    expect(await outcomeOf(judged, { path: '/any', ...asked })).toBe('allow');
  });

  test.each<[string, RequestSpec]>([
    ['nothing', {}],
    ['another header', { headers: { 'x-key': KEY } }],
    ['another parameter', { path: `/any?key=${KEY}` }],
    ['a parameter in another case', { path: `/any?API_KEY=${KEY}` }],
    ['another cookie', { headers: { cookie: `SESSION=${TOKEN}; sessions=${TOKEN}` } }],
    ['Basic', { headers: { authorization: 'Basic YTpi' } }],
    ['no scheme', { headers: { authorization: KEY } }],
    ['a scheme that only begins with Bearer', { headers: { authorization: `Bearers ${KEY}` } }],
    ['a header named __proto__', { headers: { constructor: KEY } }],
  ])('not as %s', async (_, asked) => {
    expect(await outcomeOf(judged, { path: '/any', ...asked })).toBe('missing_credential');
  });

  test('a token counts only for the issuers that read its place', async () => {
    const ask = (asked: RequestSpec) => outcomeOf(judged, { path: '/any', ...asked });
    expect(await ask({ bearer: token('cookie-issuer') })).toBe('token_issuer');
    expect(await ask({ headers: { cookie: `session=${TOKEN}` } })).toBe('token_issuer');
    expect(await ask({ headers: { 'x-api-key': TOKEN } })).toBe('unknown_key');
    expect(await ask({ headers: { 'x-token': KEY } })).not.toBe('allow');
  });
});

/** Two credentials, in one place or in two. */
const TWICE: readonly (readonly [string, RequestSpec])[] = [
  ['two Authorization lines', { headers: { authorization: [`Bearer ${KEY}`, `Bearer ${OTHER}`] } }],
  [
    'the same Authorization twice',
    { headers: { authorization: [`Bearer ${KEY}`, `Bearer ${KEY}`] } },
  ],
  [
    'two Authorization values joined',
    { headers: { authorization: `Bearer ${KEY}, Bearer ${OTHER}` } },
  ],
  ['two joined without a space', { headers: { authorization: `Bearer ${KEY},Bearer ${OTHER}` } }],
  ['two keys after one Bearer', { headers: { authorization: `Bearer ${KEY},${OTHER}` } }],
  [
    'Basic and Bearer on two lines',
    { headers: { authorization: ['Basic YTpi', `Bearer ${KEY}`] } },
  ],
  [
    'Bearer and Basic on two lines',
    { headers: { authorization: [`Bearer ${KEY}`, 'Basic YTpi'] } },
  ],
  ['Basic and Bearer joined', { headers: { authorization: `Basic YTpi, Bearer ${KEY}` } }],
  ['Bearer and Basic joined', { headers: { authorization: `Bearer ${KEY}, Basic YTpi` } }],
  ['two key headers', { headers: { 'x-api-key': [KEY, OTHER] } }],
  ['two key headers joined', { headers: { 'x-api-key': `${KEY},${OTHER}` } }],
  ['two key headers joined with a space', { headers: { 'x-api-key': `${KEY}, ${OTHER}` } }],
  ['a key header and an empty one', { headers: { 'x-api-key': [KEY, ''] } }],
  ['two parameters', { path: `/any?api_key=${KEY}&api_key=${OTHER}` }],
  ['two spellings of a parameter', { path: `/any?api_key=${KEY}&api%5fkey=${OTHER}` }],
  ['a parameter and an empty one', { path: `/any?api_key=${KEY}&api_key=` }],
  ['a parameter and a bare one', { path: `/any?api_key=${KEY}&api_key` }],
  ['two cookies', { headers: { cookie: `session=${TOKEN}; session=${TOKEN}` } }],
  ['two cookies on two lines', { headers: { cookie: [`session=${TOKEN}`, `session=${TOKEN}`] } }],
  ['Bearer and a key header', { bearer: KEY, headers: { 'x-api-key': KEY } }],
  ['a token and a key', { bearer: TOKEN, headers: { 'x-api-key': KEY } }],
  ['a key and an unknown key', { bearer: KEY, headers: { 'x-api-key': UNKNOWN } }],
  ['a key and a broken key', { bearer: KEY, headers: { 'x-api-key': BROKEN } }],
  ['a key and something else', { bearer: KEY, headers: { 'x-api-key': 'hello' } }],
  ['a header and a parameter', { path: `/any?api_key=${KEY}`, headers: { 'x-api-key': KEY } }],
  ['two tokens', { bearer: TOKEN, headers: { cookie: `session=${token('cookie-issuer')}` } }],
];

describe('more credentials than the route wants are refused, sound or not', () => {
  test.each(TWICE)('%s', async (_, asked) => {
    for (const path of ['/any', '/keys', '/anon-keys', '/anon']) {
      const sent = { ...asked, path: asked.path?.replace('/any', path) ?? path };
      expect(await outcomeOf(judged, sent), path).toBe('duplicate_credential');
    }
  });

  const ONE_OF_EACH = 'a token and a key';
  test.each(TWICE.filter(([name]) => !/^a token and a key$|cookie|tokens$/.test(name)))(
    'where two are wanted: %s',
    async (_, asked) => {
      const sent = { ...asked, path: asked.path?.replace('/any', '/both') ?? '/both' };
      expect(await outcomeOf(judged, sent)).toBe('duplicate_credential');
    },
  );

  test(`where two are wanted, ${ONE_OF_EACH} are right, and three are too many`, async () => {
    const asked = { path: '/both', bearer: TOKEN, headers: { 'x-api-key': KEY } };
    expect(await outcomeOf(judged, asked)).toBe('allow');
    expect(await outcomeOf(judged, { ...asked, path: `/both?api_key=${KEY}` })).toBe(
      'duplicate_credential',
    );
  });

  test('a malformed one beside a sound one is one too many', async () => {
    const asked = { path: '/any', headers: { authorization: 'Bearer é', 'x-api-key': KEY } };
    expect(await outcomeOf(judged, asked)).toBe('duplicate_credential');
  });
});

describe('malformed credentials', () => {
  test.each<[string, RequestSpec]>([
    ['an empty Bearer', { headers: { authorization: 'Bearer ' } }],
    ['a bare Bearer', { headers: { authorization: 'Bearer' } }],
    ['a space inside', { headers: { authorization: 'Bearer a b' } }],
    ['a tab inside', { headers: { 'x-api-key': 'a\tb' } }],
    ['a control byte', { headers: { 'x-api-key': 'a\x01b' } }],
    ['NUL', { headers: { 'x-api-key': `${KEY}\0` } }],
    ['DEL', { headers: { 'x-api-key': `${KEY}\x7f` } }],
    ['non-ASCII', { headers: { 'x-api-key': 'clé' } }],
    ['an encoded space in the query', { path: '/any?api_key=a%20b' }],
    ['an encoded line feed in the query', { path: `/any?api_key=${KEY}%0a` }],
    ['8193 bytes as Bearer', { bearer: 'a'.repeat(8193) }],
    ['8193 bytes in a header', { headers: { 'x-api-key': 'a'.repeat(8193) } }],
    ['8193 bytes in the query', { path: `/any?api_key=${'a'.repeat(8193)}` }],
    ['8193 bytes in a cookie', { headers: { cookie: `session=${'a'.repeat(8193)}` } }],
    ['8193 bytes of a key in form', { bearer: `${KEY}${'a'.repeat(8193)}` }],
    ['8193 bytes of commas', { headers: { 'x-api-key': ','.repeat(8193) } }],
  ])('%s', async (_, asked) => {
    expect(await outcomeOf(judged, { path: '/any', ...asked })).toBe('malformed_credential');
  });

  test('an oversized credential is refused before any port is asked', async () => {
    const fail = () => expect.unreachable('no port is asked');
    const huge = `${'a'.repeat(9000)}.${'b'.repeat(9000)}.c`;
    const outcome = await outcomeOf(
      judged,
      { path: '/any', bearer: huge },
      { verifyToken: fail, findKey: fail, takeLimits: fail },
    );
    expect(outcome).toBe('malformed_credential');
  });

  test('8192 bytes are judged', async () => {
    expect(await outcomeOf(judged, { path: '/any', bearer: 'a'.repeat(8192) })).toBe(
      'token_invalid',
    );
  });

  test.each<[string, RequestSpec]>([
    ['an empty key header', { headers: { 'x-api-key': '' } }],
    ['an empty parameter', { path: '/anon-keys?api_key=' }],
    ['an empty cookie', { headers: { cookie: 'session=' } }],
  ])('%s is no credential, and no anonymous caller either', async (_, asked) => {
    expect(await outcomeOf(judged, { path: '/keys', ...asked })).not.toBe('allow');
  });
});

describe('public routes read no credential', () => {
  test.each([
    ...TWICE,
    ['a malformed one', { headers: { 'x-api-key': 'a\tb' } }] as const,
    ['an unknown key', { bearer: UNKNOWN }] as const,
  ])('%s', async (_, asked) => {
    const fail = () => expect.unreachable('no port is asked');
    const path = asked.path?.replace('/any', '/public') ?? '/public';
    const decision = await decide(
      judged,
      { ...asked, path },
      { findKey: fail, verifyToken: fail, findWorkspace: fail },
    );
    expect(decision).toMatchObject({ kind: 'allow', principal: { kind: 'anonymous' } });
  });
});
