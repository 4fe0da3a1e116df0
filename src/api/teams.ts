import * as z from 'zod';
import type { TeamRecord } from '../core/records.ts';
import { line, slug, strict } from '../schema/text.ts';
import { commitChange, type Lost, mintId, timeText } from './change.ts';
import { type Fault, type FieldError, fault, invalid } from './fault.ts';
import { resourceRows } from './resource.ts';
import {
  chosenId,
  creationOf,
  findToChange,
  homeWorkspace,
  listed,
  listMembers,
  type Named,
  named,
  removalOf,
  showMember,
  updateOf,
} from './resource-member.ts';
import type { Call, Outcome } from './row.ts';
import { type Ending, revokeAll } from './workspaces-cascade.ts';
import { isSame, itemErrors, patched, placeOf } from './workspaces-place.ts';

const MEMBERS_MAX = 1000;

const fields = {
  name: line.nullish().meta({ description: 'Name for people.' }),
  members: z
    .array(slug)
    .max(MEMBERS_MAX)
    .optional()
    .meta({ description: 'Ids of users of the same workspace.' }),
};
const draft = strict({ id: chosenId, workspace_id: homeWorkspace, ...fields });
const patch = strict(fields);
type Draft = z.output<typeof draft>;
type Patch = z.output<typeof patch>;

const shownTeam = z
  .strictObject({
    id: z.string(),
    workspace_id: z.string().nullable(),
    name: z.string().nullable(),
    members: z.array(z.string()),
    created_at: z.string(),
    updated_at: z.string(),
    read_only: z.boolean(),
  })
  .meta({ id: 'Team' });

export const teamRows = resourceRows({
  path: '/v1/teams',
  param: 'id',
  tag: 'Teams',
  one: 'Team',
  scopes: { read: 'users:read', write: 'users:write' },
  schemas: { shown: shownTeam, listed, named, draft, patch },
  create: {
    summary: 'Creates a team of users of one workspace.',
    handle: create,
  },
  list: {
    summary: 'Lists teams.',
    handle: (call) => listMembers(call, 'team', showTeam),
  },
  show: {
    summary: 'Shows a team.',
    handle: (call) => showMember(call, 'team', showTeam),
  },
  update: {
    summary: 'Changes a team.',
    handle: update,
  },
  remove: {
    summary: 'Deletes a team and revokes its keys for good.',
    handle: remove,
  },
});

async function create(call: Call<unknown, Draft>): Promise<Outcome | Lost> {
  const { id: asked, workspace_id, ...rest } = call.body;
  const place = await placeOf(call, workspace_id);
  if (place.kind === 'fault') return place;
  const { workspace } = place;
  const id = asked ?? mintId(call);
  const isTaken = await call.parts.store.get('team', { workspace, id });
  if (isTaken) return fault('already_exists', [{ pointer: '/id', detail: 'there is one' }]);
  const at = timeText(call.nowMs);
  const blank = { id, workspace_id: workspace, members: [], created_at: at, updated_at: at };
  const record: TeamRecord = patched<TeamRecord>(blank, rest);
  const refusal = await judgeMembers(call, workspace, record.members);
  if (refusal) return refusal;
  const put = { kind: 'team', put: record, expected: 0 } as const;
  const told = { after: showTeam(record), requires: place.requires };
  const { step, answer } = creationOf(call, put, told);
  return commitChange(call, step, answer);
}

async function update(call: Call<Named, Patch>): Promise<Outcome | Lost> {
  const found = await findToChange(call, 'team');
  if ('kind' in found) return found;
  const { record, version } = found;
  const wanted = patched(record, call.body);
  const refusal = await judgeMembers(call, record.workspace_id, call.body.members ?? []);
  if (refusal) return refusal;
  if (isSame(record, wanted)) return { status: 200, body: showTeam(record), etag: version };
  const changed = { ...wanted, updated_at: timeText(call.nowMs) };
  const put = { kind: 'team', put: changed, expected: version } as const;
  const told = { before: showTeam(record), after: showTeam(changed) };
  const { step, answer } = updateOf(put, told);
  return commitChange(call, step, answer);
}

/** Its keys end before it does, and those that were made at the same time after it. */
async function remove(call: Call<Named>): Promise<Outcome | Lost> {
  const found = await findToChange(call, 'team');
  if ('kind' in found) return found;
  const { id, workspace_id } = found.record;
  const keys = { workspace: workspace_id ?? null, kind: 'team', owner: id } as const;
  const ending: Ending = { keys, because: 'team_gone' };
  await revokeAll(call, ending);
  const step = removalOf('team', found, showTeam(found.record));
  const outcome = await commitChange(call, step, { status: 204 });
  if (!('kind' in outcome)) await revokeAll(call, ending);
  return outcome;
}

/** Refuses members that are no users of the workspace, and those named twice. */
async function judgeMembers(
  { parts }: Call,
  workspace: string | undefined,
  members: readonly string[],
): Promise<Fault | undefined> {
  const errors: FieldError[] = [];
  for (const [index, id] of members.entries()) {
    const isTwice = members.indexOf(id) < index;
    const isUser = isTwice || (await parts.store.get('user', { workspace, id })) !== undefined;
    const detail = isTwice ? 'named twice' : 'no user of this workspace';
    if (isTwice || !isUser) errors.push(...itemErrors('members', [{ index, detail }]));
  }
  return invalid(errors);
}

function showTeam(record: TeamRecord): z.output<typeof shownTeam> {
  return {
    id: record.id,
    workspace_id: record.workspace_id ?? null,
    name: record.name ?? null,
    members: [...record.members],
    created_at: record.created_at,
    updated_at: record.updated_at,
    read_only: false,
  };
}
