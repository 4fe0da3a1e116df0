import { describe, expect, test } from 'vitest';
import { beyondGrant, keyScopes } from '../../src/core/grant.ts';
import { compileRoles, cutRoles } from '../../src/core/role.ts';
import { decide, outcomeOf, policy, rawKey, sha256, token } from './build.ts';

const CATALOGUE = new Set(['chat:write', 'models:read', 'billing:write', 'users:read']);
const DEFINITIONS = new Map([
  ['viewer', { inherits: [], scopes: ['*:read'] }],
  ['developer', { inherits: ['viewer'], scopes: ['chat:write'] }],
  ['accountant', { inherits: ['viewer'], scopes: ['billing:write'] }],
  ['admin', { inherits: ['developer', 'accountant'], scopes: [] }],
  ['owner', { inherits: ['admin'], scopes: ['*'] }],
  ['loner', { inherits: [], scopes: [] }],
]);
const ROLES = compileRoles(DEFINITIONS, CATALOGUE);

describe('roles inherit', () => {
  test.each([
    ['viewer', ['*:read']],
    ['developer', ['chat:write', '*:read']],
    ['admin', ['chat:write', '*:read', 'billing:write']],
    ['owner', ['*']],
    ['loner', []],
    ['ghost', []],
    ['__proto__', []],
  ])('%s gives %j', (role, expected) => {
    expect(new Set(ROLES.scopesOf([role]))).toEqual(new Set(expected));
  });

  test.each([
    ['viewer', 'viewer', true],
    ['developer', 'viewer', true],
    ['owner', 'viewer', true],
    ['owner', 'accountant', true],
    ['viewer', 'developer', false],
    ['accountant', 'developer', false],
    ['loner', 'viewer', false],
    ['ghost', 'viewer', false],
    ['constructor', 'viewer', false],
  ])('%s is as good as %s: %s', (held, wanted, expected) => {
    expect(ROLES.covers([held], wanted)).toBe(expected);
  });

  test('a cycle ends', () => {
    const roles = compileRoles(
      new Map([
        ['a', { inherits: ['b'], scopes: ['x:read'] }],
        ['b', { inherits: ['a'], scopes: ['y:read'] }],
      ]),
      undefined,
    );
    expect(new Set(roles.scopesOf(['a']))).toEqual(new Set(['x:read', 'y:read']));
  });
});

describe('a role counts only while the effective scopes cover it', () => {
  test.each([
    [['viewer'], ['*'], ['viewer']],
    [['viewer'], ['*:read'], ['viewer']],
    [['viewer'], ['models:read', 'users:read'], ['viewer']],
    [['viewer'], ['models:read'], []],
    [['developer', 'viewer'], ['*:read'], ['viewer']],
    [['developer'], ['chat:write'], []],
    [
      ['owner', 'admin'],
      ['*:read', 'chat:write', 'billing:write'],
      ['owner', 'admin'],
    ],
    [['owner', 'admin'], ['*:read', 'chat:write'], []],
    [['loner'], [], ['loner']],
  ])('%j with %j leaves %j', (names, scopes, expected) => {
    expect(cutRoles(names, scopes, ROLES, CATALOGUE)).toEqual(expected);
  });

  const publishable = rawKey('pk_');
  const full = rawKey('sk_');
  const judged = policy({
    scopes: [...CATALOGUE],
    roles: Object.fromEntries(DEFINITIONS),
    prefixes: { sk_: {}, pk_: { publishable: true, maxScopes: ['chat:write', '*:read'] } },
    issuers: [
      {
        name: 'id',
        claims: { roles: { path: ['roles'] } },
        maxScopes: ['*:read'],
        maxRoles: ['developer'],
      },
    ],
    keys: [
      { raw: publishable, roles: ['admin', 'developer'] },
      { raw: full, roles: ['admin'] },
    ],
    routes: [
      { path: '/admin', role: 'admin' },
      { path: '/dev', role: 'developer' },
      { path: '/view', role: 'viewer', access: ['api_key', 'jwt'] },
      { path: '/bill', scopes: ['billing:write'] },
      { path: '/any', access: ['api_key', 'jwt'] },
    ],
  });

  test.each([
    ['/admin', full, 'allow'],
    ['/admin', publishable, 'insufficient_role'],
    ['/dev', full, 'allow'],
    ['/dev', publishable, 'allow'],
    ['/view', publishable, 'allow'],
    ['/bill', full, 'allow'],
    ['/bill', publishable, 'insufficient_scope'],
  ])('%s by prefix ceiling: %#', async (path, bearer, expected) => {
    expect(await outcomeOf(judged, { path, bearer })).toBe(expected);
  });

  test.each([
    [{ roles: ['admin'] }, [], []],
    [{ roles: ['developer'] }, ['*:read'], []],
    [{ roles: ['viewer'] }, ['*:read'], ['viewer']],
    [{ roles: 'viewer loner' }, ['*:read'], ['viewer']],
    [{ scope: '*' }, ['*:read'], []],
    [{ scope: 'chat:write models:read' }, ['models:read'], []],
    [{ scope: ['models:read'] }, ['models:read'], []],
    [{ scope: { models: true } }, [], []],
    [{ scope: 7 }, [], []],
    [{}, [], []],
  ])('a token that claims %j has %j and %j', async (claims, scopes, roles) => {
    const decision = await decide(judged, { path: '/any', bearer: token('id', claims) });
    expect(decision.kind).toBe('allow');
    expect(decision.principal).toMatchObject({ scopes, roles });
  });
});

