import { previousSecretUntil, statusOf } from '../core/key-life.ts';
import { type KeyRecord, parseTimestamp, type WrittenOrigins } from '../core/key-record.ts';
import type { ListedKey } from '../core/record-store.ts';
import type { StoredKey } from '../core/records.ts';
import { inOrder, type ShownKey } from './keys-schema.ts';
import type { OpenCall } from './row.ts';

type Moment = Pick<OpenCall, 'policy' | 'nowMs'>;

/** A stored key as it is shown: everything but its hashes. */
export function showKey(
  { policy, nowMs }: Moment,
  { record, lastUsedAtMs }: Pick<ListedKey, 'record' | 'lastUsedAtMs'>,
): ShownKey {
  return inOrder({
    ...sharedFields(record),
    workspace_id: record.workspace_id ?? null,
    name: record.name,
    kind: record.kind,
    owner: record.owner ?? null,
    key_prefix: record.key_prefix,
    status: statusOf(record, policy.keyRules, nowMs),
    revoked_because: record.revoked_because ?? null,
    leaked_at: record.leaked_at ?? null,
    last_used_at: lastUsedAtMs === undefined ? null : new Date(lastUsedAtMs).toISOString(),
    created_at: record.created_at,
    created_by: record.created_by,
    updated_at: record.updated_at,
    rotated_at: record.rotated_at,
    previous_secret_until: previousSecretUntil(record, nowMs) ?? null,
    read_only: false,
  });
}

/** A key that the policy declares; what only a store knows of a key is null. */
export function showDeclaredKey({ nowMs }: Pick<Moment, 'nowMs'>, record: KeyRecord): ShownKey {
  return inOrder({
    ...sharedFields(record),
    workspace_id: record.workspace ?? null,
    name: record.name ?? record.id,
    kind: record.kind ?? 'service',
    owner: record.owner ?? record.team ?? null,
    key_prefix: null,
    status: declaredStatus(record, nowMs),
    revoked_because: null,
    leaked_at: null,
    last_used_at: null,
    created_at: null,
    created_by: null,
    updated_at: null,
    rotated_at: null,
    previous_secret_until: null,
    read_only: true,
  });
}

/** What a declared key is at a moment. */
export function declaredStatus(
  { disabled, expires_at: end }: KeyRecord,
  nowMs: number,
): ShownKey['status'] {
  if (disabled === true) return 'disabled';
  const endMs = end === undefined ? Infinity : (parseTimestamp(end) ?? Infinity);
  return nowMs >= endMs ? 'expired' : 'active';
}

/** What an audit event tells of a key: the record without its secrets. */
export function auditedKey({ secrets: _, ...told }: StoredKey): Readonly<Record<string, unknown>> {
  return told;
}

function sharedFields(record: StoredKey | KeyRecord) {
  return {
    id: record.id,
    description: record.description ?? null,
    environment: record.environment ?? null,
    scopes: [...(record.scopes ?? [])],
    roles: [...(record.roles ?? [])],
    plan: record.plan ?? null,
    rate_limit: record.rate_limit ?? null,
    allowed_ips: copied(record.allowed_ips),
    allowed_referers: shownOrigins(record.allowed_referers),
    allowed_origins: shownOrigins(record.allowed_origins),
    allowed_routes: copied(record.allowed_routes),
    username: record.username ?? null,
    hide_credentials: record.hide_credentials ?? false,
    metadata: record.metadata ?? null,
    expires_at: record.expires_at ?? null,
  };
}

function copied(list: readonly string[] | undefined): string[] | null {
  return list === undefined ? null : [...list];
}

function shownOrigins(written: WrittenOrigins | undefined): ShownKey['allowed_origins'] {
  if (written === undefined) return null;
  if (!('allow' in written)) return [...written];
  return { allow: [...written.allow], missing: written.missing ?? 'allow' };
}
