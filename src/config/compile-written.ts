import type { KeyRules } from '../core/api-key.ts';
import type { KeyRecord } from '../core/key-record.ts';
import type { Leaked } from '../core/policy.ts';
import type { RoleDefinition } from '../core/role.ts';
import type { Written } from '../core/written.ts';
import { parseDuration } from '../schema/duration.ts';
import { parentsOf } from './check-names.ts';
import type { Config } from './schema.ts';

/** What a policy declares, as it is written: the management API shows it. */
export function compileWritten(config: Config, keys: ReadonlyMap<string, KeyRecord>): Written {
  return {
    keys,
    workspaces: new Map(Object.entries(config.workspaces)),
    blocks: config.blocks,
    scopes: new Map(Object.entries(config.scopes ?? {})),
    roles: roleDefinitions(config),
  };
}

/** Roles as a policy writes them, by name. */
export function roleDefinitions(config: Config): ReadonlyMap<string, RoleDefinition> {
  return new Map(
    Object.entries(config.roles).map(([name, role]) => [
      name,
      { inherits: parentsOf(role.inherits), scopes: role.scopes },
    ]),
  );
}

/** How long stored keys may live. */
export function compileKeyRules({ api_keys: written }: Config): KeyRules {
  return {
    maxAgeMs: milliseconds(written.max_age),
    rotateEveryMs: milliseconds(written.rotate_every),
    warnMs: milliseconds(written.warn_before) ?? 0,
    staleMs: milliseconds(written.stale_after),
  };
}

/** Who may report leaked keys, and what then happens to them. */
export function compileLeaked({ api_keys: { leaked } }: Config): Leaked | undefined {
  return leaked && { action: leaked.action, publicKeys: leaked.public_keys };
}

/** Milliseconds of a duration that was checked before. */
export function milliseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}
