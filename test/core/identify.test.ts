import { describe, expect, test } from 'vitest';
import type { Reason } from '../../src/core/decision.ts';
import { decide, NOW, outcomeOf, policy, ports, rawKey, token } from './build.ts';

const KEY = rawKey();
const BROKEN = KEY.slice(0, -1) + (KEY.endsWith('a') ? 'b' : 'a');
const UNKNOWN = rawKey('pst_', 9);
const TOKEN = token('id');

const judged = policy({
  keys: [
    {
      raw: KEY,
      id: 'k1',
      owner: 'ada',
      workspace: 'acme',
      plan: 'pro',
      scopes: ['a:read', 'a:write'],
    },
  ],
  issuers: [
    {
      name: 'id',
      claims: {
        workspace: { path: ['org'] },
        plan: { path: ['plan'] },
        environment: { path: ['env'] },
      },
    },
    { name: 'second' },
    { name: 'third' },
  ],
  plans: { pro: { per_minute: 10 }, free: { per_minute: 5 } },
  routes: [
    { path: '/keys', access: ['api_key'] },
    { path: '/tokens', access: ['jwt'] },
    { path: '/any', access: ['api_key', 'jwt'] },
    { path: '/both', access: ['both'] },
    { path: '/key-or-both', access: ['api_key', 'both'] },
    { path: '/anon', access: ['anonymous'] },
    { path: '/anon-keys', access: ['api_key', 'anonymous'] },
    { path: '/second', access: ['jwt'], issuers: ['second', 'third'] },
    { path: '/live', access: ['both'], environments: ['live'] },
  ],
});

describe('which credential a route takes', () => {
  const cases: readonly (readonly [string, string | undefined, Reason | 'allow'])[] = [
    ['/keys', undefined, 'missing_credential'],
    ['/keys', KEY, 'allow'],
    ['/keys', BROKEN, 'unknown_key'],
    ['/keys', UNKNOWN, 'unknown_key'],
    ['/keys', TOKEN, 'credential_not_accepted'],
    ['/tokens', undefined, 'missing_credential'],
    ['/tokens', TOKEN, 'allow'],
    ['/tokens', KEY, 'credential_not_accepted'],
    ['/tokens', BROKEN, 'unknown_key'],
    ['/tokens', UNKNOWN, 'unknown_key'],
    ['/any', KEY, 'allow'],
    ['/any', TOKEN, 'allow'],
    ['/any', 'hello', 'token_invalid'],
    ['/anon', undefined, 'allow'],
    ['/anon', KEY, 'credential_not_accepted'],
    ['/anon', TOKEN, 'credential_not_accepted'],
    ['/anon', UNKNOWN, 'unknown_key'],
    ['/anon', BROKEN, 'unknown_key'],
    ['/anon', token('id', { refuse: 'token_expired' }), 'token_expired'],
    ['/anon-keys', undefined, 'allow'],
    ['/anon-keys', KEY, 'allow'],
    ['/anon-keys', UNKNOWN, 'unknown_key'],
    ['/anon-keys', TOKEN, 'credential_not_accepted'],
    ['/both', undefined, 'missing_credential'],
    ['/both', UNKNOWN, 'unknown_key'],
    ['/key-or-both', KEY, 'allow'],
  ];
  test.each(cases)('%s with %s', async (path, bearer, expected) => {
    const asked = bearer === undefined ? { path } : { path, bearer };
    expect(await outcomeOf(judged, asked)).toBe(expected);
  });

  test.each([KEY, TOKEN])('a route that needs both refuses one alone', async (bearer) => {
    const decision = await decide(judged, { path: '/both', bearer });
    expect(decision).toMatchObject({ kind: 'deny', step: 'identify' });
  });

  test.each(['hello', 'pst_', 'xyz_0123456789012345678901234567'])(
    'a value in a place of keys alone without a known prefix is an unknown key: %s',
    async (value) => {
      for (const path of ['/keys', '/any', '/tokens', '/anon-keys']) {
        const asked = { path, headers: { 'x-api-key': value } };
        expect(await outcomeOf(judged, asked), path).toBe('unknown_key');
      }
    },
  );

  test.each<Reason>([
    'token_invalid',
    'token_expired',
    'token_not_yet_valid',
    'token_issuer',
    'token_audience',
  ])('the refusal of a token is passed on: %s', async (refuse) => {
    for (const path of ['/any', '/tokens', '/keys']) {
      const decision = await decide(judged, { path, bearer: token('id', { refuse }) });
      expect(decision, path).toMatchObject({ kind: 'deny', reason: refuse, step: 'identify' });
    }
  });
});

