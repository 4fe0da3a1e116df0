import { covers, isManagementScope, isWildcard } from '../core/scope.ts';
import { suggest } from './nearest.ts';
import type { Path } from './problem.ts';
import { type Review, settingPath } from './review.ts';

/** Reports scopes that the catalogue lacks and wildcards that cover none of it. */
export function checkScopes(review: Review): void {
  const { config, catalogue } = review;
  if (!catalogue) return;
  const covered = new Map<string, boolean>();
  const check = (scopes: readonly string[] | undefined, path: Path) => {
    for (const [place, scope] of (scopes ?? []).entries()) {
      checkScope(review, scope, [...path, place], covered);
    }
  };
  for (const [name, role] of Object.entries(config.roles))
    check(role.scopes, ['roles', name, 'scopes']);
  for (const [prefix, settings] of Object.entries(config.api_keys.prefixes)) {
    check(settings.max_scopes, ['api_keys', 'prefixes', prefix, 'max_scopes']);
  }
  for (const [index, key] of config.api_keys.declared.entries()) {
    check(key.scopes, ['api_keys', 'declared', index, 'scopes']);
  }
  for (const [index, issuer] of config.issuers.entries()) {
    check(issuer.max_scopes, ['issuers', index, 'max_scopes']);
  }
  for (const [index, route] of review.routes.entries()) {
    check(route.any_scope, settingPath(review, index, 'any_scope'));
    const path = settingPath(review, index, 'scopes');
    if (Array.isArray(route.scopes)) check(route.scopes, path);
    else
      for (const [method, scopes] of Object.entries(route.scopes ?? {}))
        check(scopes, [...path, method]);
  }
}

/** The scopes a route demands, whatever the method. */
export function demandedScopes(route: Review['routes'][number]): readonly string[] {
  const all = Array.isArray(route.scopes) ? route.scopes : Object.values(route.scopes ?? {}).flat();
  return [...all, ...(route.any_scope ?? [])];
}

function checkScope(
  review: Review,
  scope: string,
  path: Path,
  covered: Map<string, boolean>,
): void {
  const catalogue = review.catalogue ?? new Set<string>();
  if (!isWildcard(scope)) {
    if (catalogue.has(scope) || isManagementScope(scope)) return;
    const hint = suggest(scope, catalogue);
    review.problem(path, `the scope ${JSON.stringify(scope)} is not in the catalogue${hint}`);
    return;
  }
  const isCovering =
    covered.get(scope) ?? [...catalogue].some((one) => covers(scope, one, catalogue));
  covered.set(scope, isCovering);
  if (isCovering) return;
  const hint = isManagementScope(scope) ? "; name Postern's own scopes one by one" : '';
  review.problem(
    path,
    `the wildcard ${JSON.stringify(scope)} covers no scope of the catalogue${hint}`,
  );
}
