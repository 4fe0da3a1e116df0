import { extendRoles, type Roles } from '../core/role.ts';
import type { OpenCall } from './row.ts';

/** The roles that a workspace may name: the policy's and its own custom ones. */
export async function roleBook(
  { parts, policy }: Pick<OpenCall, 'parts' | 'policy'>,
  workspace: string | undefined,
): Promise<Roles> {
  return extendRoles(policy.roles, await parts.ports.findRoles(workspace), policy.catalogue);
}
