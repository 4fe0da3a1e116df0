import * as z from 'zod';
import type { RoleRecord } from '../core/records.ts';
import type { RoleDefinition, Roles } from '../core/role.ts';

/** A role as it is shown. */
export const shownRole = z
  .strictObject({
    name: z.string(),
    description: z.string().nullable(),
    workspace_id: z.string().nullable().meta({ description: "null for the policy's roles." }),
    inherits: z.array(z.string()),
    scopes: z.array(z.string()).meta({ description: 'Its own scopes.' }),
    effective_scopes: z
      .array(z.string())
      .meta({ description: 'Its own scopes and those it inherits.' }),
    created_at: z.string().nullable(),
    updated_at: z.string().nullable(),
    read_only: z.boolean(),
  })
  .meta({ id: 'Role' });

type Shown = z.output<typeof shownRole>;

/** A role of the policy. */
export function showDeclaredRole(name: string, role: RoleDefinition, book: Roles): Shown {
  return {
    name,
    description: null,
    workspace_id: null,
    inherits: [...role.inherits],
    scopes: [...role.scopes],
    effective_scopes: [...book.scopesOf([name])],
    created_at: null,
    updated_at: null,
    read_only: true,
  };
}

/** A custom role; `book` knows the roles of its workspace. */
export function showRole(record: RoleRecord, book: Roles): Shown {
  return {
    name: record.id,
    description: record.description ?? null,
    workspace_id: record.workspace_id ?? null,
    inherits: [...record.inherits],
    scopes: [...record.scopes],
    effective_scopes: [...book.scopesOf([record.id])],
    created_at: record.created_at,
    updated_at: record.updated_at,
    read_only: false,
  };
}
