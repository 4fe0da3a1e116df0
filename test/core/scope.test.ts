import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Catalogue,
  covers,
  cutGrants,
  holdsGrant,
  holdsScope,
  minimalGrants,
} from '../../src/core/scope.ts';

const LISTED = new Set(['agents:read', 'agents:write', 'users:read', 'api_keys:read', 'plain']);

describe('a grant covers', () => {
  test.each([
    ['agents:read', 'agents:read', undefined, true],
    ['agents:read', 'agents:write', undefined, false],
    ['agents:read', 'agents:reader', undefined, false],
    ['agents:*', 'agents:read', undefined, true],
    ['agents:*', 'agentsx:read', undefined, false],
    ['agents:*', 'agents', undefined, false],
    ['agents:*', 'agents:', undefined, false],
    ['agent:*', 'agents:read', undefined, false],
    ['*:read', 'agents:read', undefined, true],
    ['*:read', 'agents:write', undefined, false],
    ['*:read', 'agents:thread', undefined, false],
    ['*:read', 'read', undefined, false],
    ['*:read', ':read', undefined, false],
    ['*', 'agents:read', undefined, true],
    ['*', 'plain', undefined, true],
    ['*', 'agents:read', LISTED, true],
    ['*', 'ghosts:read', LISTED, false],
    ['agents:*', 'agents:delete', LISTED, false],
    ['*:read', 'ghosts:read', LISTED, false],
    ['*:read', 'users:read', LISTED, true],
    ['*', '*', undefined, false],
    ['AGENTS:*', 'agents:read', undefined, false],
  ])('%s covers %s (catalogue: %o): %s', (grant, scope, catalogue, expected) => {
    expect(covers(grant, scope, catalogue)).toBe(expected);
  });
});

describe("wildcards never cover Postern's own scopes unless the catalogue lists them", () => {
  const own = ['api_keys:read', 'workspaces:write', 'users:read', 'audit:read'];
  test.each(own)('%s', (scope) => {
    const [resource, action] = scope.split(':');
    for (const grant of ['*', `${resource}:*`, `*:${action}`]) {
      expect(covers(grant, scope, undefined), grant).toBe(false);
      expect(covers(grant, scope, new Set(['agents:read'])), grant).toBe(false);
      expect(covers(grant, scope, new Set([scope])), grant).toBe(true);
    }
    expect(covers(scope, scope, undefined)).toBe(true);
    expect(cutGrants([scope], ['*'], undefined)).toEqual([]);
    expect(holdsScope(cutGrants(['*'], [scope], undefined), scope, undefined)).toBe(false);
  });
});

describe('a ceiling cuts grants', () => {
  test.each([
    [['*'], ['agents:*'], ['agents:*']],
    [['agents:*'], ['*'], ['agents:*']],
    [['agents:*'], ['*:read'], ['agents:read']],
    [['*:read'], ['agents:*'], ['agents:read']],
    [['agents:read'], ['agents:*'], ['agents:read']],
    [['agents:*'], ['agents:read'], ['agents:read']],
    [['agents:*'], ['users:*'], []],
    [['agents:read'], ['agents:write'], []],
    [['agents:read', 'agents:write'], ['*:read'], ['agents:read']],
    [['*'], ['*'], ['*']],
    [['*'], [], []],
    [[], ['*'], []],
    [['agents:read'], undefined, ['agents:read']],
  ])('%j cut to %j is %j', (grants, ceiling, expected) => {
    expect(cutGrants(grants, ceiling, undefined)).toEqual(expected);
  });
});

const WORDS = ['a', 'b', 'api_keys', 'users'];
const ACTIONS = ['read', 'write', 'x'];
const SCOPES = [...WORDS.flatMap((word) => ACTIONS.map((action) => `${word}:${action}`)), 'plain'];
const GRANTS = [
  ...SCOPES,
  '*',
  ...WORDS.map((one) => `${one}:*`),
  ...ACTIONS.map((one) => `*:${one}`),
];

