import { endOfKey, type KeyRules } from './api-key.ts';
import { parseTimestamp, type WrittenOrigins } from './key-record.ts';
import type { WrittenFigures } from './policy.ts';
import type { Secret, StoredKey } from './records.ts';
import { type Catalogue, holdsGrant } from './scope.ts';

/** The longest time that a secret may live on beside the one that replaced it. */
export const GRACE_MS_MAX = 30 * 24 * 60 * 60 * 1000;

/** What a stored key is at a moment; `expired` when its own end or that of the rules has come. */
export type KeyStatus = StoredKey['status'] | 'expired';

/** When a stored key ends (epoch ms); `Infinity` for never. */
export function endOfStored(
  key: Pick<StoredKey, 'expires_at' | 'created_at' | 'rotated_at'>,
  rules: KeyRules,
): number {
  const expiresAtMs = key.expires_at === undefined ? undefined : parseTimestamp(key.expires_at);
  const createdAtMs = parseTimestamp(key.created_at);
  const rotatedAtMs = parseTimestamp(key.rotated_at);
  return endOfKey({ expiresAtMs, createdAtMs, rotatedAtMs }, rules);
}

export function statusOf(key: StoredKey, rules: KeyRules, nowMs: number): KeyStatus {
  const isOver = key.status === 'active' && nowMs >= endOfStored(key, rules);
  return isOver ? 'expired' : key.status;
}

/** When the secret before the newest one ends, while it is still let in. */
export function previousSecretUntil(key: StoredKey, nowMs: number): string | undefined {
  const until = key.secrets[1]?.until;
  return until !== undefined && nowMs < (parseTimestamp(until) ?? 0) ? until : undefined;
}

/** What a rotation brings; `expiresAt` is a new end of the key, undefined keeps the one it has. */
export type Rotation = {
  readonly secret: Secret;
  readonly nowMs: number;
  readonly graceMs: number;
  readonly expiresAt?: string | undefined;
};

/**
 * A key with a new secret. The one before is let in until the grace is over, and never past the end that the key
 * had; a secret rotated out earlier is let in no more.
 */
export function rotateKey(key: StoredKey, rotation: Rotation, rules: KeyRules): StoredKey {
  const { secret, nowMs, graceMs, expiresAt } = rotation;
  const now = new Date(nowMs).toISOString();
  const [newest] = key.secrets;
  const untilMs = Math.min(nowMs + graceMs, Math.max(nowMs, endOfStored(key, rules)));
  const old = newest && { ...newest, until: new Date(untilMs).toISOString() };
  return {
    ...key,
    expires_at: expiresAt ?? key.expires_at,
    key_prefix: secret.key_prefix,
    secrets: old ? [secret, old] : [secret],
    rotated_at: now,
    updated_at: now,
  };
}

/**
 * Whether a change makes a key able to do more, or do it longer, from more places or on more routes. A change that
 * only takes away needs no power; what cannot be told for sure to take away counts as more.
 */
export function isWidened(before: StoredKey, after: StoredKey, catalogue: Catalogue): boolean {
  const isMoreScopes = after.scopes.some(
    (scope) => !before.scopes.includes(scope) && !holdsGrant(before.scopes, scope, catalogue),
  );
  return (
    isMoreScopes ||
    after.roles.some((role) => !before.roles.includes(role)) ||
    after.plan !== before.plan ||
    toldName(after) !== toldName(before) ||
    (before.hide_credentials && !after.hide_credentials) ||
    endText(after) > endText(before) ||
    isLooserList(before.allowed_ips, after.allowed_ips) ||
    isLooserList(before.allowed_routes, after.allowed_routes) ||
    isLooserOrigins(before.allowed_referers, after.allowed_referers) ||
    isOpenedToBrowsers(before.allowed_origins, after.allowed_origins) ||
    isLooserFigures(before.rate_limit, after.rate_limit)
  );
}

/** The name that upstream is told, as `compileKey` settles it. */
function toldName({ username, owner, name }: StoredKey): string {
  return username ?? owner ?? name;
}

function endText({ expires_at }: StoredKey): number {
  return expires_at === undefined ? Infinity : (parseTimestamp(expires_at) ?? Infinity);
}

/** A list that holds less is narrower; no list holds everything. */
function isLooserList(
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
): boolean {
  if (before === undefined) return false;
  return after === undefined || after.some((one) => !before.includes(one));
}

function isLooserOrigins(
  before: WrittenOrigins | undefined,
  after: WrittenOrigins | undefined,
): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  const isMissingLooser = missingOf(before) === 'deny' && missingOf(after) === 'allow';
  return isMissingLooser || isLooserList(allowOf(before), allowOf(after));
}

/** Origins named for the first time admit browsers where the policy keeps secret keys out of them. */
function isOpenedToBrowsers(
  before: WrittenOrigins | undefined,
  after: WrittenOrigins | undefined,
): boolean {
  if (before === undefined) return after !== undefined;
  return isLooserOrigins(before, after);
}

function allowOf(origins: WrittenOrigins): readonly string[] {
  return 'allow' in origins ? origins.allow : origins;
}

function missingOf(origins: WrittenOrigins): 'allow' | 'deny' {
  return ('allow' in origins ? origins.missing : undefined) ?? 'allow';
}

/** Every figure must stay or fall. Beside a bucket none may be added: it refills at the rate of the smallest window. */
function isLooserFigures(
  before: WrittenFigures | undefined,
  after: WrittenFigures | undefined,
): boolean {
  if (before === undefined) return false;
  const names = Object.keys({ ...before, ...after }) as (keyof WrittenFigures)[];
  return names.some((name) => {
    const [was, is] = [before[name], after?.[name]];
    if (was === undefined) return is !== undefined && before.burst !== undefined;
    return typeof was !== 'number' || typeof is !== 'number' || is > was;
  });
}
