import type { Versioned, Write } from '../core/record-store.ts';
import type { TeamRecord, UserRecord } from '../core/records.ts';
import { commitChange, type Lost, timeText } from './change.ts';
import { fault } from './fault.ts';
import { type Prepared, removalOf, updateOf } from './resource-member.ts';
import type { Call, Outcome } from './row.ts';
import { showUser } from './users-show.ts';
import {
  type Ending,
  nextRevocations,
  repeatUntilNone,
  revokeAll,
  type Step,
} from './workspaces-cascade.ts';

const PAGE = 200;

/** The personal keys of a user that is gone. */
export function ownedKeys({ id, workspace_id }: UserRecord): Ending {
  const keys = { workspace: workspace_id ?? null, kind: 'personal', owner: id } as const;
  return { keys, because: 'owner_gone' };
}

/**
 * Commits the deactivation of a user with the end of its keys; those beyond one commit, and those that were made
 * at the same time, follow: nothing lets them in, since their owner is deactivated already.
 */
export async function deactivateUser(
  call: Call,
  user: UserRecord,
  { step, answer }: Prepared,
): Promise<Outcome | Lost> {
  const keys = await nextRevocations(call, ownedKeys(user));
  const change = {
    writes: [...step.writes, ...keys.writes],
    events: [...step.events, ...keys.events],
  };
  const outcome = await commitChange(call, change, answer);
  if (!('kind' in outcome)) await revokeAll(call, ownedKeys(user));
  return outcome;
}

/**
 * Removes a user: deactivates it with its keys first, since a key whose owner nobody knows is cut by nobody. For
 * the same reason the owner of a key that the policy declares stays.
 */
export async function removeUser(
  call: Call,
  found: Versioned<UserRecord>,
): Promise<Outcome | Lost> {
  const { record } = found;
  const declared = declaredKeyOf(call, record);
  if (declared !== undefined) {
    const detail = `the policy declares the personal key ${declared} of this user: deactivate the user`;
    return fault('conflict', [{ pointer: '', detail }]);
  }
  const ended = await deactivate(call, found);
  if ('kind' in ended) return ended;
  await repeatUntilNone(call, () => nextPartings(call, record));
  const removal = removalOf('user', { record, version: ended.version }, showUser(record));
  const outcome = await commitChange(call, removal, { status: 204 });
  if (!('kind' in outcome)) await revokeAll(call, ownedKeys(record));
  return outcome;
}

async function deactivate(call: Call, { record, version }: Versioned<UserRecord>) {
  if (record.status === 'deactivated') {
    await revokeAll(call, ownedKeys(record));
    return { version };
  }
  const put: UserRecord = { ...record, status: 'deactivated', updated_at: timeText(call.nowMs) };
  const told = { before: showUser(record), after: showUser(put) };
  const { step } = updateOf({ kind: 'user', put, expected: version }, told);
  const outcome = await deactivateUser(call, record, { step, answer: { status: 204 } });
  return 'kind' in outcome ? outcome : { version: version + 1 };
}

function declaredKeyOf({ policy }: Call, { id, workspace_id }: UserRecord): string | undefined {
  for (const { key } of policy.declaredKeys.values()) {
    const isOwned = key.kind === 'personal' && key.owner === id && key.workspace === workspace_id;
    if (isOwned) return key.id;
  }
  return undefined;
}

/** Takes a user out of the teams of its workspace. */
async function nextPartings(call: Call, { id, workspace_id }: UserRecord): Promise<Step> {
  const { store } = call.parts;
  const joined: Versioned<TeamRecord>[] = [];
  let after: string | undefined;
  do {
    const page = await store.list(
      'team',
      { workspace: workspace_id ?? null },
      { limit: PAGE, after },
    );
    joined.push(...page.items.filter(({ record }) => record.members.includes(id)));
    after = page.next;
  } while (after !== undefined && joined.length < PAGE);
  return {
    writes: joined.map(({ record, version }): Write => {
      const members = record.members.filter((member) => member !== id);
      const put = { ...record, members, updated_at: timeText(call.nowMs) };
      return { kind: 'team', put, expected: version };
    }),
    events: joined.map(({ record }) => ({
      event: 'team.updated',
      workspace_id,
      object: { kind: 'team', id: record.id },
      before: { members: record.members },
      after: { members: record.members.filter((member) => member !== id) },
    })),
  };
}