describe("a key's scopes", () => {
  const holder = { catalogue: CATALOGUE, roles: ROLES };
  test.each([
    [
      'its own and its roles',
      { scopes: ['chat:write'], roles: ['viewer'] },
      {},
      undefined,
      ['chat:write', '*:read'],
    ],
    [
      'cut to the prefix',
      { scopes: ['*'], roles: [] },
      { maxScopes: ['chat:*'] },
      undefined,
      ['chat:*'],
    ],
    [
      'roles cut too',
      { scopes: [], roles: ['admin'] },
      { maxScopes: ['*:read'] },
      undefined,
      ['*:read'],
    ],
    [
      'cut to the owner',
      { scopes: ['*'], roles: [] },
      {},
      { scopes: ['models:read'], roles: [] },
      ['models:read'],
    ],
    [
      "cut to the owner's roles",
      { scopes: ['*'], roles: [] },
      {},
      { scopes: [], roles: ['developer'] },
      ['chat:write', '*:read'],
    ],
    [
      'nothing when the owner has nothing',
      { scopes: ['*'], roles: ['owner'] },
      {},
      { scopes: [], roles: [] },
      [],
    ],
    [
      'cut to both',
      { scopes: ['*'], roles: [] },
      { maxScopes: ['*:read'] },
      { scopes: ['users:*', 'chat:write'], roles: [] },
      ['users:read'],
    ],
  ])('%s', (...[, key, prefix, owner, expected]) => {
    const now = owner && { active: true, ...owner };
    expect(new Set(keyScopes(holder, key, prefix, now))).toEqual(new Set(expected));
  });

  test('a personal key in the store has what its owner has now', async () => {
    const raw = rawKey();
    const judged = policy({
      scopes: [...CATALOGUE],
      roles: Object.fromEntries(DEFINITIONS),
      keys: [{ raw, roles: ['admin'], owner: 'ada', kind: 'personal' }],
      routes: [{ scopes: ['chat:write'] }],
    });
    const held = judged.declaredKeys.get(sha256(raw));
    const stored = policy({ ...judgedSpec(), routes: [{ scopes: ['chat:write'] }] });
    const ask = (owner: { active: boolean; scopes: string[]; roles: string[] }) =>
      outcomeOf(stored, { bearer: raw }, { findKey: () => held, findOwner: () => owner });
    expect(await ask({ active: true, scopes: ['chat:write'], roles: [] })).toBe('allow');
    expect(await ask({ active: true, scopes: [], roles: ['viewer'] })).toBe('insufficient_scope');
    expect(await ask({ active: false, scopes: ['*'], roles: [] })).toBe('owner_deactivated');
  });
});

function judgedSpec() {
  return { scopes: [...CATALOGUE], roles: Object.fromEntries(DEFINITIONS) };
}

test('nobody grants what they do not hold', () => {
  expect(beyondGrant(['*:read'], ['models:read'], CATALOGUE)).toEqual([]);
  expect(beyondGrant(['*:read'], ['*'], CATALOGUE)).toEqual(['*']);
  expect(beyondGrant(['chat:write'], ['chat:*'], CATALOGUE)).toEqual([]);
  expect(beyondGrant(['chat:write'], ['chat:*', 'users:read'], undefined)).toEqual([
    'chat:*',
    'users:read',
  ]);
  expect(beyondGrant(['*'], ['api_keys:write'], undefined)).toEqual(['api_keys:write']);
});