describe('who the caller is', () => {
  test('a key stands for its username, owner and workspace', async () => {
    const { principal } = await decide(judged, { path: '/keys', bearer: KEY });
    expect(principal).toMatchObject({
      kind: 'api_key',
      username: 'ada',
      workspace: 'acme',
      plan: 'pro',
      key: { id: 'k1' },
    });
  });

  test.each([
    [{ username: 'u', owner: 'o', name: 'n' }, 'u'],
    [{ owner: 'o', name: 'n' }, 'o'],
    [{ name: 'n' }, 'n'],
  ])('of %j the username is %s', async (names, expected) => {
    const one = policy({ keys: [{ raw: KEY, ...names }], routes: [{}] });
    expect((await decide(one, { bearer: KEY })).principal?.username).toBe(expected);
  });

  test.each([
    ['a nested claim', { user: { email: 'ada@b.c' } }, 'ada@b.c'],
    ['no claim', {}, undefined],
    ['an empty claim', { user: { email: '' } }, undefined],
    ['a number', { user: { email: 7 } }, undefined],
    ['a list', { user: { email: ['a'] } }, undefined],
    ['null', { user: null }, undefined],
    ['an inherited property', { user: 'text' }, undefined],
    ['a control character', { user: { email: 'a\nb' } }, undefined],
  ])('a token without its username is refused: %s', async (_, claims, expected) => {
    const one = policy({
      issuers: [{ name: 'id', claims: { username: { path: ['user', 'email'] } } }],
      routes: [{ access: ['jwt'] }],
    });
    const decision = await decide(one, { bearer: token('id', claims) });
    expect(decision.principal?.username).toBe(expected);
    expect(decision.kind).toBe(expected === undefined ? 'deny' : 'allow');
    if (decision.kind === 'deny') expect(decision.reason).toBe('token_invalid');
  });

  test.each([['constructor'], ['__proto__'], ['toString'], ['user.length']])(
    'a property path never finds %s',
    async (path) => {
      const one = policy({
        issuers: [{ name: 'id', claims: { username: { path: path.split('.') } } }],
        routes: [{ access: ['jwt'] }],
      });
      const decision = await decide(one, { bearer: token('id', { user: 'ada' }) });
      expect(decision).toMatchObject({ kind: 'deny', reason: 'token_invalid' });
    },
  );

  test('a claim under a segment with dots, and a constant', async () => {
    const one = policy({
      issuers: [
        {
          name: 'id',
          claims: { roles: { path: ['https://a.com/roles'] }, workspace: { value: 'w' } },
        },
      ],
      routes: [{ access: ['jwt'] }],
    });
    const bearer = token('id', { 'https://a.com/roles': ['admin'] });
    expect((await decide(one, { bearer })).principal).toMatchObject({
      roles: ['admin'],
      workspace: 'w',
    });
  });
});

