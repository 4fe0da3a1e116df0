import fc from 'fast-check';
import { CATALOGUE, MANAGEMENT, WORKSPACES, type World } from './power-world.ts';

/** One request that somebody makes; numbers choose among what there is at that moment. */
export type Move = {
  readonly actor: number;
  readonly verb: Verb;
  /** The workspace whose objects are meant, as a place in `WORKSPACES`. */
  readonly place: number;
  /** Which object of that kind. */
  readonly pick: number;
  readonly grants: Grants;
  readonly more: number;
};
export type Grants = { readonly scopes: readonly string[]; readonly roles: readonly string[] };

/** What makes callers fewer is rarer than what makes something. */
const VERBS = [
  ...['makeUser', 'makeUser', 'makeUser', 'changeUser', 'changeUser', 'changeUser', 'removeUser'],
  ...['makeRole', 'makeRole', 'makeRole', 'changeRole', 'changeRole', 'removeRole'],
  ...['makeTeam', 'makeTeam', 'removeTeam', 'makeKey', 'makeKey', 'makeKey', 'changeKey'],
  ...['changeKey', 'rotate', 'rotate', 'disable', 'enable', 'enable', 'revoke', 'look', 'look'],
  'changeWorkspace',
] as const;
export type Verb =
  | 'makeUser'
  | 'changeUser'
  | 'removeUser'
  | 'makeRole'
  | 'changeRole'
  | 'removeRole'
  | 'makeTeam'
  | 'removeTeam'
  | 'makeKey'
  | 'changeKey'
  | 'rotate'
  | 'disable'
  | 'enable'
  | 'revoke'
  | 'look'
  | 'changeWorkspace';

export const DECLARED_ROLES = ['r0', 'r1', 'r2'] as const;
export const CUSTOM_ROLES = ['c0', 'c1', 'c2'] as const;
export const USERS = ['u0', 'u1', 'u2'] as const;
/** Users that are asked for: those that the admin made, and others. */
export const ASKED_USERS = [...USERS, 'u3', 'u4'] as const;

const grant = fc.constantFrom(...CATALOGUE, '*', 'a:*', 'b:*', '*:read', ...MANAGEMENT);
const roleName = fc.constantFrom(...DECLARED_ROLES, ...CUSTOM_ROLES);
const grants = fc.record({
  scopes: fc.uniqueArray(grant, { maxLength: 4 }),
  roles: fc.uniqueArray(roleName, { maxLength: 2 }),
});

/** Roles inherit from earlier ones alone, so that a policy of them is sound. */
export const worlds: fc.Arbitrary<World> = fc
  .record({
    scopes: fc.tuple(...DECLARED_ROLES.map(() => fc.uniqueArray(grant, { maxLength: 3 }))),
    parents: fc.tuple(...DECLARED_ROLES.map(() => fc.nat(3))),
    ceiling: fc.uniqueArray(grant, { minLength: 1, maxLength: 4 }),
  })
  .map(({ scopes, parents, ceiling }) => {
    const roles = DECLARED_ROLES.map((name, at) => {
      const parent = DECLARED_ROLES[parents[at] ?? 9];
      const isEarlier = (parents[at] ?? 9) < at;
      return [name, { scopes: scopes[at] ?? [], inherits: isEarlier && parent ? [parent] : [] }];
    });
    return { roles: Object.fromEntries(roles), ceiling };
  });

/** What the admin sets up: in each workspace users, a role, and keys with which the actors begin. */
export type Setting = {
  readonly users: readonly Grants[];
  readonly roles: readonly Grants[];
  readonly keys: readonly (Grants & { readonly kind: number; readonly low: boolean })[];
};

/** Actors may manage something more often than chance would have it, or nothing would ever happen. */
const actorGrants = fc
  .tuple(grants, fc.uniqueArray(fc.constantFrom(...MANAGEMENT), { minLength: 5 }))
  .map(([own, management]) => ({ ...own, scopes: [...new Set([...own.scopes, ...management])] }));

export const settings: fc.Arbitrary<Setting> = fc.record({
  users: fc.array(actorGrants, { minLength: 6, maxLength: 6 }),
  roles: fc.array(grants, { minLength: 2, maxLength: 2 }),
  keys: fc.array(
    fc
      .tuple(actorGrants, fc.nat(2), fc.boolean())
      .map(([own, kind, low]) => ({ ...own, kind, low: low && kind === 2 })),
    { minLength: 6, maxLength: 6 },
  ),
});

export const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.record({
    actor: fc.nat(99),
    verb: fc.constantFrom(...VERBS) as fc.Arbitrary<Verb>,
    place: fc.nat(WORKSPACES.length * 3 - 1),
    pick: fc.nat(99),
    grants,
    more: fc.nat(99),
  }),
  { minLength: 15, maxLength: 40, size: 'max' },
);
