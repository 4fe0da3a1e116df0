import { endOfStored, isWidened, rotateKey } from '../core/key-life.ts';
import type { ListedKey, Write } from '../core/record-store.ts';
import type { StoredKey } from '../core/records.ts';
import { roleBook } from './book.ts';
import {
  changedFields,
  commitChange,
  judgeIfMatch,
  type Lost,
  retryLost,
  type Told,
  timeText,
} from './change.ts';
import { type Fault, fault, invalid } from './fault.ts';
import { findCompany, nameErrors, namesakeErrors } from './keys-check.ts';
import { mintSecret, refuseBeyond } from './keys-create.ts';
import { findKey } from './keys-find.ts';
import { beyondEnvironment, beyondFields, beyondKey } from './keys-power.ts';
import type { Patch, RotationBody } from './keys-schema.ts';
import { auditedKey, showKey } from './keys-show.ts';
import type { Answer, Call, Outcome } from './row.ts';

/** A change of a key that was decided on. */
type Change = {
  readonly before: ListedKey;
  readonly after: StoredKey;
  readonly event: 'key.updated' | 'key.rotated' | 'key.revoked';
  readonly requires?: readonly Write[];
  /** The raw text of a new secret, for the answer alone. */
  readonly raw?: string;
};

/** Changes named fields of a key. What makes it greater is granting all of it. */
export function updateKey(call: Call<unknown, Patch>): Promise<Outcome> {
  return alterKey(call, async (before) => {
    const { record } = before;
    const fields = fieldsOf(call.body, record);
    if (Object.keys(fields).length === 0) return shown(call, before);
    const after = { ...record, ...fields, updated_at: timeText(call.nowMs) };
    const book = await roleBook(call, record.workspace_id);
    const wrong = invalid(nameErrors(call, fields, book));
    if (wrong) return wrong;
    const claimed = {
      ...('username' in fields && { username: call.body.username }),
      ...('plan' in fields && { plan: fields.plan ?? null }),
    };
    const namesakes = 'name' in fields ? await namesakeErrors(call, after) : [];
    const refusal = refuseBeyond([...beyondFields(call, claimed), ...namesakes]);
    if (refusal) return refusal;
    const isGreater = isWidened(record, after, call.policy.catalogue);
    const power = isGreater ? await judgePower(call, after, fields) : { requires: [] };
    if ('kind' in power) return power;
    return save(call, { before, after, event: 'key.updated', requires: power.requires });
  });
}

export function disableKey(call: Call): Promise<Outcome> {
  return alterKey(call, async (before) => {
    if (before.record.status === 'disabled') return shown(call, before);
    const after = {
      ...before.record,
      status: 'disabled',
      updated_at: timeText(call.nowMs),
    } as const;
    return save(call, { before, after, event: 'key.updated' });
  });
}

/** Lets a disabled key in again, which is granting all that it has. */
export function enableKey(call: Call): Promise<Outcome> {
  return alterKey(call, async (before) => {
    if (before.record.status === 'active') return shown(call, before);
    const after = { ...before.record, status: 'active', updated_at: timeText(call.nowMs) } as const;
    const power = await judgePower(call, after, {});
    if ('kind' in power) return power;
    return save(call, { before, after, event: 'key.updated', requires: power.requires });
  });
}

/** Gives a key a new secret. Who learns it can do all that the key can. */
export function rotate(call: Call<unknown, RotationBody>): Promise<Outcome> {
  const { policy, nowMs, body } = call;
  return alterKey(call, async (before) => {
    const { record } = before;
    if (!policy.prefixes.some((one) => one.prefix === record.prefix)) {
      const detail = 'the policy has this prefix no more: create another key';
      return fault('validation_failed', [{ pointer: '/prefix', detail }]);
    }
    const wrong = invalid(nameErrors(call, { expires_at: body.expires_at }, policy.roles));
    if (wrong) return wrong;
    const { raw, secret } = mintSecret(call, record.prefix);
    const graceMs = body.grace_seconds * 1000;
    const rotation = { secret, nowMs, graceMs, expiresAt: body.expires_at };
    const after = rotateKey(record, rotation, policy.keyRules);
    if (endOfStored(after, policy.keyRules) <= nowMs) return fault('key_ended');
    const power = await judgePower(call, after, {});
    if ('kind' in power) return power;
    return save(call, { before, after, event: 'key.rotated', requires: power.requires, raw });
  });
}

