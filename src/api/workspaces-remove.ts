import type { Versioned, Write } from '../core/record-store.ts';
import type { RecordKind, WorkspaceRecord } from '../core/records.ts';
import { changedFields, commitChange, type Lost, timeText } from './change.ts';
import type { Call, Outcome } from './row.ts';
import { type Ending, repeatUntilNone, revokeAll, type Step } from './workspaces-cascade.ts';
import { showWorkspace } from './workspaces-show.ts';

const MEMBERS = ['team', 'user', 'role'] as const satisfies readonly RecordKind[];
const PAGE = 200;

/**
 * Removes a workspace and all that belongs to it. It is suspended first, so that nobody of it acts in between;
 * whatever interrupts the removal leaves it suspended, and a second removal ends it.
 */
export async function removeWorkspace(
  call: Call,
  found: Versioned<WorkspaceRecord>,
): Promise<Outcome | Lost> {
  const { record } = found;
  const suspended = await suspend(call, found);
  if ('kind' in suspended) return suspended;
  const { version } = suspended;
  await emptyOut(call, record.id);
  const outcome = await commitChange(
    call,
    {
      writes: [{ kind: 'workspace', remove: { id: record.id }, expected: version }],
      events: [
        {
          event: 'workspace.deleted',
          workspace_id: record.id,
          object: { kind: 'workspace', id: record.id },
          before: showWorkspace(record),
        },
      ],
    },
    { status: 204 },
  );
  if (!('kind' in outcome)) await emptyOut(call, record.id);
  return outcome;
}

type Suspended = { readonly version: number };

async function suspend(
  call: Call,
  { record, version }: Versioned<WorkspaceRecord>,
): Promise<Suspended | Exclude<Outcome | Lost, { readonly status: number }>> {
  if (record.status === 'suspended') return { version };
  const put: WorkspaceRecord = {
    ...record,
    status: 'suspended',
    updated_at: timeText(call.nowMs),
  };
  const event = {
    event: 'workspace.updated',
    workspace_id: record.id,
    object: { kind: 'workspace', id: record.id } as const,
    ...changedFields(showWorkspace(record), showWorkspace(put)),
  };
  const writes = [{ kind: 'workspace', put, expected: version }] as const;
  const outcome = await commitChange(call, { writes, events: [event] }, { status: 204 });
  return 'kind' in outcome ? outcome : { version: version + 1 };
}

/** Revokes its keys and removes its teams, users and roles. */
async function emptyOut(call: Call, workspace: string): Promise<void> {
  const ending: Ending = { keys: { workspace }, because: 'workspace_gone' };
  await revokeAll(call, ending);
  for (const kind of MEMBERS) {
    await repeatUntilNone(call, () => nextRemovals(call, kind, workspace));
  }
}

async function nextRemovals(
  { parts }: Call,
  kind: (typeof MEMBERS)[number],
  workspace: string,
): Promise<Step> {
  const page = await parts.store.list(kind, { workspace }, { limit: PAGE });
  return {
    writes: page.items.map(({ record, version }) => {
      const name = { workspace, id: record.id };
      return { kind, remove: name, expected: version } as Write;
    }),
    events: page.items.map(({ record }) => ({
      event: `${kind}.deleted`,
      workspace_id: workspace,
      object: { kind, id: record.id },
      before: { ...record },
    })),
  };
}
