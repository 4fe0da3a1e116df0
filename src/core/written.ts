import type { KeyRecord } from './key-record.ts';
import type { WrittenFigures } from './policy.ts';
import type { RoleDefinition } from './role.ts';

/** What the policy declares and the management API shows, read-only. */
export type Written = {
  readonly keys: ReadonlyMap<string, KeyRecord>;
  readonly workspaces: ReadonlyMap<string, WrittenWorkspace>;
  readonly blocks: readonly WrittenBlock[];
  /** Scope to its description; empty without a catalogue. */
  readonly scopes: ReadonlyMap<string, string>;
  readonly roles: ReadonlyMap<string, RoleDefinition>;
};

export type WrittenWorkspace = {
  readonly slug?: string | undefined;
  readonly plan?: string | undefined;
  readonly overrides?: WrittenFigures | undefined;
  readonly status: 'active' | 'suspended' | 'past_due';
  readonly allowed_ips?: readonly string[] | undefined;
};

export type WrittenBlock = {
  readonly ip?: string | undefined;
  readonly key?: string | undefined;
  readonly username?: string | undefined;
  readonly workspace?: string | undefined;
  readonly client?: string | undefined;
  readonly until?: string | undefined;
  readonly note?: string | undefined;
};
