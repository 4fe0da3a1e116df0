import { createHash } from 'node:crypto';
import * as z from 'zod';
import { hashKey, parseKey } from '../core/api-key.ts';
import { shownPath } from '../core/audit.ts';
import type { Leaked, Policy } from '../core/policy.ts';
import type { ListedKey } from '../core/record-store.ts';
import { commitChange, eventOf, type Lost, type Told, timeText } from './change.ts';
import { fault } from './fault.ts';
import { createKeptKeys, type KeptKeys } from './leaked-public-keys.ts';
import { isSignedBy } from './leaked-signature.ts';
import type { ApiParts } from './parts.ts';
import { parseBody, parseJson } from './read-body.ts';
import type { OpenCall, OpenRow, Outcome } from './row.ts';

const TOKENS_MAX = 1000;
const TEXT_CHARS_MAX = 2048;
const TRIES = 8;
const TOLD_EVENTS_MAX = 200;

const text = z.string().max(TEXT_CHARS_MAX);
const report = z.object({
  token: text.min(1).meta({ description: 'What the scanner found.' }),
  type: text.default('').meta({ description: 'The name of the pattern that found it.' }),
  url: text.nullish().meta({ description: 'Where it was found.' }),
  source: text.nullish().meta({ description: 'In what kind of place.' }),
});
const reports = z.array(report).max(TOKENS_MAX);
type Report = z.output<typeof report>;

const feedback = z.strictObject({
  token_hash: z.string().meta({ description: 'SHA-256 of the token, base64.' }),
  token_type: z.string(),
  label: z.enum(['true_positive', 'false_positive']),
});
type Label = z.output<typeof feedback>['label'];

const kept = new WeakMap<ApiParts, KeptKeys>();

export const leakedRows: readonly OpenRow[] = [
  {
    method: 'POST',
    path: '/v1/leaked-keys',
    tag: 'Leaked keys',
    summary: 'Takes a report of a secret scanner, signed over its raw body, and revokes or flags.',
    id: 'reportLeakedKeys',
    scope: 'signature',
    body: reports,
    answers: { 200: z.array(feedback) },
    handle: takeReports,
  },
];

/**
 * Takes a report in the form of GitHub's secret scanning partner program. Nothing is read of a body before its
 * signature holds. Taking the same report again changes nothing.
 */
async function takeReports(call: OpenCall): Promise<Outcome> {
  const { leaked } = call.policy;
  if (!leaked) return fault('not_found');
  const isSigned = await judgeSignature(call, leaked);
  if (isSigned === undefined) return fault('unavailable');
  if (!isSigned) return fault('signature_invalid');
  const json = parseJson(call.rawBody);
  if ('kind' in json) return json;
  const read = parseBody(reports, json.value);
  if ('kind' in read) return read;
  const answers: z.output<typeof feedback>[] = [];
  for (const one of read.value as readonly Report[]) {
    const label = await takeReport(call, leaked, one);
    const token_hash = createHash('sha256').update(one.token).digest('base64');
    answers.push({ token_hash, token_type: one.type, label });
  }
  return { status: 200, body: answers };
}

/** Whether the body is signed by the reporter; undefined when its public keys cannot be had. */
async function judgeSignature(call: OpenCall, leaked: Leaked): Promise<boolean | undefined> {
  const identifier = call.header('github-public-key-identifier');
  const signature = call.header('github-public-key-signature');
  if (!identifier || !signature) return false;
  const { parts, nowMs } = call;
  const keys = kept.get(parts) ?? createKeptKeys(parts.onFailure);
  kept.set(parts, keys);
  const known = await keys.keysFor(leaked.publicKeys, identifier, nowMs);
  if (!known) return undefined;
  const key = known.get(identifier);
  return key !== undefined && isSignedBy(key, call.rawBody, signature);
}

async function takeReport(call: OpenCall, leaked: Leaked, one: Report): Promise<Label> {
  const { policy, parts } = call;
  const parsed = parseKey(one.token, policy.prefixes);
  if (parsed.kind !== 'key' || parsed.prefix.publishable) return 'false_positive';
  const hash = hashKey(one.token);
  const declared = policy.declaredKeys.get(hash)?.key;
  if (declared) {
    const object = { kind: 'key', id: declared.id } as const;
    await tellOnce(call, { ...toldOf(policy, one), workspace_id: declared.workspace, object });
    return 'true_positive';
  }
  for (let at = 0; at < TRIES; at += 1) {
    const found = await parts.store.getKeyByHash(hash);
    if (!found) return 'false_positive';
    const isEnded = !isLive(found, hash, call.nowMs);
    const isDone = leaked.action === 'flag' && found.record.leaked_at !== undefined;
    if (isEnded || isDone) return 'true_positive';
    const outcome = await endLeaked(call, leaked, { found, told: toldOf(policy, one) });
    if (outcome === 'done') return 'true_positive';
  }
  throw new Error('a leaked key was changed again and again while it was to be revoked');
}

/** Whether a secret still lets somebody in, or would once its key is enabled or given a new end. */
function isLive({ record }: ListedKey, hash: string, nowMs: number): boolean {
  const until = record.secrets.find((one) => one.hash === hash)?.until;
  const isOver = until !== undefined && nowMs >= Date.parse(until);
  return record.status !== 'revoked' && !isOver;
}

async function endLeaked(
  call: OpenCall,
  { action }: Leaked,
  { found, told }: { readonly found: ListedKey; readonly told: Told },
): Promise<'done' | 'lost'> {
  const { record, version } = found;
  const at = timeText(call.nowMs);
  const flagged = { ...record, leaked_at: record.leaked_at ?? at, updated_at: at };
  const revoked = { ...flagged, status: 'revoked', revoked_because: 'leaked' } as const;
  const about = {
    workspace_id: record.workspace_id,
    object: { kind: 'key', id: record.id } as const,
  };
  const revocation: Told = {
    event: 'key.revoked',
    ...about,
    reason: 'leaked',
    before: { status: record.status },
    after: { status: 'revoked', revoked_because: 'leaked' },
  };
  const put = action === 'revoke' ? revoked : flagged;
  const outcome: Outcome | Lost = await commitChange(
    call,
    {
      writes: [{ kind: 'key', put, expected: version }],
      events: [{ ...told, ...about }, ...(action === 'revoke' ? [revocation] : [])],
    },
    { status: 200 },
  );
  return 'kind' in outcome ? 'lost' : 'done';
}

/** The event of a leak: where it was found, without the key itself. */
function toldOf(policy: Policy, { token, url, source, type }: Report): Told {
  const hide = (found: string) => shownPath(policy, found.replaceAll(token, '***'));
  const facts = { url: hide(url ?? ''), source: hide(source ?? ''), type: hide(type) };
  const present = Object.entries(facts).filter(([, value]) => value !== '');
  return { event: 'key.leaked', reason: 'leaked', facts: Object.fromEntries(present) };
}

/** Tells of a leak that changes no record, unless it was told of before. */
async function tellOnce(call: OpenCall, told: Told): Promise<void> {
  const { store, onEvent } = call.parts;
  const filter = { event: 'key.leaked', object: told.object?.id };
  const before = await store.listEvents(filter, { limit: TOLD_EVENTS_MAX });
  const facts = JSON.stringify(told.facts);
  if (before.items.some((event) => JSON.stringify(event.facts) === facts)) return;
  const event = eventOf(call, told);
  await store.commit({ writes: [], events: [event] });
  await onEvent(event);
}
