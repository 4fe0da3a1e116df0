import { beyondGrant } from './grant.ts';
import type { Policy } from './policy.ts';
import type { Principal } from './principal.ts';
import type { Roles } from './role.ts';
import { holdsScope } from './scope.ts';
import { isUnreadable } from './token.ts';

/** Who asks to manage: the holder of the admin token, or any caller that the gate would know. */
export type Actor =
  | { readonly kind: 'admin' }
  | {
      readonly kind: 'api_key' | 'jwt';
      /** The id of the key, or the subject of the token. */
      readonly id: string;
      readonly username?: string | undefined;
      /** The user it acts as: the owner of a personal key, the username of a token. */
      readonly user?: string | undefined;
      /** The one workspace it sees; undefined: what belongs to none. */
      readonly workspace?: string | undefined;
      readonly scopes: readonly string[];
      readonly roles: readonly string[];
      /** The plan that it names itself. */
      readonly plan?: string | undefined;
      readonly environment?: string | undefined;
    };

/** What somebody is to be given: scopes (grants) and roles by name. */
export type Grants = { readonly scopes: readonly string[]; readonly roles: readonly string[] };

/** A grant that its giver does not hold: which list, which place in it. */
export type Beyond = { readonly list: 'scopes' | 'roles'; readonly index: number };

/**
 * The actor that a principal of the gate is. Undefined for who manages nothing: anonymous callers, and the holder of
 * a token whose workspace or environment cannot be read, which is not the same as having none.
 */
export function actorOf(principal: Principal): Actor | undefined {
  if (principal.kind === 'anonymous') return undefined;
  const { kind, username, workspace, scopes, roles, plan, environment, key } = principal;
  const { claims = {}, issuer } = principal;
  const sources = [issuer?.claims.workspace, issuer?.claims.environment];
  if (sources.some((source) => isUnreadable(claims, source))) return undefined;
  const isPersonal = key?.kind === 'personal';
  const user = kind === 'jwt' ? username : isPersonal ? key?.owner : undefined;
  const id = (kind === 'jwt' ? principal.subject : key?.id) ?? username ?? '';
  return { kind, id, username, user, workspace, scopes, roles, plan, environment };
}

/** Whether an actor sees what belongs to a workspace; what it does not see does not exist for it. */
export function sees(actor: Actor, workspace: string | undefined): boolean {
  return actor.kind === 'admin' || actor.workspace === workspace;
}

/** Whether an actor may use a part of the API that needs a scope. */
export function mayUse(actor: Actor, scope: string, policy: Pick<Policy, 'catalogue'>): boolean {
  return actor.kind === 'admin' || holdsScope(actor.scopes, scope, policy.catalogue);
}

/**
 * What an actor would give away without holding it. A role of the policy is held by who has it or one that
 * inherits from it; a custom role by who holds all that it brings. `roles` knows the custom roles of the workspace.
 */
export function beyondActor(
  actor: Actor,
  wanted: Grants,
  policy: Pick<Policy, 'catalogue' | 'roles'>,
  roles: Roles,
): readonly Beyond[] {
  if (actor.kind === 'admin') return [];
  const { scopes: held, roles: own } = actor;
  const isBeyond = (grants: readonly string[]) =>
    beyondGrant(held, grants, policy.catalogue).length > 0;
  const holdsRole = (name: string) => {
    const role = roles.byName.get(name);
    if (!role) return false;
    const declared = [...role.includes].filter((one) => policy.roles.byName.has(one));
    return declared.every((one) => roles.covers(own, one)) && !isBeyond(roles.scopesOf([name]));
  };
  const ofScopes = wanted.scopes.flatMap((grant, index): Beyond[] =>
    isBeyond([grant]) ? [{ list: 'scopes', index }] : [],
  );
  const ofRoles = wanted.roles.flatMap((name, index): Beyond[] =>
    holdsRole(name) ? [] : [{ list: 'roles', index }],
  );
  return [...ofScopes, ...ofRoles];
}
