import type { CustomRoles } from '../core/custom-role.ts';
import { compileStored } from '../core/key-record.ts';
import type { Workspace } from '../core/policy.ts';
import type { FoundKey, Owner } from '../core/ports.ts';
import type { RecordName } from '../core/record-store.ts';
import type { RecordKind, RecordOf } from '../core/records.ts';
import { compileWorkspace } from '../core/workspace-record.ts';

/** How the gate's caches, and the changes that they are told, name a user. */
export function userName({ workspace = '', id }: RecordName): string {
  return JSON.stringify([workspace, id]);
}

/** Reads what `userName` wrote. */
export function parseUserName(text: string): Required<RecordName> {
  const [workspace, id] = JSON.parse(text) as [string, string];
  return { workspace, id };
}

/** A key as the gate judges it; throws with the name of a broken one. */
export function compiledKey(stored: RecordOf['key']): FoundKey['key'] {
  return compiled('key', stored.id, () => compileStored(stored));
}

/** A workspace as the gate judges it; throws with the name of a broken one. */
export function compiledWorkspace(stored: RecordOf['workspace']): Workspace {
  return compiled('workspace', stored.id, () => compileWorkspace(stored));
}

/** A user as the gate judges the keys that it owns. */
export function ownerOf({ status, scopes, roles }: RecordOf['user']): Owner {
  return { active: status === 'active', scopes, roles };
}

/** Roles of one workspace by their names; undefined for none. */
export function rolesOf(stored: readonly RecordOf['role'][]): CustomRoles | undefined {
  if (stored.length === 0) return undefined;
  return new Map(stored.map(({ id, inherits, scopes }) => [id, { inherits, scopes }]));
}

function compiled<T>(kind: RecordKind, id: string, compile: () => T): T {
  try {
    return compile();
  } catch (cause) {
    throw new Error(`${kind} ${id} in the store is broken`, { cause });
  }
}
