import { type Actor, beyondActor, type Grants } from './actor.ts';
import type { Policy } from './policy.ts';
import { extendRoles, type RoleDefinition, type Roles } from './role.ts';
import { type Catalogue, covers, isManagementScope, isWildcard } from './scope.ts';

/** The custom roles of one workspace, by name. */
export type CustomRoles = ReadonlyMap<string, RoleDefinition>;

type Rules = Pick<Policy, 'catalogue' | 'roles'>;

/** What is wrong with one item of a list. */
export type ItemProblem = { readonly index: number; readonly detail: string };

/** Scopes that the catalogue lacks, and wildcards that reach none of it; without a catalogue every scope exists. */
export function unknownScopes(
  scopes: readonly string[],
  catalogue: Catalogue,
): readonly ItemProblem[] {
  if (!catalogue) return [];
  return scopes.flatMap((scope, index): ItemProblem[] => {
    if (!isWildcard(scope)) {
      const isKnown = catalogue.has(scope) || isManagementScope(scope);
      return isKnown ? [] : [{ index, detail: 'the scope is not in the catalogue' }];
    }
    const isReaching = [...catalogue].some((one) => covers(scope, one, catalogue));
    return isReaching ? [] : [{ index, detail: 'the wildcard covers no scope of the catalogue' }];
  });
}

/** Roles that neither the policy nor the workspace has. */
export function unknownRoles(names: readonly string[], roles: Roles): readonly ItemProblem[] {
  return names.flatMap((name, index) =>
    roles.byName.has(name) ? [] : [{ index, detail: 'no such role' }],
  );
}

/** Roles that a role may not inherit from, because it would inherit from itself. `custom` holds it already. */
export function cyclicParents(
  name: string,
  parents: readonly string[],
  custom: CustomRoles,
): readonly ItemProblem[] {
  return parents.flatMap((parent, index) => {
    const isCycle = parent === name || lineageOf([parent], custom).has(name);
    return isCycle ? [{ index, detail: 'the role would inherit from itself' }] : [];
  });
}

/** The custom roles among these and all that they inherit from; what a grant of these roles rests on. */
export function lineageOf(names: readonly string[], custom: CustomRoles): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const role = custom.get(name);
    if (!role || found.has(name)) continue;
    found.add(name);
    waiting.push(...role.inherits);
  }
  return found;
}

/** Whether somebody with `before` gains nothing by `after`: then nothing is granted. */
export function isWithin(before: Grants, after: Grants, rules: Rules, roles: Roles): boolean {
  const holder: Actor = {
    kind: 'api_key',
    id: '',
    scopes: [...before.scopes, ...roles.scopesOf(before.roles)],
    roles: before.roles,
  };
  return beyondActor(holder, after, rules, roles).length === 0;
}

/** The roles of a workspace as they would be with this one in it. */
export function withRole(
  name: string,
  role: RoleDefinition,
  custom: CustomRoles,
  { roles, catalogue }: Rules,
): Roles {
  return extendRoles(roles, new Map([...custom, [name, role]]), catalogue);
}
