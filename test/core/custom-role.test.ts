import { describe, expect, test } from 'vitest';
import {
  cyclicParents,
  isWithin,
  lineageOf,
  unknownRoles,
  unknownScopes,
  withRole,
} from '../../src/core/custom-role.ts';
import { compileRoles, extendRoles, type RoleDefinition } from '../../src/core/role.ts';

const CATALOGUE = new Set(['agents:read', 'agents:write', 'billing:read']);
const DECLARED = compileRoles(
  new Map([
    ['viewer', role([], ['agents:read'])],
    ['developer', role(['viewer'], ['agents:write'])],
    ['badge', role([], [])],
  ]),
  CATALOGUE,
);
const RULES = { catalogue: CATALOGUE, roles: DECLARED };

function role(inherits: readonly string[], scopes: readonly string[]): RoleDefinition {
  return { inherits, scopes };
}

describe('scopes that the catalogue lacks', () => {
  test.each([
    ['a scope of the catalogue', ['agents:read'], []],
    ["one of Postern's own", ['api_keys:write'], []],
    ['a wildcard that reaches something', ['agents:*', '*', '*:read'], []],
    ['a scope that nobody lists', ['agents:read', 'agents:fly'], [1]],
    ['a wildcard that reaches nothing', ['ghosts:*'], [0]],
    ["a wildcard over Postern's own", ['api_keys:*'], [0]],
  ])('%s', (_, scopes, want) => {
    expect(unknownScopes(scopes, CATALOGUE).map(({ index }) => index)).toEqual(want);
  });

  test('without a catalogue every scope exists', () => {
    expect(unknownScopes(['agents:fly', 'ghosts:*'], undefined)).toEqual([]);
  });
});

describe('a custom role', () => {
  const custom = new Map([
    ['a', role(['b', 'viewer'], [])],
    ['b', role(['c'], ['billing:read'])],
    ['c', role([], ['agents:write'])],
  ]);

  test('rests on the custom roles that it inherits from, whatever the policy has', () => {
    expect([...lineageOf(['a', 'developer', 'gone'], custom)].sort()).toEqual(['a', 'b', 'c']);
  });

  test('a circle that is there already ends the search', () => {
    const circle = new Map([...custom, ['c', role(['a'], [])]]);
    expect([...lineageOf(['b'], circle)].sort()).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['itself', 'a', ['a'], [0]],
    ['one that inherits from it', 'c', ['a'], [0]],
    ['one beside it', 'd', ['a', 'b'], []],
    ['a role of the policy', 'c', ['developer'], []],
  ])('inherits from %s', (_, name, parents, want) => {
    const drafted = new Map([...custom, [name, role(parents, [])]]);
    expect(cyclicParents(name, parents, drafted).map(({ index }) => index)).toEqual(want);
  });

  test('a role that comes back under a name that others still inherit from closes no circle', () => {
    const dangling = new Map([['child', role(['gone'], [])]]);
    const drafted = new Map([...dangling, ['gone', role(['child'], [])]]);
    expect(cyclicParents('gone', ['child'], drafted)).toHaveLength(1);
  });

  test('names that nobody has are found by their place', () => {
    const book = extendRoles(DECLARED, custom, CATALOGUE);
    expect(unknownRoles(['viewer', 'a', 'ghost'], book)).toEqual([
      { index: 2, detail: 'no such role' },
    ]);
  });

  test('joins the roles of its workspace before it is kept', () => {
    const book = withRole('d', role(['a'], ['agents:read']), custom, RULES);
    expect([...book.scopesOf(['d'])].sort()).toEqual([
      'agents:read',
      'agents:write',
      'billing:read',
    ]);
  });
});

describe('a change of grants', () => {
  const custom = new Map([['biller', role([], ['billing:read'])]]);
  const book = extendRoles(DECLARED, custom, CATALOGUE);
  const none = { scopes: [], roles: [] };

  test.each([
    ['nothing to nothing', none, none, true],
    ['fewer scopes', { ...none, scopes: ['agents:read', 'agents:write'] }, none, true],
    [
      'a wildcard to what it covers',
      { ...none, scopes: ['agents:*'] },
      { ...none, scopes: ['agents:read'] },
      true,
    ],
    [
      'a scope to a wildcard',
      { ...none, scopes: ['agents:read'] },
      { ...none, scopes: ['agents:*'] },
      false,
    ],
    [
      'a wildcard to all that it reaches',
      { ...none, scopes: ['agents:*'] },
      { ...none, scopes: ['agents:read', 'agents:write'] },
      true,
    ],
    [
      'a role to its scopes',
      { ...none, roles: ['developer'] },
      { ...none, scopes: ['agents:write'] },
      true,
    ],
    [
      'a role to one that it inherits from',
      { ...none, roles: ['developer'] },
      { ...none, roles: ['viewer'] },
      true,
    ],
    [
      'the scopes of a role to the role',
      { ...none, scopes: ['agents:read'] },
      { ...none, roles: ['viewer'] },
      false,
    ],
    [
      'the scopes of a custom role to the role',
      { ...none, scopes: ['billing:read'] },
      { ...none, roles: ['biller'] },
      true,
    ],
    ['a role without scopes', none, { ...none, roles: ['badge'] }, false],
    ['a role that nobody has', none, { ...none, roles: ['ghost'] }, false],
  ])('%s', (_, before, after, want) => {
    expect(isWithin(before, after, RULES, book)).toBe(want);
  });
});
