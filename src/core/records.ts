import type { KeyHash, KeyKind } from './api-key.ts';
import type { Reason } from './decision.ts';
import type { WrittenOrigins } from './key-record.ts';
import type { WrittenFigures } from './policy.ts';

/** One secret of a stored key, by hash. `until` (RFC 3339) ends one that was rotated out. */
export type Secret = {
  readonly hash: KeyHash;
  /** What may be shown of it: its prefix and two characters. */
  readonly key_prefix: string;
  readonly until?: string | undefined;
};

/** Why a key was revoked; revoking is for good. */
export type Revocation = 'request' | 'owner_gone' | 'team_gone' | 'workspace_gone' | 'leaked';

/**
 * An API key as a store keeps it. Times are RFC 3339 in UTC with milliseconds (`2026-11-21T06:40:28.000Z`).
 * When it was last used stands apart, because it changes with every use.
 */
export type StoredKey = {
  readonly id: string;
  readonly workspace_id?: string | undefined;
  readonly name: string;
  readonly description?: string | undefined;
  readonly kind: KeyKind;
  /** A personal key: the id of its user. A team key: the id of its team. */
  readonly owner?: string | undefined;
  readonly username?: string | undefined;
  readonly environment?: string | undefined;
  /** The prefix of the policy that its secrets begin with. */
  readonly prefix: string;
  /** `key_prefix` of the newest secret. */
  readonly key_prefix: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly plan?: string | undefined;
  readonly rate_limit?: WrittenFigures | undefined;
  readonly allowed_ips?: readonly string[] | undefined;
  readonly allowed_referers?: WrittenOrigins | undefined;
  readonly allowed_origins?: WrittenOrigins | undefined;
  readonly allowed_routes?: readonly string[] | undefined;
  readonly hide_credentials: boolean;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly status: 'active' | 'disabled' | 'revoked';
  readonly revoked_because?: Revocation | undefined;
  readonly leaked_at?: string | undefined;
  readonly expires_at?: string | undefined;
  readonly created_at: string;
  /** `admin`, the id of a key, or the username of a token. */
  readonly created_by: string;
  readonly updated_at: string;
  /** When its newest secret was made; the creation when it was never rotated. */
  readonly rotated_at: string;
  /** The newest first; at most two. */
  readonly secrets: readonly Secret[];
};

/** A workspace: a tenant whose keys, users and limits stand apart from those of others. */
export type WorkspaceRecord = {
  readonly id: string;
  readonly name?: string | undefined;
  readonly slug?: string | undefined;
  readonly plan?: string | undefined;
  readonly overrides?: WrittenFigures | undefined;
  readonly status: 'active' | 'suspended' | 'past_due';
  readonly allowed_ips?: readonly string[] | undefined;
  readonly created_at: string;
  readonly updated_at: string;
};

/** A user: the owner of personal keys, which never exceed what the user may do now. */
export type UserRecord = {
  readonly id: string;
  readonly workspace_id?: string | undefined;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly status: 'active' | 'deactivated';
  readonly created_at: string;
  readonly updated_at: string;
};

export type TeamRecord = {
  readonly id: string;
  readonly workspace_id?: string | undefined;
  readonly name?: string | undefined;
  /** Ids of users of the same workspace. */
  readonly members: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
};

/** A custom role of one workspace; `id` is its name. It may inherit from roles of the policy and of its workspace. */
export type RoleRecord = {
  readonly id: string;
  readonly workspace_id?: string | undefined;
  readonly description?: string | undefined;
  readonly inherits: readonly string[];
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
};

/** Every kind of record that a store keeps. */
export type RecordOf = {
  readonly key: StoredKey;
  readonly workspace: WorkspaceRecord;
  readonly user: UserRecord;
  readonly team: TeamRecord;
  readonly role: RoleRecord;
};
export type RecordKind = keyof RecordOf;

/** An audit event as it is kept: a change of a record, a step in the life of a key, or a refused decision. */
export type AuditEvent = {
  /** KSUID, or another id that sorts by time. */
  readonly id: string;
  readonly time: string;
  /** `key.created`, `user.updated`, `key.expiring`, `decision.refused`, … */
  readonly event: string;
  readonly workspace_id?: string | undefined;
  /** Who did it; absent where time or Postern itself did. */
  readonly actor?: {
    readonly kind: 'admin' | 'api_key' | 'jwt';
    readonly id: string;
    readonly username?: string | undefined;
  };
  readonly object?: { readonly kind: RecordKind; readonly id: string } | undefined;
  /** The reason of a refused decision, or why a key was revoked. */
  readonly reason?: Reason | Revocation | string | undefined;
  /** The record before and after, without hashes and secrets; changed fields only for an update. */
  readonly before?: Readonly<Record<string, unknown>> | undefined;
  readonly after?: Readonly<Record<string, unknown>> | undefined;
  readonly request_id?: string | undefined;
  readonly address?: string | undefined;
  /** More facts of a refused decision: route, method, path, host, username, key_id. */
  readonly facts?: Readonly<Record<string, string>> | undefined;
};