const grants = fc.array(fc.constantFrom(...GRANTS), { maxLength: 5 });
const catalogue: fc.Arbitrary<Catalogue> = fc.option(
  fc.subarray(SCOPES).map((list): ReadonlySet<string> => new Set(list)),
  { nil: undefined },
);

/** Concrete grants are listed ones where there is a catalogue; anything else is an error at load. */
const situation = fc.tuple(grants, grants, grants, catalogue).map(([one, other, third, known]) => {
  const listed = (list: readonly string[]) =>
    list.filter((grant) => grant.includes('*') || !known || known.has(grant));
  return { one: listed(one), other: listed(other), third: listed(third), known };
});

/** What a list of grants means: the scopes it covers, by config.md alone. */
function meaning(list: readonly string[], known: Catalogue): readonly string[] {
  const own = /^(api_keys|workspaces|users|audit):/;
  return SCOPES.filter((scope) => {
    const reachable = known ? known.has(scope) : !own.test(scope);
    const [resource, action] = scope.split(':');
    return (
      list.includes(scope) ||
      (reachable &&
        (list.includes('*') ||
          (action !== undefined &&
            (list.includes(`${resource}:*`) || list.includes(`*:${action}`)))))
    );
  });
}

describe('the algebra of grants', () => {
  test('grants mean what they cover', () => {
    fc.assert(
      fc.property(situation, ({ one, known }) => {
        const held = SCOPES.filter((scope) => holdsScope(one, scope, known));
        expect(held).toEqual(meaning(one, known));
      }),
    );
  });

  test('a cut means exactly what both sides cover, whichever is the ceiling', () => {
    fc.assert(
      fc.property(situation, ({ one, other, known }) => {
        const both = meaning(one, known).filter((scope) => meaning(other, known).includes(scope));
        expect(meaning(cutGrants(one, other, known), known)).toEqual(both);
        expect(meaning(cutGrants(other, one, known), known)).toEqual(both);
      }),
      { numRuns: 2000 },
    );
  });

  test('cutting twice by the same ceiling changes nothing, and the order of ceilings neither', () => {
    fc.assert(
      fc.property(situation, ({ one, other, third, known }) => {
        const once = cutGrants(one, other, known);
        expect(meaning(cutGrants(once, other, known), known)).toEqual(meaning(once, known));
        const left = cutGrants(once, third, known);
        const right = cutGrants(cutGrants(one, third, known), other, known);
        expect(meaning(left, known)).toEqual(meaning(right, known));
      }),
      { numRuns: 1000 },
    );
  });

  test('leaving out what another grant includes changes no meaning', () => {
    fc.assert(
      fc.property(situation, ({ one, known }) => {
        const fewer = minimalGrants(one, known);
        expect(meaning(fewer, known)).toEqual(meaning(one, known));
        expect(new Set(fewer).size).toBe(fewer.length);
        expect(fewer.every((grant) => one.includes(grant))).toBe(true);
      }),
    );
  });

  test('who holds a grant holds all that it covers', () => {
    fc.assert(
      fc.property(situation, fc.constantFrom(...GRANTS), ({ one, known }, wanted) => {
        if (!holdsGrant(one, wanted, known)) return;
        const held = meaning(one, known);
        for (const scope of meaning([wanted], known)) {
          if (wanted.includes('*') || wanted === scope) expect(held).toContain(scope);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('without a catalogue only a grant as wide holds a wildcard', () => {
    expect(holdsGrant(['a:read', 'a:write'], 'a:*', undefined)).toBe(false);
    expect(holdsGrant(['a:*'], 'a:*', undefined)).toBe(true);
    expect(holdsGrant(['*'], 'a:*', undefined)).toBe(true);
    expect(holdsGrant(['a:*', '*:read'], '*', undefined)).toBe(false);
    expect(holdsGrant(['a:read', 'a:write'], 'a:*', new Set(['a:read', 'a:write']))).toBe(true);
    expect(holdsGrant(['a:read'], 'a:*', new Set(['a:read', 'a:write']))).toBe(false);
  });
});
