import type { FieldError } from './fault.ts';
import type { Call } from './row.ts';

/**
 * Whether something new may belong to a workspace: the actor's own; one that is registered, that the policy declares,
 * or that a declared key names. Where none is registered at all, workspaces are somebody else's affair, and any name
 * will do.
 */
export async function unknownWorkspace(
  { parts, policy, actor }: Pick<Call, 'parts' | 'policy' | 'actor'>,
  id: string | undefined,
): Promise<readonly FieldError[]> {
  const { workspaces, keys } = policy.written;
  if (id === undefined || actor.kind !== 'admin' || workspaces.has(id)) return [];
  if (await parts.store.get('workspace', { id })) return [];
  for (const { workspace } of keys.values()) if (workspace === id) return [];
  const { items } = await parts.store.list('workspace', {}, { limit: 1 });
  if (items.length === 0 && workspaces.size === 0) return [];
  return [{ pointer: '/workspace_id', detail: 'there is no such workspace' }];
}
