import * as z from 'zod';
import type { UserRecord } from '../core/records.ts';
import { form, grant, line, strict } from '../schema/text.ts';
import { commitChange, type Lost, mintId, timeText } from './change.ts';
import { fault } from './fault.ts';
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
  showMember,
  updateOf,
} from './resource-member.ts';
import type { Call, Outcome } from './row.ts';
import { isWider, judgeGrants } from './users-grants.ts';
import { deactivateUser, ownedKeys, removeUser } from './users-remove.ts';
import { shownUser, showUser } from './users-show.ts';
import { revokeAll } from './workspaces-cascade.ts';
import { isSame, loadRoles, patched, placeOf } from './workspaces-place.ts';

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
const draft = strict({ id: chosenId, workspace_id: homeWorkspace, ...fields });
const patch = strict(fields);
type Draft = z.output<typeof draft>;
type Patch = z.output<typeof patch>;

export const userRows = resourceRows({
  path: '/v1/users',
  param: 'id',
  tag: 'Users',
  one: 'User',
  scopes: { read: 'users:read', write: 'users:write' },
  schemas: { shown: shownUser, listed, named, draft, patch },
  create: {
    summary: 'Creates a user with roles and scopes that you hold yourself.',
    handle: create,
  },
  list: {
    summary: 'Lists users.',
    handle: (call) => listMembers(call, 'user', showUser),
  },
  show: {
    summary: 'Shows a user.',
    handle: (call) => showMember(call, 'user', showUser),
  },
  update: {
    summary: 'Changes a user; its personal keys shrink with it at once.',
    handle: update,
  },
  remove: {
    summary: 'Deletes a user and revokes its personal keys for good.',
    handle: remove,
  },
});

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
  const put = { kind: 'user', put: record, expected: 0 } as const;
  const requires = [...place.requires, ...roles.requires(record.roles)];
  const { step, answer } = creationOf(call, put, { after: showUser(record), requires });
  return commitChange(call, step, answer);
}

async function update(call: Call<Named, Patch>): Promise<Outcome | Lost> {
  const found = await findToChange(call, 'user');
  if ('kind' in found) return found;
  const { record, version } = found;
  const wanted = patched(record, call.body);
  const roles = await loadRoles(call, record.workspace_id, [...record.roles, ...wanted.roles]);
  const isReactivated = record.status === 'deactivated' && wanted.status === 'active';
  const isGranting = isReactivated || isWider(call, record, wanted, roles);
  const refusal = judgeGrants(call, wanted, { roles, isGranting, named: call.body });
  if (refusal) return refusal;
  if (isSame(record, wanted)) return { status: 200, body: showUser(record), etag: version };
  const changed = { ...wanted, updated_at: timeText(call.nowMs) };
  if (isReactivated) await revokeAll(call, ownedKeys(record));
  const { step, answer } = updateOf(
    { kind: 'user', put: changed, expected: version },
    {
      before: showUser(record),
      after: showUser(changed),
      requires: isGranting ? roles.requires(wanted.roles) : [],
    },
  );
  if (changed.status === 'active') return commitChange(call, step, answer);
  return deactivateUser(call, record, { step, answer });
}

async function remove(call: Call<Named>): Promise<Outcome | Lost> {
  const found = await findToChange(call, 'user');
  if ('kind' in found) return found;
  return removeUser(call, found);
}
