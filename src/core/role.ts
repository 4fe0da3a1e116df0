import { type Catalogue, holdsGrant, minimalGrants } from './scope.ts';

/** A compiled role: itself and all it inherits from, and all their scopes. */
export type Role = {
  readonly name: string;
  readonly includes: ReadonlySet<string>;
  readonly scopes: readonly string[];
};

/** The roles of a policy, with the questions that rules ask of them. */
export type Roles = {
  readonly byName: ReadonlyMap<string, Role>;
  /** Scopes of the named roles, inherited ones included; a role the policy lacks gives none. */
  scopesOf(names: readonly string[]): readonly string[];
  /** Whether one of the ceilings is the role or inherits from it. */
  covers(ceilings: readonly string[] | undefined, role: string): boolean;
};

export type RoleDefinition = {
  readonly inherits: readonly string[];
  readonly scopes: readonly string[];
};

/** Compiles role definitions; a name inherited but not defined is skipped, a cycle ends where it began. */
export function compileRoles(
  definitions: ReadonlyMap<string, RoleDefinition>,
  catalogue: Catalogue,
): Roles {
  const byName = new Map<string, Role>();
  for (const name of definitions.keys()) {
    const includes = lineage(name, definitions);
    const scopes = [...includes].flatMap((one) => definitions.get(one)?.scopes ?? []);
    byName.set(name, { name, includes, scopes: minimalGrants(scopes, catalogue) });
  }
  return {
    byName,
    scopesOf: (names) =>
      names.length === 0 ? [] : names.flatMap((name) => byName.get(name)?.scopes ?? []),
    covers: (ceilings, role) =>
      ceilings?.some((one) => one === role || byName.get(one)?.includes.has(role)) === true,
  };
}

const extensions = new WeakMap<object, { readonly base: Roles; readonly roles: Roles }>();

/**
 * The roles of a policy and the custom roles of a workspace. A role of the policy wins over its namesake. The
 * answer for the same two objects is kept.
 */
export function extendRoles(
  base: Roles,
  custom: ReadonlyMap<string, RoleDefinition> | undefined,
  catalogue: Catalogue,
): Roles {
  if (!custom || custom.size === 0) return base;
  const kept = extensions.get(custom);
  if (kept?.base === base) return kept.roles;
  const definitions = new Map(custom);
  for (const [name, role] of base.byName) {
    const inherits = [...role.includes].filter((one) => one !== name);
    definitions.set(name, { inherits, scopes: role.scopes });
  }
  const roles = compileRoles(definitions, catalogue);
  extensions.set(custom, { base, roles });
  return roles;
}

/** The roles whose every scope the effective scopes still cover. */
export function cutRoles(
  names: readonly string[],
  scopes: readonly string[],
  roles: Roles,
  catalogue: Catalogue,
): readonly string[] {
  if (names.length === 0) return names;
  return names.filter((name) =>
    (roles.byName.get(name)?.scopes ?? []).every((scope) => holdsGrant(scopes, scope, catalogue)),
  );
}

function lineage(
  name: string,
  definitions: ReadonlyMap<string, RoleDefinition>,
  seen: Set<string> = new Set(),
): ReadonlySet<string> {
  if (seen.has(name) || !definitions.has(name)) return seen;
  seen.add(name);
  for (const parent of definitions.get(name)?.inherits ?? []) lineage(parent, definitions, seen);
  return seen;
}
