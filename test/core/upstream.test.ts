import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headerValue } from '../../src/core/upstream.ts';
import { type PolicySpec, type RequestSpec, rawKey, token } from './build.ts';
import { upstreamOf } from './build-upstream.ts';

const RAW = rawKey();

const ALL = [
  'x-auth-username',
  'x-auth-subject',
  'x-auth-method',
  'x-auth-key-id',
  'x-auth-workspace',
  'x-auth-team',
  'x-auth-client',
  'x-auth-scopes',
  'x-auth-roles',
  'x-auth-plan',
  'x-auth-environment',
  'x-auth-issuer',
];
const ISSUERS = [
  {
    name: 'id',
    claims: {
      workspace: { path: ['org'] },
      roles: { path: ['roles'] },
      environment: { path: ['env'] },
    },
    headers: { 'x-auth-email': 'user.email', 'x-org-info': 'info' },
  },
];

describe('identity out', () => {
  test('of a key', async () => {
    const { set, remove } = await upstreamOf(
      {
        prefixes: { pst_: { environment: 'live' } },
        keys: [
          {
            raw: RAW,
            id: 'k1',
            username: 'ada',
            owner: 'u1',
            workspace: 'w',
            team: 't',
            scopes: ['a:read', 'b:*'],
            roles: ['dev'],
          },
        ],
        plans: { pro: { per_day: 9 } },
        defaultPlan: 'pro',
        roles: { dev: {} },
        routes: [{}],
      },
      { bearer: RAW },
    );
    expect(set).toEqual({
      'x-auth-username': 'ada',
      'x-auth-subject': 'u1',
      'x-auth-method': 'api_key',
      'x-auth-key-id': 'k1',
      'x-auth-workspace': 'w',
      'x-auth-team': 't',
      'x-auth-scopes': 'a:read b:*',
      'x-auth-roles': 'dev',
      'x-auth-plan': 'pro',
      'x-auth-environment': 'live',
    });
    expect(remove).toContain('x-auth-client');
    expect(remove).toContain('x-auth-issuer');
  });

  test('of a token', async () => {
    const { set, remove } = await upstreamOf(
      { issuers: ISSUERS, routes: [{ access: ['jwt'] }] },
      {
        bearer: token('id', {
          sub: 'ada',
          azp: 'web',
          org: 'w',
          scope: 'a:read a:write',
          roles: ['dev'],
          env: 'live',
          user: { email: 'a@b.c' },
        }),
      },
    );
    expect(set).toEqual({
      'x-auth-username': 'ada',
      'x-auth-subject': 'ada',
      'x-auth-method': 'jwt',
      'x-auth-workspace': 'w',
      'x-auth-client': 'web',
      'x-auth-scopes': 'a:read a:write',
      'x-auth-roles': 'dev',
      'x-auth-environment': 'live',
      'x-auth-issuer': 'id',
      'x-auth-email': 'a@b.c',
    });
    for (const name of ['x-auth-key-id', 'x-auth-team', 'x-auth-plan'])
      expect(remove).toContain(name);
  });

  test.each(['public', ['anonymous']] as const)('of nobody, where access is %j', async (access) => {
    const { set, remove } = await upstreamOf({ routes: [{ access }] }, {});
    expect(set).toEqual({ 'x-auth-method': 'anonymous' });
    for (const name of ALL) if (name !== 'x-auth-method') expect(remove).toContain(name);
  });

  test('a value that cannot be a header is removed, never set empty', async () => {
    const { set, remove } = await upstreamOf(
      { keys: [{ raw: RAW, username: 'a\nx-evil: 1', team: '' }], routes: [{}] },
      { bearer: RAW },
    );
    expect(Object.keys(set)).not.toContain('x-auth-username');
    expect(remove).toContain('x-auth-username');
    expect(remove).toContain('x-auth-team');
    expect(Object.values(set)).not.toContain('');
  });

  test('a non-ASCII username is percent-encoded', async () => {
    const { set } = await upstreamOf(
      { keys: [{ raw: RAW, username: 'Zoë Müller' }], routes: [{}] },
      { bearer: RAW },
    );
    expect(set['x-auth-username']).toBe('Zo%C3%AB M%C3%BCller');
  });

  test('names are configurable', async () => {
    const { set, remove } = await upstreamOf(
      {
        prefix: 'x-id-',
        names: { username: 'x-user' },
        keys: [{ raw: RAW, username: 'ada' }],
        routes: [{ headers: { 'x-tier': 'gold' } }],
      },
      {
        bearer: RAW,
        headers: {
          'x-user': 'eve',
          x_user: 'eve',
          'x-id-team': 'eve',
          x_id_anything: 'eve',
          'x-tier': 'eve',
          x_tier: 'eve',
          'x-auth-username': 'kept',
        },
      },
    );
    expect(set).toMatchObject({ 'x-user': 'ada', 'x-id-method': 'api_key', 'x-tier': 'gold' });
    for (const name of ['x_user', 'x-id-team', 'x_id_anything', 'x_tier'])
      expect(remove).toContain(name);
    expect(remove).not.toContain('x-auth-username');
    expect(Object.keys(set)).not.toContain('x-id-username');
  });
});

