import type { ApiKey, Prefix } from './api-key.ts';
import type { Policy } from './policy.ts';
import type { Owner } from './ports.ts';
import { type Catalogue, cutGrants, holdsGrant } from './scope.ts';

/** A key's effective scopes: its own and its roles', cut to its prefix's ceiling and its owner's scopes of now. */
export function keyScopes(
  policy: Pick<Policy, 'catalogue' | 'roles'>,
  key: Pick<ApiKey, 'scopes' | 'roles'>,
  prefix: Pick<Prefix, 'maxScopes'>,
  owner: Owner | undefined,
): readonly string[] {
  const { catalogue, roles } = policy;
  const isPlain = key.roles.length === 0 && !prefix.maxScopes && !owner;
  if (isPlain) return key.scopes;
  const granted = [...key.scopes, ...roles.scopesOf(key.roles)];
  const scopes = cutGrants(granted, prefix.maxScopes, catalogue);
  if (!owner) return scopes;
  return cutGrants(scopes, [...owner.scopes, ...roles.scopesOf(owner.roles)], catalogue);
}

/** The grants that somebody who holds `held` may not give away, because they do not hold them. */
export function beyondGrant(
  held: readonly string[],
  wanted: readonly string[],
  catalogue: Catalogue,
): readonly string[] {
  return wanted.filter((grant) => !holdsGrant(held, grant, catalogue));
}
