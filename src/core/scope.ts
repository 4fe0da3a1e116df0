/** The scopes a policy lists; undefined when it lists none, and then every scope exists. */
export type Catalogue = ReadonlySet<string> | undefined;

const MANAGEMENT = new Set(['api_keys', 'workspaces', 'users', 'audit']);

/** Whether a scope governs Postern itself: wildcards reach it only where the catalogue lists it. */
export function isManagementScope(scope: string): boolean {
  return MANAGEMENT.has(scope.slice(0, Math.max(scope.indexOf(':'), 0)));
}

/** Whether a grant is `*`, `resource:*` or `*:action`. */
export function isWildcard(grant: string): boolean {
  return grant === '*' || grant.endsWith(':*') || grant.startsWith('*:');
}

/** Whether a text can be a grant: printable ASCII without space, quote and backslash (RFC 6749 section 3.3). */
export function isGrant(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(text);
}

/** Whether a claim is a list of texts that can be grants. */
export function isGrantList(items: unknown): items is readonly string[] {
  return (
    Array.isArray(items) &&
    items.every((item) => typeof item === 'string' && (item === '' || isGrant(item)))
  );
}

/** Whether one grant covers one concrete scope. */
export function covers(grant: string, scope: string, catalogue: Catalogue): boolean {
  if (grant === scope) return !isWildcard(grant) || !isWildcard(scope);
  if (!isWildcard(grant) || !matchesWildcard(grant, scope)) return false;
  return catalogue ? catalogue.has(scope) : !isManagementScope(scope);
}

/** Whether any of the grants covers a concrete scope. */
export function holdsScope(
  grants: readonly string[],
  scope: string,
  catalogue: Catalogue,
): boolean {
  for (const grant of grants) if (covers(grant, scope, catalogue)) return true;
  return false;
}

/** Whether the grants cover everything that another grant covers; a wildcard counts as what it reaches. */
export function holdsGrant(
  grants: readonly string[],
  wanted: string,
  catalogue: Catalogue,
): boolean {
  if (!isWildcard(wanted)) return holdsScope(grants, wanted, catalogue);
  if (grants.some((grant) => grant === wanted || includesWildcard(grant, wanted))) return true;
  if (!catalogue) return false;
  for (const scope of catalogue) {
    if (matchesWildcard(wanted, scope) && !holdsScope(grants, scope, catalogue)) return false;
  }
  return true;
}

/** The grants without repeats and without those that another one includes. */
export function minimalGrants(grants: readonly string[], catalogue: Catalogue): readonly string[] {
  if (grants.length < 2) return grants;
  const unique = [...new Set(grants)];
  return unique.filter(
    (grant) =>
      !unique.some((other) => {
        if (other === grant) return false;
        return isWildcard(grant) ? includesWildcard(other, grant) : covers(other, grant, catalogue);
      }),
  );
}

/** The grants cut to a ceiling: what both sides grant; without a ceiling, the grants themselves. */
export function cutGrants(
  grants: readonly string[],
  ceiling: readonly string[] | undefined,
  catalogue: Catalogue,
): readonly string[] {
  if (!ceiling) return minimalGrants(grants, catalogue);
  const kept: string[] = [];
  for (const grant of grants) {
    for (const limit of ceiling) {
      const both = intersect(grant, limit, catalogue);
      if (both !== undefined) kept.push(both);
    }
  }
  return minimalGrants(kept, catalogue);
}

/** What two grants have in common, as one grant. */
function intersect(one: string, other: string, catalogue: Catalogue): string | undefined {
  if (one === other) return one;
  if (!isWildcard(one)) return covers(other, one, catalogue) ? one : undefined;
  if (!isWildcard(other)) return covers(one, other, catalogue) ? other : undefined;
  if (includesWildcard(one, other)) return other;
  if (includesWildcard(other, one)) return one;
  const resource = one.endsWith(':*') ? one : other;
  const action = resource === one ? other : one;
  if (!resource.endsWith(':*') || !action.startsWith('*:')) return undefined;
  const scope = resource.slice(0, -1) + action.slice(2);
  return covers(resource, scope, catalogue) && covers(action, scope, catalogue) ? scope : undefined;
}

function includesWildcard(grant: string, wildcard: string): boolean {
  return grant === '*' && wildcard !== '*';
}

function matchesWildcard(grant: string, scope: string): boolean {
  if (grant === '*') return true;
  if (grant.endsWith(':*'))
    return scope.startsWith(grant.slice(0, -1)) && scope.length >= grant.length;
  return scope.endsWith(grant.slice(1)) && scope.length >= grant.length;
}
