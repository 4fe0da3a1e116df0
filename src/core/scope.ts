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
  const reached = [...(catalogue ?? [])].filter((scope) => matchesWildcard(wanted, scope));
  return reached.length > 0 && reached.every((scope) => holdsScope(grants, scope, catalogue));
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
      kept.push(...intersect(grant, limit, catalogue));
    }
  }
  return minimalGrants(kept, catalogue);
}

/** What two grants have in common. `r:*` and `*:a` share `r:a`, and listed scopes such as `r:x:a`. */
function intersect(one: string, other: string, catalogue: Catalogue): readonly string[] {
  if (one === other) return [one];
  if (!isWildcard(one)) return covers(other, one, catalogue) ? [one] : [];
  if (!isWildcard(other)) return covers(one, other, catalogue) ? [other] : [];
  if (includesWildcard(one, other)) return [other];
  if (includesWildcard(other, one)) return [one];
  const shared = catalogue ? [...catalogue] : crossings(one, other);
  return shared.filter((scope) => covers(one, scope, catalogue) && covers(other, scope, catalogue));
}

/** The scope that `r:*` and `*:a` both name; nothing for two of the same form. */
function crossings(one: string, other: string): readonly string[] {
  const [resource, action] = one.endsWith(':*') ? [one, other] : [other, one];
  const isCrossing = resource.endsWith(':*') && action.startsWith('*:');
  return isCrossing ? [resource.slice(0, -1) + action.slice(2)] : [];
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
