import * as z from 'zod';
import { type Beyond, sees } from '../core/actor.ts';
import { type CustomRoles, lineageOf } from '../core/custom-role.ts';
import type { RecordName, Versioned, Write } from '../core/record-store.ts';
import type { RecordKind, RecordOf } from '../core/records.ts';
import type { RoleDefinition } from '../core/role.ts';
import { slug } from '../schema/text.ts';
import { type Fault, type FieldError, fault, invalid, pointerTo } from './fault.ts';
import { listedWorkspace } from './page.ts';
import type { Answer, Call } from './row.ts';
import { unknownWorkspace } from './workspaces-known.ts';

/** Says which workspace is meant; empty for what belongs to none. */
export const workspaceQuery = {
  workspace_id: z
    .union([z.literal(''), slug])
    .optional()
    .meta({ description: 'The workspace; empty for what belongs to none.' }),
};
type WorkspaceQuery = { readonly workspace_id?: string | undefined };

/** Kinds that are unique within their workspace. */
type Member = Exclude<RecordKind, 'key' | 'workspace'>;

const PAGE = 200;

/** The workspace that something new belongs to, and what must still stand when it is made. */
export type Place = {
  readonly kind: 'place';
  readonly workspace?: string | undefined;
  readonly requires: readonly Write[];
};

/** Settles the workspace of something new: the actor's own, for the admin the one that is asked for. */
export async function placeOf(
  call: Call,
  asked: string | null | undefined,
): Promise<Place | Fault> {
  const { actor, parts } = call;
  const workspace = asked ?? (actor.kind === 'admin' ? undefined : actor.workspace);
  if (!sees(actor, workspace)) {
    return fault('beyond_grant', [{ pointer: '/workspace_id', detail: 'not your workspace' }]);
  }
  if (workspace === undefined) return { kind: 'place', requires: [] };
  const unknown = invalid(await unknownWorkspace(call, workspace));
  if (unknown) return unknown;
  const found = await parts.store.get('workspace', { id: workspace });
  const expected = found?.version ?? 0;
  const requires: readonly Write[] = [{ kind: 'workspace', require: { id: workspace }, expected }];
  return { kind: 'place', workspace, requires };
}

/** A record that an actor sees, by the id in the path and, for the admin, `?workspace_id=`. */
export async function findNamed<K extends Member>(
  call: Call<WorkspaceQuery>,
  kind: K,
  id: string,
): Promise<Versioned<RecordOf[K]> | Fault> {
  const { actor, parts, query } = call;
  const asked = query.workspace_id;
  if (actor.kind === 'admin' && asked === undefined) return findOnly(call, kind, id);
  const workspace = asked === undefined && actor.kind !== 'admin' ? actor.workspace : asked;
  const name: RecordName = { workspace: workspace === '' ? undefined : workspace, id };
  if (!sees(actor, name.workspace)) return fault('not_found');
  return (await parts.store.get(kind, name)) ?? fault('not_found');
}

/** The workspace whose records a list shows; `nothing` for one that the actor does not see. */
export function listedPlace({ actor, query }: Call<WorkspaceQuery>) {
  if (query.workspace_id !== '') return listedWorkspace(actor, query.workspace_id);
  return sees(actor, undefined) ? { workspace: null } : 'nothing';
}

/** The one record of an id in whatever workspace; refuses where several workspaces have one. */
async function findOnly<K extends Member>(
  { parts }: Call,
  kind: K,
  id: string,
): Promise<Versioned<RecordOf[K]> | Fault> {
  const found: Versioned<RecordOf[K]>[] = [];
  let after: string | undefined;
  do {
    const page = await parts.store.list(kind, {}, { limit: PAGE, after });
    found.push(...page.items.filter(({ record }) => record.id === id));
    after = page.next;
  } while (after !== undefined && found.length < 2);
  if (found.length > 1) return fault('ambiguous_name');
  return found[0] ?? fault('not_found');
}

/** The custom roles of a workspace that some names lead to, and what must still stand when they are granted. */
export type LoadedRoles = {
  readonly custom: CustomRoles;
  /** Requires the version of every custom role that these names rest on. */
  readonly requires: (names: readonly string[]) => readonly Write[];
};

/** Loads the custom roles that the names and the actor's own lead to. */
export async function loadRoles(
  { actor, policy, parts }: Call,
  workspace: string | undefined,
  names: readonly string[],
): Promise<LoadedRoles> {
  const custom = new Map<string, RoleDefinition>();
  const versions = new Map<string, number>();
  const waiting = [...names, ...(actor.kind === 'admin' ? [] : actor.roles)];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (versions.has(id) || policy.roles.byName.has(id)) continue;
    const found = await parts.store.get('role', { workspace, id });
    versions.set(id, found?.version ?? 0);
    if (!found) continue;
    custom.set(id, found.record);
    waiting.push(...found.record.inherits);
  }
  return {
    custom,
    requires: (granted) =>
      [...lineageOf(granted, custom)].map((id) => ({
        kind: 'role',
        require: { workspace, id },
        expected: versions.get(id) ?? 0,
      })),
  };
}

/** Refuses grants that the actor does not hold; `lists` are the fields of the body, where they have other names. */
export function beyond(
  found: readonly Beyond[],
  lists: { readonly scopes: string; readonly roles: string } = { scopes: 'scopes', roles: 'roles' },
): Fault | undefined {
  const errors = found.map(({ list, index }) => ({
    pointer: pointerTo(lists[list], index),
    detail: 'you do not hold this',
  }));
  return errors.length === 0 ? undefined : fault('beyond_grant', errors);
}

/** Problems of the items of one list, as errors. */
export function itemErrors(
  field: string,
  problems: readonly { readonly index: number; readonly detail: string }[],
): readonly FieldError[] {
  return problems.map(({ index, detail }) => ({ pointer: pointerTo(field, index), detail }));
}

/** The headers that say where to find what a POST made. */
export function madeAt({ url }: Call, id: string): Pick<Answer, 'headers'> {
  return { headers: { location: `${url.pathname}/${id}` } };
}

/** A record with the named fields of a patch: null clears one. */
export function patched<T extends object>(
  record: T,
  patch: { readonly [K in keyof T]?: T[K] | null | undefined },
): T {
  const named = Object.entries(patch).filter(([, value]) => value !== undefined);
  return {
    ...record,
    ...Object.fromEntries(named.map(([key, value]) => [key, value ?? undefined])),
  };
}

/** Whether two records say the same. */
export function isSame(one: object, other: object): boolean {
  const text = (record: object) =>
    JSON.stringify(
      Object.entries(record)
        .filter(([, v]) => v !== undefined)
        .sort(),
    );
  return text(one) === text(other);
}
