import { beyondActor } from '../core/actor.ts';
import {
  cyclicParents,
  isWithin,
  unknownRoles,
  unknownScopes,
  withRole,
} from '../core/custom-role.ts';
import type { RoleRecord } from '../core/records.ts';
import { extendRoles, type Roles } from '../core/role.ts';
import { type Fault, invalid } from './fault.ts';
import type { Call } from './row.ts';
import { beyond, itemErrors, type LoadedRoles } from './workspaces-place.ts';

type Lists = {
  readonly scopes?: readonly string[] | undefined;
  readonly inherits?: readonly string[] | undefined;
};

/** A role as it is to become, among the roles that it and the actor lead to. */
export type Wanted = {
  readonly record: RoleRecord;
  readonly before?: RoleRecord | undefined;
  readonly loaded: LoadedRoles;
  /** The fields that are asked for; only those are checked for unknown names. */
  readonly named: Lists;
};

/**
 * Refuses what no role can be (422), and a role that would have more than its maker (403). A change by which the
 * role gains nothing grants nothing, and anybody who may write may make it.
 */
export function judgeRole(call: Call, wanted: Wanted): Fault | undefined {
  const { actor, policy } = call;
  const { record, before, named, loaded } = wanted;
  const inherits = named.inherits ?? [];
  const custom = new Map([...loaded.custom, [record.id, record]]);
  const wrong = invalid([
    ...itemErrors('scopes', unknownScopes(named.scopes ?? [], policy.catalogue)),
    ...itemErrors('inherits', unknownRoles(inherits, bookWith(call, wanted))),
    ...itemErrors('inherits', cyclicParents(record.id, inherits, custom)),
  ]);
  if (wrong) return wrong;
  // What the actor holds is judged by the roles as they are: the change may widen one of the actor's own.
  const book = extendRoles(policy.roles, loaded.custom, policy.catalogue);
  const after = grantsOf(record);
  if (before && isWithin(grantsOf(before), after, policy, book)) return undefined;
  const found = beyondActor(actor, after, policy, book);
  return beyond(found, { scopes: 'scopes', roles: 'inherits' });
}

/** The roles of the workspace with the wanted one among them. */
export function bookWith({ policy }: Call, { record, loaded }: Wanted): Roles {
  return withRole(record.id, record, loaded.custom, policy);
}

function grantsOf({ scopes, inherits }: RoleRecord) {
  return { scopes, roles: inherits };
}
