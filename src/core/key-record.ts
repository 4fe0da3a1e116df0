import { type AddressSet, compileAddresses } from './address.ts';
import { type ApiKey, type KeyHash, type KeyKind, parseKeyHash } from './api-key.ts';
import { compileOrigins, type OriginRule } from './origin.ts';
import { compileFigures } from './plan.ts';
import type { WrittenFigures } from './policy.ts';
import type { StoredKey } from './records.ts';
import { type Catalogue, minimalGrants } from './scope.ts';

/** Domains as written: a list, or a list and whether the header may be missing (default: it may). */
export type WrittenOrigins =
  | readonly string[]
  | { readonly allow: readonly string[]; readonly missing?: 'allow' | 'deny' | undefined };

/** One secret of a key by hash, `sha256:<hex>`; `until` (RFC 3339) ends one that was rotated out. */
export type WrittenHash = { readonly hash: string; readonly until?: string | undefined };

/** An API key in the shape that policies and stores write it. Its lists were checked before. */
export type KeyRecord = {
  readonly id: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly hash: string | readonly WrittenHash[];
  readonly kind?: KeyKind | undefined;
  readonly owner?: string | undefined;
  readonly team?: string | undefined;
  readonly workspace?: string | undefined;
  readonly username?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly plan?: string | undefined;
  readonly rate_limit?: WrittenFigures | undefined;
  readonly environment?: string | undefined;
  readonly allowed_ips?: readonly string[] | undefined;
  readonly allowed_referers?: WrittenOrigins | undefined;
  readonly allowed_origins?: WrittenOrigins | undefined;
  readonly allowed_routes?: readonly string[] | undefined;
  readonly hide_credentials?: boolean | undefined;
  readonly expires_at?: string | undefined;
  readonly disabled?: boolean | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
};

/** Compiles a record, its scopes without those that others include; throws where a list or time is malformed. */
export function compileKey(record: KeyRecord, catalogue?: Catalogue): ApiKey {
  const name = record.name ?? record.id;
  return {
    id: record.id,
    name,
    kind: record.kind ?? 'service',
    owner: record.owner,
    team: record.team,
    workspace: record.workspace,
    username: record.username ?? record.owner ?? name,
    scopes: minimalGrants(record.scopes ?? [], catalogue),
    roles: record.roles ?? [],
    plan: record.plan,
    rateLimit: record.rate_limit && compileFigures(record.rate_limit, 'key'),
    environment: record.environment,
    allowedIps: record.allowed_ips && addressSet(record.allowed_ips),
    allowedReferers: record.allowed_referers && originRule(record.allowed_referers),
    allowedOrigins: record.allowed_origins && originRule(record.allowed_origins),
    allowedRoutes: record.allowed_routes && new Set(record.allowed_routes),
    hideCredentials: record.hide_credentials ?? false,
    expiresAtMs: timeOf(record.expires_at),
    status: record.disabled === true ? 'disabled' : 'active',
  };
}

/**
 * Compiles a stored key: a team key belongs to the team that owns it. The catalogue of scopes stays out of it, so that
 * it is the same under every policy. Throws where a list or time is malformed.
 */
export function compileStored(stored: StoredKey): ApiKey {
  const { workspace_id, owner, kind, status } = stored;
  const key = compileKey({ ...stored, hash: '', workspace: workspace_id });
  return {
    ...key,
    team: kind === 'team' ? owner : undefined,
    status,
    lostOwner: stored.revoked_because === 'owner_gone',
    createdAtMs: timeOf(stored.created_at),
    rotatedAtMs: timeOf(stored.rotated_at),
  };
}

/** The hashes under which a record is found, each with its end (epoch ms) where it has one. */
export function keyHashes(
  record: KeyRecord,
): readonly { readonly hash: KeyHash; readonly untilMs?: number | undefined }[] {
  const written = typeof record.hash === 'string' ? [{ hash: record.hash }] : record.hash;
  return written.map((one: WrittenHash) => {
    const hash = parseKeyHash(one.hash);
    if (hash === undefined) throw new Error(`key ${record.id} has a malformed hash`);
    return { hash, untilMs: timeOf(one.until) };
  });
}

/** Epoch milliseconds of an RFC 3339 date-time, or undefined when it is none. */
export function parseTimestamp(text: string): number | undefined {
  const form = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;
  const parts = form.exec(text);
  if (!parts || Number(parts[4]) > 23) return undefined;
  const days = new Date(Date.UTC(Number(parts[1]), Number(parts[2]), 0)).getUTCDate();
  const timeMs = Date.parse(text.toUpperCase().replace(' ', 'T'));
  return Number.isNaN(timeMs) || Number(parts[3]) > days ? undefined : timeMs;
}

/** Compiles addresses that were checked before; throws on one that is malformed. */
export function addressSet(texts: readonly string[]): AddressSet {
  const compiled = compileAddresses(texts);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled.set;
}

/** Compiles domains that were checked before; throws on one that is malformed. */
export function originRule(written: WrittenOrigins): OriginRule {
  const rule = 'allow' in written ? written : { allow: written, missing: undefined };
  const compiled = compileOrigins(rule.allow);
  if ('problem' in compiled) throw new Error(compiled.problem);
  return { allow: compiled.set, missing: rule.missing ?? 'allow' };
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = parseTimestamp(text);
  if (timeMs === undefined) throw new Error(`${JSON.stringify(text)} is no RFC 3339 time`);
  return timeMs;
}
