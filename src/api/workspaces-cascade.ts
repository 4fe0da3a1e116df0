import type { KeyFilter, ListedKey, Write } from '../core/record-store.ts';
import type { Revocation } from '../core/records.ts';
import { commitChange, type Told, timeText } from './change.ts';
import type { Call } from './row.ts';

/** Whose keys are to end, and why. */
export type Ending = {
  readonly keys: Pick<KeyFilter, 'workspace' | 'kind' | 'owner'>;
  readonly because: Revocation;
};

/** Part of a commit. */
export type Step = { readonly writes: readonly Write[]; readonly events: readonly Told[] };

const LIVING = ['active', 'expired', 'disabled'] as const;
/** Writes of one commit stay far below 500, so that none holds up the others for long. */
const KEYS_PER_COMMIT = 200;
const TRIES_MAX = 1000;

/** Revokes for good the next keys that are not yet; no writes when none is left. */
export async function nextRevocations(call: Call, ending: Ending): Promise<Step> {
  const found: ListedKey[] = [];
  for (const status of LIVING) {
    const limit = KEYS_PER_COMMIT - found.length;
    if (limit === 0) break;
    const filter = { ...ending.keys, status, nowMs: call.nowMs };
    const page = await call.parts.store.listKeys(filter, { limit });
    found.push(...page.items);
  }
  const steps = found.map((one) => revocation(call, one, ending.because));
  return {
    writes: steps.flatMap((step) => step.writes),
    events: steps.flatMap((step) => step.events),
  };
}

/**
 * Revokes all keys that are left, commit by commit. A key that changed meanwhile is looked at again; a key that
 * is made meanwhile is found too.
 */
export async function revokeAll(call: Call, ending: Ending): Promise<void> {
  await repeatUntilNone(call, () => nextRevocations(call, ending));
}

/** Commits steps until there is nothing left to do. */
export async function repeatUntilNone(call: Call, next: () => Promise<Step>): Promise<void> {
  let lost = 0;
  for (;;) {
    const step = await next();
    if (step.writes.length === 0) return;
    const outcome = await commitChange(withoutAnswer(call), step, { status: 204 });
    const isLost = 'kind' in outcome;
    lost = isLost ? lost + 1 : 0;
    if (lost > TRIES_MAX) throw new Error('what belongs to it changes faster than it can be ended');
  }
}

/** Commits in a cascade keep no answer: it goes with the last of them. */
function withoutAnswer(call: Call): Call {
  return { ...call, idempotency: undefined };
}

function revocation(call: Call, { record, version }: ListedKey, because: Revocation): Step {
  const revoked = {
    ...record,
    status: 'revoked',
    revoked_because: because,
    updated_at: timeText(call.nowMs),
  } as const;
  return {
    writes: [{ kind: 'key', put: revoked, expected: version }],
    events: [
      {
        event: 'key.revoked',
        workspace_id: record.workspace_id,
        object: { kind: 'key', id: record.id },
        reason: because,
        before: { status: record.status },
        after: { status: 'revoked', revoked_because: because },
      },
    ],
  };
}
