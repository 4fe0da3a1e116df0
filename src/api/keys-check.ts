import { unknownRoles, unknownScopes } from '../core/custom-role.ts';
import { parseTimestamp } from '../core/key-record.ts';
import type { Versioned, Write } from '../core/record-store.ts';
import type { StoredKey, TeamRecord, UserRecord } from '../core/records.ts';
import type { Roles } from '../core/role.ts';
import { type FieldError, pointerTo } from './fault.ts';
import type { Call } from './row.ts';

/** The records that a key depends on, each with the version that was read. */
export type Company = {
  readonly user?: Versioned<UserRecord> | undefined;
  readonly team?: Versioned<TeamRecord> | undefined;
  /** What a commit must find unchanged, so that no concurrent removal misses the key. */
  readonly requires: readonly Write[];
  /** The owner does not exist. */
  readonly errors: readonly FieldError[];
};

type Named = Pick<StoredKey, 'workspace_id' | 'kind' | 'owner'>;

/**
 * Reads what a key depends on: its workspace, where somebody registered it, and its owner, who must be active. A
 * workspace that nobody registered has no plan and no status of its own; its keys stand apart all the same.
 */
export async function findCompany(
  { parts, policy }: Pick<Call, 'parts' | 'policy'>,
  { workspace_id: workspace, kind, owner: id }: Named,
): Promise<Company> {
  const { store } = parts;
  const requires: Write[] = [];
  const errors: FieldError[] = [];
  if (workspace !== undefined && !policy.workspaces.has(workspace)) {
    const found = await store.get('workspace', { id: workspace });
    const expected = found?.version ?? 0;
    requires.push({ kind: 'workspace', require: { id: workspace }, expected });
  }
  if (kind === 'service') {
    if (id !== undefined) errors.push({ pointer: '/owner', detail: 'a service key has no owner' });
    return { requires, errors };
  }
  const detail =
    kind === 'personal'
      ? 'expected an active user of the workspace'
      : 'expected a team of the workspace';
  const missing = { requires, errors: [...errors, { pointer: '/owner', detail }] };
  if (id === undefined) return missing;
  const require = { workspace, id };
  if (kind === 'team') {
    const team = await store.get('team', require);
    if (!team) return missing;
    return {
      team,
      errors,
      requires: [...requires, { kind: 'team', require, expected: team.version }],
    };
  }
  const user = await store.get('user', require);
  if (user?.record.status !== 'active') return missing;
  return {
    user,
    errors,
    requires: [...requires, { kind: 'user', require, expected: user.version }],
  };
}

/**
 * Upstream is told the name of a key that has neither username nor owner as its username: only the admin makes a key
 * that is called like a user of its workspace.
 */
export async function namesakeErrors(
  { parts, actor }: Pick<Call, 'parts' | 'actor'>,
  { workspace_id: workspace, username, owner, name }: StoredKey,
): Promise<readonly FieldError[]> {
  if (actor.kind === 'admin' || username !== undefined || owner !== undefined) return [];
  const user = await parts.store.get('user', { workspace, id: name });
  return user ? [{ pointer: '/name', detail: 'a user of the workspace is called so' }] : [];
}

/** Names that mean nothing, in fields that a body set: scopes, roles, plan, routes; and an end that is past. */
export function nameErrors(
  { policy, nowMs }: Pick<Call, 'policy' | 'nowMs'>,
  body: Partial<Omit<StoredKey, 'secrets'>>,
  book: Roles,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const expect = (isSound: boolean, path: readonly PropertyKey[], detail: string) => {
    if (!isSound) errors.push({ pointer: pointerTo(...path), detail });
  };
  for (const { index } of unknownScopes(body.scopes ?? [], policy.catalogue)) {
    errors.push({ pointer: pointerTo('scopes', index), detail: 'there is no such scope' });
  }
  for (const { index } of unknownRoles(body.roles ?? [], book)) {
    errors.push({ pointer: pointerTo('roles', index), detail: 'there is no such role' });
  }
  const routes = new Set(policy.routes.map((route) => route.name));
  for (const [at, route] of (body.allowed_routes ?? []).entries()) {
    expect(routes.has(route), ['allowed_routes', at], 'there is no such route');
  }
  const { plan, expires_at: end } = body;
  expect(plan === undefined || policy.plans.has(plan), ['plan'], 'there is no such plan');
  const { burst, ...rates } = body.rate_limit ?? {};
  const isRefilled = burst === undefined || Object.keys(rates).length > 0;
  expect(isRefilled, ['rate_limit', 'burst'], 'expected a per_X beside it, which refills it');
  const endMs = end === undefined ? Infinity : (parseTimestamp(end) ?? 0);
  expect(endMs > nowMs, ['expires_at'], 'expected a time in the future');
  return errors;
}
