import * as z from 'zod';
import type { RecordName } from '../core/record-store.ts';
import type { TeamRecord } from '../core/records.ts';
import { line, slug, strict } from '../schema/text.ts';
import {
  changedFields,
  commitChange,
  judgeIfMatch,
  type Lost,
  mintId,
  retryLost,
  timeText,
} from './change.ts';
import { type Fault, type FieldError, fault, invalid } from './fault.ts';
import { answerPage, NOTHING, pageOf, pageQuery } from './page.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';
import { type Ending, revokeAll } from './workspaces-cascade.ts';
import {
  findNamed,
  isSame,
  itemErrors,
  listedPlace,
  madeAt,
  patched,
  placeOf,
  workspaceQuery,
} from './workspaces-place.ts';

const MEMBERS_MAX = 1000;

const fields = {
  name: line.nullish().meta({ description: 'Name for people.' }),
  members: z
    .array(slug)
    .max(MEMBERS_MAX)
    .optional()
    .meta({ description: 'Ids of users of the same workspace.' }),
};
const draft = strict({
  id: slug.optional().meta({ description: 'Chosen by you, else made.' }),
  workspace_id: slug.nullish().meta({ description: 'Your own where it is absent.' }),
  ...fields,
});
const patch = strict(fields);
const named = z.object(workspaceQuery);
const listed = z.object({ ...pageQuery, ...workspaceQuery });
type Draft = z.output<typeof draft>;
type Patch = z.output<typeof patch>;
type Named = z.output<typeof named>;

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

const tag = 'Teams';
const READ = 'users:read';
const WRITE = 'users:write';

export const teamRows: readonly GuardedRow[] = [
  row({
    method: 'POST',
    path: '/v1/teams',
    tag,
    summary: 'Creates a team of users of one workspace.',
    id: 'createTeam',
    scope: WRITE,
    body: draft,
    isIdempotent: true,
    answers: { 201: shownTeam },
    handle: (call) => retryLost(call, () => create(call)),
  }),
  row({
    method: 'GET',
    path: '/v1/teams',
    tag,
    summary: 'Lists teams.',
    id: 'listTeams',
    scope: READ,
    query: listed,
    answers: { 200: pageOf(shownTeam) },
    handle: list,
  }),
  row({
    method: 'GET',
    path: '/v1/teams/{id}',
    tag,
    summary: 'Shows a team.',
    id: 'getTeam',
    scope: READ,
    query: named,
    answers: { 200: shownTeam },
    handle: show,
  }),
  row({
    method: 'PATCH',
    path: '/v1/teams/{id}',
    tag,
    summary: 'Changes a team.',
    id: 'updateTeam',
    scope: WRITE,
    query: named,
    body: patch,
    isConditional: true,
    answers: { 200: shownTeam },
    handle: (call) => retryLost(call, () => update(call)),
  }),
  row({
    method: 'DELETE',
    path: '/v1/teams/{id}',
    tag,
    summary: 'Deletes a team and revokes its keys for good.',
    id: 'deleteTeam',
    scope: WRITE,
    query: named,
    isConditional: true,
    answers: { 204: null },
    handle: (call) => retryLost(call, () => remove(call)),
  }),
];

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
  const event = {
    event: 'team.created',
    workspace_id: workspace,
    object: { kind: 'team', id } as const,
    after: showTeam(record),
  };
  const writes = [...place.requires, { kind: 'team', put: record, expected: 0 } as const];
  const answer = { status: 201, body: showTeam(record), etag: 1, ...madeAt(call, id) } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

async function list(call: Call<z.output<typeof listed>>): Promise<Outcome> {
  const place = listedPlace(call);
  if (place === 'nothing') return NOTHING;
  return answerPage(call, {
    declared: [],
    stored: (page) => call.parts.store.list('team', place, page),
    show: ({ record }) => showTeam(record),
  });
}

async function show(call: Call<Named>): Promise<Outcome> {
  const found = await findNamed(call, 'team', call.params['id'] ?? '');
  if ('kind' in found) return found;
  return { status: 200, body: showTeam(found.record), etag: found.version };
}

async function update(call: Call<Named, Patch>): Promise<Outcome | Lost> {
  const found = await findNamed(call, 'team', call.params['id'] ?? '');
  if ('kind' in found) return found;
  const { record, version } = found;
  const mismatch = judgeIfMatch(call, version);
  if (mismatch) return mismatch;
  const wanted = patched(record, call.body);
  const refusal = await judgeMembers(call, record.workspace_id, call.body.members ?? []);
  if (refusal) return refusal;
  if (isSame(record, wanted)) return { status: 200, body: showTeam(record), etag: version };
  const changed = { ...wanted, updated_at: timeText(call.nowMs) };
  const event = {
    event: 'team.updated',
    workspace_id: record.workspace_id,
    object: { kind: 'team', id: record.id } as const,
    ...changedFields(showTeam(record), showTeam(changed)),
  };
  const writes = [{ kind: 'team', put: changed, expected: version }] as const;
  const answer = { status: 200, body: showTeam(changed), etag: version + 1 } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

/** Its keys end before it does, and those that were made at the same time after it. */
async function remove(call: Call<Named>): Promise<Outcome | Lost> {
  const found = await findNamed(call, 'team', call.params['id'] ?? '');
  if ('kind' in found) return found;
  const { record, version } = found;
  const mismatch = judgeIfMatch(call, version);
  if (mismatch) return mismatch;
  const { id, workspace_id } = record;
  const keys = { workspace: workspace_id ?? null, kind: 'team', owner: id } as const;
  const ending: Ending = { keys, because: 'team_gone' };
  await revokeAll(call, ending);
  const name: RecordName = { workspace: workspace_id, id };
  const event = {
    event: 'team.deleted',
    workspace_id,
    object: { kind: 'team', id } as const,
    before: showTeam(record),
  };
  const writes = [{ kind: 'team', remove: name, expected: version }] as const;
  const outcome = await commitChange(call, { writes, events: [event] }, { status: 204 });
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
