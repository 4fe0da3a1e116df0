import * as z from 'zod';
import type { WorkspaceRecord } from '../core/records.ts';
import type { WrittenWorkspace } from '../core/written.ts';
import { planFigures } from '../schema/plan.ts';

/** A workspace as it is shown. */
export const shownWorkspace = z
  .strictObject({
    id: z.string(),
    name: z.string().nullable(),
    slug: z.string().nullable(),
    plan: z.string().nullable(),
    overrides: planFigures.nullable(),
    status: z.enum(['active', 'suspended', 'past_due']),
    allowed_ips: z.array(z.string()).nullable(),
    created_at: z.string().nullable(),
    updated_at: z.string().nullable(),
    read_only: z.boolean(),
  })
  .meta({ id: 'Workspace' });

type Shown = z.output<typeof shownWorkspace>;

/** A stored workspace. */
export function showWorkspace(record: WorkspaceRecord): Shown {
  return {
    id: record.id,
    name: record.name ?? null,
    slug: record.slug ?? null,
    plan: record.plan ?? null,
    overrides: record.overrides ?? null,
    status: record.status,
    allowed_ips: record.allowed_ips ? [...record.allowed_ips] : null,
    created_at: record.created_at,
    updated_at: record.updated_at,
    read_only: false,
  };
}

/** A workspace that the policy declares; it has neither a name nor times. */
export function showDeclaredWorkspace(id: string, written: WrittenWorkspace): Shown {
  const { slug, plan, overrides, status, allowed_ips } = written;
  return {
    id,
    name: null,
    slug: slug ?? null,
    plan: plan ?? null,
    overrides: overrides ?? null,
    status,
    allowed_ips: allowed_ips ? [...allowed_ips] : null,
    created_at: null,
    updated_at: null,
    read_only: true,
  };
}
