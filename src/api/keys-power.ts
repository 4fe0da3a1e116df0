import { beyondActor, mayUse } from '../core/actor.ts';
import type { Prefix } from '../core/api-key.ts';
import { keyScopes } from '../core/grant.ts';
import type { StoredKey, UserRecord } from '../core/records.ts';
import { cutRoles, type Roles } from '../core/role.ts';
import { type FieldError, pointerTo } from './fault.ts';
import type { Call } from './row.ts';

/** A key that an actor is about to hold or to make greater, and what it is judged by. */
export type Handing = {
  readonly key: StoredKey;
  /** The scopes and roles that are named anew, by their place in the body. */
  readonly named: { readonly scopes?: readonly string[]; readonly roles?: readonly string[] };
  /** The owner of a personal key. */
  readonly user?: UserRecord | undefined;
  readonly book: Roles;
};

type Judge = Pick<Call, 'actor' | 'policy'>;

/**
 * What an actor would give without holding it. Whoever makes a key, makes it greater or learns its secret must hold
 * all that the key then has (a personal key as its owner's grants cut it), and all that they name themselves.
 */
export function beyondKey(call: Judge, handing: Handing): readonly FieldError[] {
  if (call.actor.kind === 'admin') return [];
  const named = { scopes: handing.named.scopes ?? [], roles: handing.named.roles ?? [] };
  const ofNames = beyondActor(call.actor, named, call.policy, handing.book).map(
    ({ list, index }) => ({
      pointer: pointerTo(list, index),
      detail: list === 'scopes' ? 'you do not hold this scope' : 'you do not hold this role',
    }),
  );
  if (ofNames.length > 0) return ofNames;
  return [
    ...beyondEffective(call, handing),
    ...beyondEnvironment(call, handing.key),
    ...beyondOwner(call, handing),
  ];
}

/** A key's effective grants against those of the actor. */
function beyondEffective(
  { actor, policy }: Judge,
  { key, user, book }: Handing,
): readonly FieldError[] {
  const prefix = prefixOf(policy.prefixes, key.prefix);
  const rules = { catalogue: policy.catalogue, roles: book };
  const owner = user && { active: true, scopes: user.scopes, roles: user.roles };
  const scopes = keyScopes(rules, key, prefix, owner);
  const roles = cutRoles(key.roles, scopes, book, policy.catalogue);
  const beyond = beyondActor(actor, { scopes, roles }, policy, book);
  const lists = new Set(beyond.map((one) => one.list));
  return [...lists].map((list) => ({
    pointer: pointerTo(list),
    detail: `the key has ${list} that you do not hold`,
  }));
}

/** An actor of one environment makes and handles keys of that environment only. */
export function beyondEnvironment(
  { actor }: Pick<Judge, 'actor'>,
  key: Pick<StoredKey, 'environment'>,
): readonly FieldError[] {
  if (actor.kind === 'admin' || actor.environment === undefined) return [];
  if (key.environment === actor.environment) return [];
  return [{ pointer: '/environment', detail: 'you act for another environment' }];
}

/** A personal key is its user's affair, or that of somebody who manages users and holds all that the user does. */
function beyondOwner(
  { actor, policy }: Judge,
  { key, user, book }: Handing,
): readonly FieldError[] {
  if (actor.kind === 'admin' || key.kind !== 'personal') return [];
  if (actor.user !== undefined && actor.user === key.owner) return [];
  const owned = { scopes: user?.scopes ?? [], roles: user?.roles ?? [] };
  const isAbove = user !== undefined && beyondActor(actor, owned, policy, book).length === 0;
  if (isAbove && mayUse(actor, 'users:write', policy)) return [];
  return [{ pointer: '/owner', detail: 'you are not this user, nor do you hold all that they do' }];
}

/**
 * Fields that only certain actors set: the username is the admin's. The plan that a key would be under, by its own
 * name or for want of one, must be the one that is in force for the actor.
 */
export function beyondFields(
  {
    actor,
    policy,
    principal,
    workspace,
  }: Pick<Call, 'actor' | 'policy' | 'principal' | 'workspace'>,
  body: { readonly username?: unknown; readonly plan?: string | null | undefined },
): readonly FieldError[] {
  if (actor.kind === 'admin') return [];
  const errors: FieldError[] = [];
  if (body.username !== undefined) {
    errors.push({ pointer: '/username', detail: 'the admin alone sets it' });
  }
  const usual = workspace?.plan ?? policy.defaultPlan?.name;
  const own = principal?.plan ?? usual;
  if (body.plan !== undefined && (body.plan ?? usual) !== own) {
    const detail = own === undefined ? 'you have no plan' : `expected your own plan, ${own}`;
    errors.push({ pointer: '/plan', detail });
  }
  return errors;
}

/** The prefix of a key; one that the policy lost gives no ceiling, and lets nobody in. */
function prefixOf(prefixes: readonly Prefix[], text: string): Pick<Prefix, 'maxScopes'> {
  return prefixes.find((one) => one.prefix === text) ?? {};
}