describe('issuers', () => {
  test('a route takes the issuers it names', async () => {
    expect(await outcomeOf(judged, { path: '/second', bearer: token('second') })).toBe('allow');
    expect(await outcomeOf(judged, { path: '/second', bearer: token('third') })).toBe('allow');
    expect(await outcomeOf(judged, { path: '/second', bearer: TOKEN })).toBe('token_issuer');
    expect(await outcomeOf(judged, { path: '/tokens', bearer: TOKEN })).toBe('allow');
  });

  test('the issuers that a route names are tried before the others, each list in its order', async () => {
    const asked: (readonly string[])[] = [];
    const verifyToken = (
      ...[text, issuers, nowMs]: Parameters<ReturnType<typeof ports>['verifyToken']>
    ) => {
      asked.push(issuers.map((one) => one.name));
      return ports().verifyToken(text, issuers, nowMs);
    };
    await decide(judged, { path: '/second', bearer: TOKEN }, { verifyToken });
    await decide(judged, { path: '/tokens', bearer: TOKEN }, { verifyToken });
    expect(asked).toEqual([
      ['second', 'third', 'id'],
      ['id', 'second', 'third'],
    ]);
  });
});

describe('a key and a token together', () => {
  const both = (claims = {}, path = '/both') =>
    decide(judged, { path, bearer: token('id', claims), headers: { 'x-api-key': KEY } });

  test('the key gives workspace and plan, the token the user', async () => {
    const decision = await both({ sub: 'grace', org: 'other', plan: 'free' });
    expect(decision).toMatchObject({
      kind: 'allow',
      plan: 'pro',
      principal: { username: 'grace', workspace: 'acme', key: { id: 'k1' } },
    });
  });

  test('what only one side grants is not granted', async () => {
    const { principal } = await both({ scope: 'a:read b:read' });
    expect(principal?.scopes).toEqual(['a:read']);
  });

  test('both must be sound', async () => {
    const ask = (bearer: string, key: string) =>
      outcomeOf(judged, { path: '/both', bearer, headers: { 'x-api-key': key } });
    expect(await ask(TOKEN, UNKNOWN)).toBe('unknown_key');
    expect(await ask(TOKEN, BROKEN)).toBe('unknown_key');
    expect(await ask(token('id', { refuse: 'token_expired' }), KEY)).toBe('token_expired');
  });

  test("a token of another environment is refused beside a key of the route's own", async () => {
    const live = policy({
      prefixes: { pst_: { environment: 'live' } },
      keys: [{ raw: KEY }],
      issuers: [{ name: 'id', claims: { environment: { path: ['env'] } } }],
      routes: [{ access: ['both'], environments: ['live'] }],
    });
    const ask = (env: string) =>
      outcomeOf(live, { bearer: token('id', { env }), headers: { 'x-api-key': KEY } });
    expect(await ask('live')).toBe('allow');
    expect(await ask('test')).toBe('wrong_environment');
  });

  test('a key without an environment is refused beside a token that has the right one', async () => {
    expect(await both({ env: 'live' }, '/live')).toMatchObject({ reason: 'wrong_environment' });
  });
});

describe('states of a key', () => {
  const at = (iso: string, atMs: number) => {
    const one = policy({ keys: [{ raw: KEY, expires_at: iso }], routes: [{}] });
    return decide(one, { bearer: KEY }, {}, atMs);
  };

  test('an expiry holds to the millisecond', async () => {
    const iso = new Date(NOW).toISOString();
    expect((await at(iso, NOW - 1)).kind).toBe('allow');
    expect(await at(iso, NOW)).toMatchObject({ kind: 'deny', reason: 'key_expired' });
  });

  test('a rotated secret ends while the new one goes on', async () => {
    const fresh = rawKey('pst_', 5);
    const one = policy({
      keys: [
        { raw: KEY, id: 'k', until: new Date(NOW).toISOString() },
        { raw: fresh, id: 'k' },
      ],
      routes: [{}],
    });
    expect((await decide(one, { bearer: KEY }, {}, NOW - 1)).kind).toBe('allow');
    expect(await decide(one, { bearer: KEY }, {}, NOW)).toMatchObject({ reason: 'key_expired' });
    expect((await decide(one, { bearer: fresh }, {}, NOW)).kind).toBe('allow');
  });

  test('a disabled key is told so', async () => {
    const one = policy({ keys: [{ raw: KEY, disabled: true }], routes: [{}] });
    expect(await outcomeOf(one, { bearer: KEY })).toBe('key_disabled');
  });
});
