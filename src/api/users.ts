import * as z from 'zod';
import type { UserRecord } from '../core/records.ts';
import { form, grant, line, slug, strict } from '../schema/text.ts';
import {
  changedFields,
  commitChange,
  judgeIfMatch,
  type Lost,
  mintId,
  retryLost,
  timeText,
} from './change.ts';
import { fault } from './fault.ts';
import { answerPage, NOTHING, pageOf, pageQuery } from './page.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';
import { isWider, judgeGrants } from './users-grants.ts';
import { deactivateUser, ownedKeys, removeUser } from './users-remove.ts';
import { shownUser, showUser } from './users-show.ts';
import { revokeAll } from './workspaces-cascade.ts';
import {
  findNamed,
  isSame,
  listedPlace,
  loadRoles,
  madeAt,
  patched,
  placeOf,
  workspaceQuery,
} from './workspaces-place.ts';

const GRANTS_MAX = 200;
const EMAIL_CHARS_MAX = 254;

const email = form((text) =>
  text.length <= EMAIL_CHARS_MAX && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(text)
    ? undefined
    : 'expected an email address',
);
const fields = {
  name: line.nullish().meta({ description: 'Name for people.' }),
  email: email.nullish(),
  roles: z
    .array(line)
    .max(GRANTS_MAX)
    .optional()
    .meta({ description: 'Roles of the policy or of the workspace.' }),
  scopes: z.array(grant).max(GRANTS_MAX).optional(),
  status: z
    .enum(['active', 'deactivated'])
    .optional()
    .meta({ description: 'Deactivating revokes the personal keys of the user for good.' }),
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

const tag = 'Users';
const READ = 'users:read';
const WRITE = 'users:write';

export const userRows: readonly GuardedRow[] = [
  row({
    method: 'POST',
    path: '/v1/users',
    tag,
    summary: 'Creates a user with roles and scopes that you hold yourself.',
    id: 'createUser',
    scope: WRITE,
    body: draft,
    isIdempotent: true,
    answers: { 201: shownUser },
    handle: (call) => retryLost(call, () => create(call)),
  }),
  row({
    method: 'GET',
    path: '/v1/users',
    tag,
    summary: 'Lists users.',
    id: 'listUsers',
    scope: READ,
    query: listed,
    answers: { 200: pageOf(shownUser) },
    handle: list,
  }),
  row({
    method: 'GET',
    path: '/v1/users/{id}',
    tag,
    summary: 'Shows a user.',
    id: 'getUser',
    scope: READ,
    query: named,
    answers: { 200: shownUser },
    handle: show,
  }),
  row({
    method: 'PATCH',
    path: '/v1/users/{id}',
    tag,
    summary: 'Changes a user; its personal keys shrink with it at once.',
    id: 'updateUser',
    scope: WRITE,
    query: named,
    body: patch,
    isConditional: true,
    answers: { 200: shownUser },
    handle: (call) => retryLost(call, () => update(call)),
  }),
  row({
    method: 'DELETE',
    path: '/v1/users/{id}',
    tag,
    summary: 'Deletes a user and revokes its personal keys for good.',
    id: 'deleteUser',
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
  const isTaken = await call.parts.store.get('user', { workspace, id });
  if (isTaken) return fault('already_exists', [{ pointer: '/id', detail: 'there is one' }]);
  const at = timeText(call.nowMs);
  const blank: UserRecord = {
    id,
    workspace_id: workspace,
    roles: [],
    scopes: [],
    status: 'active',
    created_at: at,
    updated_at: at,
  };
  const record = patched(blank, rest);
  const roles = await loadRoles(call, workspace, record.roles);
  const refusal = judgeGrants(call, record, { roles, isGranting: true });
  if (refusal) return refusal;
  const event = {
    event: 'user.created',
    workspace_id: workspace,
    object: { kind: 'user', id } as const,
    after: showUser(record),
  };
  const put = { kind: 'user', put: record, expected: 0 } as const;
  const writes = [...place.requires, ...roles.requires(record.roles), put];
  const answer = { status: 201, body: showUser(record), etag: 1, ...madeAt(call, id) } as const;
  return commitChange(call, { writes, events: [event] }, answer);
}

async function list(call: Call<z.output<typeof listed>>): Promise<Outcome> {
  const place = listedPlace(call);
  if (place === 'nothing') return NOTHING;
  return answerPage(call, {
    declared: [],
    stored: (page) => call.parts.store.list('user', place, page),
    show: ({ record }) => showUser(record),
  });
}

async function show(call: Call<Named>): Promise<Outcome> {
  const found = await findNamed(call, 'user', call.params['id'] ?? '');
  if ('kind' in found) return found;
  return { status: 200, body: showUser(found.record), etag: found.version };
}

async function update(call: Call<Named, Patch>): Promise<Outcome | Lost> {
  const found = await findNamed(call, 'user', call.params['id'] ?? '');
  if ('kind' in found) return found;
  const { record, version } = found;
  const mismatch = judgeIfMatch(call, version);
  if (mismatch) return mismatch;
  const wanted = patched(record, call.body);
  const roles = await loadRoles(call, record.workspace_id, [...record.roles, ...wanted.roles]);
  const isReactivated = record.status === 'deactivated' && wanted.status === 'active';
  const isGranting = isReactivated || isWider(call, record, wanted, roles);
  const refusal = judgeGrants(call, wanted, { roles, isGranting, named: call.body });
  if (refusal) return refusal;
  if (isSame(record, wanted)) return { status: 200, body: showUser(record), etag: version };
  const changed = { ...wanted, updated_at: timeText(call.nowMs) };
  if (isReactivated) await revokeAll(call, ownedKeys(record));
  const requires = isGranting ? roles.requires(wanted.roles) : [];
  const event = {
    event: 'user.updated',
    workspace_id: record.workspace_id,
    object: { kind: 'user', id: record.id } as const,
    ...changedFields(showUser(record), showUser(changed)),
  };
  const step = {
    writes: [...requires, { kind: 'user', put: changed, expected: version } as const],
    events: [event],
  };
  const answer = { status: 200, body: showUser(changed), etag: version + 1 } as const;
  if (changed.status === 'active') return commitChange(call, step, answer);
  return deactivateUser(call, record, { step, answer });
}

async function remove(call: Call<Named>): Promise<Outcome | Lost> {
  const found = await findNamed(call, 'user', call.params['id'] ?? '');
  if ('kind' in found) return found;
  return judgeIfMatch(call, found.version) ?? removeUser(call, found);
}