describe('spoofed identity is removed', () => {
  const SPOOFED = [
    'x-auth-username',
    'x-auth-admin',
    'x_auth_username',
    'x-auth_username',
    'x_auth-anything',
    'x-auth-',
    'x-org-info',
    'x_org_info',
    'x-org_info',
    'x-auth-email',
  ];
  const headers = Object.fromEntries(SPOOFED.map((name) => [name, 'mallory']));
  const spec: PolicySpec = {
    issuers: ISSUERS,
    keys: [{ raw: RAW }],
    routes: [
      { path: '/public', access: 'public', stripCredentials: false },
      { path: '/anon', access: ['anonymous'] },
      { access: ['api_key', 'jwt'] },
    ],
  };
  test.each<[string, RequestSpec]>([
    ['a public route', { path: '/public' }],
    ['an anonymous caller', { path: '/anon' }],
    ['a key', { headers: { ...headers, 'x-api-key': RAW } }],
    ['a token that lacks the claims', { bearer: token('id') }],
  ])('on %s', async (_, asked) => {
    const sent = { ...asked, headers: { ...headers, ...asked.headers } };
    const { set, remove } = await upstreamOf(spec, sent);
    for (const name of SPOOFED)
      expect(remove.has(name) || (set[name] ?? 'mallory') !== 'mallory', name).toBe(true);
  });

  test('other headers stay', async () => {
    const { remove } = await upstreamOf(spec, {
      path: '/public',
      headers: { 'x-author': 'a', 'x-authx': 'b', accept: 'c', 'x-auth': 'd' },
    });
    for (const name of ['x-author', 'x-authx', 'accept', 'x-auth'])
      expect(remove).not.toContain(name);
  });
});

describe('claims as headers', () => {
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    ['text', 'research', 'research'],
    ['a number', 42, '42'],
    ['a boolean', false, 'false'],
    ['a list', ['a', 1, true], 'a,1,true'],
    ['an object', { a: ['b'] }, base64({ a: ['b'] })],
    ['a list of objects', [{ a: 1 }], base64([{ a: 1 }])],
    ['non-ASCII text', 'é', '%C3%A9'],
    ['non-ASCII in an object', { a: 'é' }, base64({ a: 'é' })],
    ['a line feed', 'a\r\nx-evil: 1', undefined],
    ['NUL', 'a\0b', undefined],
    ['DEL', 'a\x7fb', undefined],
    ['a line feed in a list', ['a', 'b\nc'], undefined],
    ['empty text', '', undefined],
    ['an empty list', [], undefined],
    ['nothing', undefined, undefined],
    ['a lone surrogate', '\ud800', undefined],
  ])('%s', async (_, info, expected) => {
    const asked = { bearer: token('id', { info }), headers: { 'x-org-info': 'mallory' } };
    const { set, remove } = await upstreamOf(
      { issuers: ISSUERS, routes: [{ access: ['jwt'] }] },
      asked,
    );
    expect(set['x-org-info']).toBe(expected);
    expect(remove.has('x-org-info')).toBe(expected === undefined);
  });
});

test('a claim that is only inherited is no claim', async () => {
  const paths = ['constructor', 'toString', '__proto__', 'sub.length'];
  const headers = Object.fromEntries(paths.map((path, at) => [`x-inherited-${at}`, path]));
  const spec: PolicySpec = { issuers: [{ name: 'id', headers }], routes: [{ access: ['jwt'] }] };
  const { set } = await upstreamOf(spec, { bearer: token('id') });
  expect(Object.keys(set).filter((name) => name.startsWith('x-inherited'))).toEqual([]);
});

describe('a header value', () => {
  test('is visible ASCII with inner spaces, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = headerValue(text);
        if (value === undefined) return;
        expect(value).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
        expect(decodeURIComponent(value)).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });

  test('is not longer than Envoy takes', () => {
    expect(headerValue('a'.repeat(16_385))).toBeUndefined();
    expect(headerValue('é'.repeat(16_385))).toBeUndefined();
  });
});

test('no name is both set and removed, and none stays that only Postern may set', async () => {
  const NAME = fc.constantFrom(
    ...ALL,
    'x-user',
    'x_user',
    'x_auth_team',
    'authorization',
    'x-api-key',
    'cookie',
    'x-tier',
    'x-auth-email',
    '__proto__',
    'x-other',
  );
  const headers = fc.dictionary(NAME, fc.constantFrom('mallory', '', 'session=x'), {
    noNullPrototype: true,
  });
  const text = fc.constantFrom('a', '', 'é', 'a\nb', 'a b', undefined);
  await fc.assert(
    fc.asyncProperty(headers, text, text, fc.boolean(), async (sent, username, team, strip) => {
      const spec: PolicySpec = {
        names: { username: 'x-user' },
        readFrom: [
          { kind: 'query', name: 'k' },
          { kind: 'header', name: 'x-key' },
        ],
        issuers: [
          {
            name: 'id',
            headers: { 'x-auth-email': 'e' },
            readFrom: [{ kind: 'cookie', name: 'session' }],
          },
        ],
        keys: [{ raw: RAW, username: username ?? 'u', team: team ?? '' }],
        routes: [
          {
            stripCredentials: strip,
            headers: { 'x-tier': 'gold' },
            access: ['api_key', 'anonymous'],
          },
        ],
      };
      const { cookie, ...rest } = sent;
      const { set, remove } = await upstreamOf(spec, {
        path: `/?k=${RAW}`,
        headers: cookie === 'session=x' ? rest : sent,
      });
      const names = Object.keys(sent).map((name) => name.replaceAll('_', '-'));
      for (const [at, name] of Object.keys(sent).entries()) {
        const isOurs = /^x-auth-|^x-user$|^x-tier$/.test(names[at] ?? '');
        if (isOurs) expect(remove.has(name) || (set[name] ?? 'mallory') !== 'mallory').toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
