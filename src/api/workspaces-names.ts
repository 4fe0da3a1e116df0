import type { Write } from '../core/record-store.ts';
import type { WorkspaceRecord } from '../core/records.ts';
import { type Fault, fault } from './fault.ts';
import type { Call } from './row.ts';

type Named = Pick<WorkspaceRecord, 'id' | 'slug'>;

const PAGE = 200;

/**
 * Refuses a slug that names another workspace, by its id or its slug: it would open one tenant's routes to the
 * other. That no other stored workspace has the same slug is for the store to say.
 */
export async function judgeSlug(call: Call, { id, slug }: Named): Promise<Fault | undefined> {
  if (slug === undefined || slug === id) return undefined;
  const { workspaces } = call.policy.written;
  const isDeclared =
    workspaces.has(slug) || [...workspaces.values()].some((one) => one.slug === slug);
  const isTaken =
    isDeclared || (await call.parts.store.get('workspace', { id: slug })) !== undefined;
  return isTaken ? taken('/slug') : undefined;
}

/** Refuses an id that a workspace has already, as its id or as its slug. */
export async function judgeId({ parts, policy }: Call, id: string): Promise<Fault | undefined> {
  const { workspaces } = policy.written;
  if (workspaces.has(id) || (await parts.store.get('workspace', { id }))) return taken('/id');
  if ([...workspaces.values()].some(({ slug }) => slug === id)) return taken('/id');
  let after: string | undefined;
  do {
    const page = await parts.store.list('workspace', {}, { limit: PAGE, after });
    if (page.items.some(({ record }) => record.slug === id)) return taken('/id');
    after = page.next;
  } while (after !== undefined);
  return undefined;
}

/** Lets a commit fail when another workspace takes this one's slug for its id meanwhile. */
export function keepSlugFree({ id, slug }: Named): readonly Write[] {
  if (slug === undefined || slug === id) return [];
  return [{ kind: 'workspace', require: { id: slug }, expected: 0 }];
}

function taken(pointer: string): Fault {
  return fault('already_exists', [{ pointer, detail: 'another workspace is named so' }]);
}