/** Revokes a key for good; a key that is revoked stays as it is. */
export function revokeKey(call: Call): Promise<Outcome> {
  return retryLost(call, async () => {
    const before = await findStored(call);
    if ('kind' in before) return before;
    const { record, version } = before;
    if (record.status === 'revoked') return { status: 204 };
    const stale = judgeIfMatch(call, version);
    if (stale) return stale;
    const updated_at = timeText(call.nowMs);
    const why = { status: 'revoked', revoked_because: 'request' } as const;
    const after = { ...record, ...why, updated_at };
    const outcome = await save(call, { before, after, event: 'key.revoked' });
    return 'kind' in outcome ? outcome : { status: 204 };
  });
}

/** Reads the key, decides, commits; and again when somebody else was quicker. */
function alterKey(
  call: Call,
  decide: (before: ListedKey) => Promise<Outcome | Lost>,
): Promise<Outcome> {
  return retryLost(call, async () => {
    const before = await findStored(call);
    if ('kind' in before) return before;
    const stale = judgeIfMatch(call, before.version);
    if (stale) return stale;
    if (before.record.status === 'revoked') return fault('key_revoked');
    return decide(before);
  });
}

/** The key that a change is for: stored, and of the environment that the actor acts for. */
async function findStored(call: Call): Promise<ListedKey | Fault> {
  const found = await findKey(call);
  if (found.kind === 'fault') return found;
  if (found.kind === 'declared') return fault('read_only');
  return refuseBeyond(beyondEnvironment(call, found.listed.record)) ?? found.listed;
}

/** Refuses what the actor may not give; else what must not have changed when the change is committed. */
async function judgePower(
  call: Call,
  key: StoredKey,
  named: Partial<Pick<StoredKey, 'scopes' | 'roles'>>,
): Promise<Fault | { readonly requires: readonly Write[] }> {
  const company = await findCompany(call, key);
  const wrong = invalid(company.errors);
  if (wrong) return wrong;
  const book = await roleBook(call, key.workspace_id);
  const { scopes = [], roles = [] } = named;
  const handing = { key, named: { scopes, roles }, user: company.user?.record, book };
  return refuseBeyond(beyondKey(call, handing)) ?? { requires: company.requires };
}

async function save(call: Call, change: Change): Promise<Outcome | Lost> {
  const { before, after, event, requires = [], raw } = change;
  const { record, version } = before;
  const told: Told = {
    event,
    workspace_id: record.workspace_id,
    object: { kind: 'key', id: record.id },
    reason: event === 'key.revoked' ? after.revoked_because : undefined,
    ...changedFields(auditedKey(record), auditedKey(after)),
  };
  const answer = shown(call, { ...before, record: after, version: version + 1 });
  const body = raw === undefined ? answer.body : { ...answer.body, key: raw };
  const writes: Write[] = [...requires, { kind: 'key', put: after, expected: version }];
  return commitChange(call, { writes, events: [told] }, { ...answer, body });
}

function shown(call: Call, listed: ListedKey): Answer {
  return { status: 200, body: showKey(call, listed), etag: listed.version };
}

/** The fields of a body that differ from the record; null clears. */
function fieldsOf(body: Patch, record: StoredKey): Partial<StoredKey> {
  const given = Object.entries(body).filter(([, value]) => value !== undefined);
  const fields = given.map(([name, value]) => [name, value ?? undefined] as const);
  const known = new Map<string, unknown>(Object.entries(record));
  const changed = fields.filter(
    ([name, value]) => JSON.stringify(known.get(name)) !== JSON.stringify(value),
  );
  return Object.fromEntries(changed);
}
