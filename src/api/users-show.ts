import * as z from 'zod';
import type { UserRecord } from '../core/records.ts';

/** A user as it is shown. */
export const shownUser = z
  .strictObject({
    id: z.string(),
    workspace_id: z.string().nullable(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    roles: z.array(z.string()),
    scopes: z.array(z.string()),
    status: z.enum(['active', 'deactivated']),
    created_at: z.string(),
    updated_at: z.string(),
    read_only: z.boolean(),
  })
  .meta({ id: 'User' });

export function showUser(record: UserRecord): z.output<typeof shownUser> {
  return {
    id: record.id,
    workspace_id: record.workspace_id ?? null,
    name: record.name ?? null,
    email: record.email ?? null,
    roles: [...record.roles],
    scopes: [...record.scopes],
    status: record.status,
    created_at: record.created_at,
    updated_at: record.updated_at,
    read_only: false,
  };
}
