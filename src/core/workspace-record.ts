import { addressSet } from './key-record.ts';
import type { Workspace } from './policy.ts';
import type { WorkspaceRecord } from './records.ts';

/** Compiles a stored workspace; its overrides wait for the plan that they meet. Throws where an address is malformed. */
export function compileWorkspace(record: WorkspaceRecord): Workspace {
  const { id, slug, plan, status, overrides, allowed_ips } = record;
  return { id, slug, plan, status, overrides, allowedIps: allowed_ips && addressSet(allowed_ips) };
}
