import { hashKey } from '../../src/core/api-key.ts';
import type { KeyFilter, RecordStore, Write } from '../../src/core/record-store.ts';
import type {
  AuditEvent,
  RoleRecord,
  StoredKey,
  TeamRecord,
  UserRecord,
  WorkspaceRecord,
} from '../../src/core/records.ts';
import type { Store, StoreOptions } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';

/** Opens an empty store; whoever opens it closes it. */
export type OpenStore = (options?: Partial<StoreOptions>) => Promise<Store>;

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** A time as records write it, so many milliseconds after the moment of the tests. */
export function time(afterMs = 0): string {
  return new Date(NOW + afterMs).toISOString();
}

/** A key whose secret is made of its id. */
export function storedKey(id: string, more: Partial<StoredKey> = {}): StoredKey {
  const key_prefix = more.key_prefix ?? 'pst_ab';
  return {
    id,
    name: `key ${id}`,
    kind: 'service',
    prefix: 'pst_',
    key_prefix,
    scopes: ['a:read'],
    roles: [],
    hide_credentials: false,
    status: 'active',
    created_at: time(),
    created_by: 'admin',
    updated_at: time(),
    rotated_at: time(),
    secrets: [{ hash: hashOf(id), key_prefix }],
    ...more,
  };
}

/** The hash of the secret that `storedKey` gives a key. */
export function hashOf(id: string) {
  return hashKey(`secret of ${id}`);
}

const TIMES = { created_at: time(), updated_at: time() };

export function workspaceRecord(id: string, more: Partial<WorkspaceRecord> = {}): WorkspaceRecord {
  return { id, status: 'active', ...TIMES, ...more };
}

export function userRecord(id: string, more: Partial<UserRecord> = {}): UserRecord {
  return { id, roles: [], scopes: ['a:read'], status: 'active', ...TIMES, ...more };
}

export function teamRecord(id: string, more: Partial<TeamRecord> = {}): TeamRecord {
  return { id, members: [], ...TIMES, ...more };
}

export function roleRecord(id: string, more: Partial<RoleRecord> = {}): RoleRecord {
  return { id, inherits: [], scopes: ['a:read'], ...TIMES, ...more };
}

export function auditEvent(id: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return { id, time: time(), event: 'key.created', ...more };
}

export function putKey(put: StoredKey, expected = 0): Write {
  return { kind: 'key', put, expected };
}

/** Commits writes that must not conflict. */
export async function write(store: RecordStore, ...writes: readonly Write[]): Promise<void> {
  const conflict = await store.commit({ writes, events: [] });
  if (conflict) throw new Error(`unexpected conflict: ${JSON.stringify(conflict)}`);
}

/** The ids of all keys of a filter, page by page. */
export async function listedKeys(
  store: RecordStore,
  filter: Partial<KeyFilter> = {},
  limit = 200,
): Promise<readonly string[]> {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const page = await store.listKeys({ nowMs: NOW, ...filter }, { limit, after });
    ids.push(...page.items.map(({ record }) => record.id));
    after = page.next;
  } while (after !== undefined);
  return ids;
}
