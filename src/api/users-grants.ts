import { beyondActor, type Grants } from '../core/actor.ts';
import { isWithin, unknownRoles, unknownScopes } from '../core/custom-role.ts';
import { extendRoles, type Roles } from '../core/role.ts';
import { type Fault, invalid } from './fault.ts';
import type { Call } from './row.ts';
import { beyond, itemErrors, type LoadedRoles } from './workspaces-place.ts';

export type Granting = {
  readonly roles: LoadedRoles;
  /** Whether somebody gains by it: then the actor must hold all that the user then has. */
  readonly isGranting: boolean;
  /** The fields that are asked for, where not all are; only those are checked for unknown names. */
  readonly named?: { readonly [list in keyof Grants]?: readonly string[] | undefined };
};

/** Refuses scopes and roles that nobody knows, and those that the actor would give away without holding them. */
export function judgeGrants(
  call: Call,
  wanted: Grants,
  { roles, isGranting, named = wanted }: Granting,
): Fault | undefined {
  const { actor, policy } = call;
  const book = bookOf(call, roles);
  const unknown = invalid([
    ...itemErrors('scopes', unknownScopes(named.scopes ?? [], policy.catalogue)),
    ...itemErrors('roles', unknownRoles(named.roles ?? [], book)),
  ]);
  if (unknown) return unknown;
  return isGranting ? beyond(beyondActor(actor, wanted, policy, book)) : undefined;
}

/** Whether a user gains anything by a change. */
export function isWider(call: Call, before: Grants, after: Grants, roles: LoadedRoles): boolean {
  return !isWithin(before, after, call.policy, bookOf(call, roles));
}

function bookOf({ policy }: Call, { custom }: LoadedRoles): Roles {
  return extendRoles(policy.roles, custom, policy.catalogue);
}
