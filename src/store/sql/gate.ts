import type { KeyHash } from '../../core/api-key.ts';
import type { CustomRoles } from '../../core/custom-role.ts';
import type { Workspace } from '../../core/policy.ts';
import type { FoundKey, Owner } from '../../core/ports.ts';
import type { RecordName } from '../../core/record-store.ts';
import { createGateCache } from '../gate-cache.ts';
import { compiledKey, compiledWorkspace, ownerOf, rolesOf, userName } from '../gate-records.ts';
import { digestOf } from './commit-key.ts';
import { numberOf, readRecord, textOf } from './rows.ts';
import type { Sql } from './sql.ts';

/** What the gate looks up, through a cache. A throw means that the database failed, or that a record is broken. */
export type Gate = {
  readonly findKey: (hash: KeyHash) => FoundKey | undefined;
  readonly findWorkspace: (id: string) => Workspace | undefined;
  readonly findOwner: (name: RecordName) => Owner | undefined;
  readonly findRoles: (workspace: string | undefined) => CustomRoles | undefined;
  /** Drops from the cache what was committed since, by whatever process; all of it when that cannot be told. */
  readonly catchUp: () => void;
};

/** Compiled keys held in memory: some 40 MB, more where their lists are long. */
const CACHED_KEYS = 32_768;
const CACHED_OTHERS = 32_768;
/** From so many changes on it costs less to begin anew. */
const CHANGES_MAX = 5000;

/** Catches up; a failure has emptied the cache, so the next look-up asks the database, and tells. */
export function catchUpQuietly({ catchUp }: Pick<Gate, 'catchUp'>): void {
  try {
    catchUp();
  } catch {}
}

/** Makes the look-ups of a database that was migrated. */
export function createGate(sql: Sql): Gate {
  const caches = {
    key: createGateCache<FoundKey>({ max: CACHED_KEYS, keepsFirst: false }),
    workspace: createGateCache<Workspace>({ max: CACHED_OTHERS, keepsFirst: true }),
    user: createGateCache<Owner>({ max: CACHED_OTHERS, keepsFirst: false }),
    role: createGateCache<CustomRoles>({ max: CACHED_OTHERS, keepsFirst: true }),
  };
  const drop = (kind: string, name: string): void => {
    if (kind in caches) caches[kind as keyof typeof caches].drop(name);
  };
  const clear = () => {
    for (const cache of Object.values(caches)) cache.clear();
  };
  return {
    findKey: (hash) => caches.key.find(hash, () => readKey(sql, hash)),
    findWorkspace: (id) => caches.workspace.find(id, () => readWorkspace(sql, id)),
    findOwner: (name) => caches.user.find(userName(name), () => readOwner(sql, name)),
    findRoles: (workspace = '') => caches.role.find(workspace, () => readRoles(sql, workspace)),
    catchUp: follower(sql, { drop, clear }),
  };
}

/** Follows the table of changes from where it ends now. */
function follower(
  sql: Sql,
  cache: {
    readonly drop: (kind: string, name: string) => void;
    readonly clear: () => void;
  },
): () => void {
  let seen = lastChange(sql);
  const follow = (): void => {
    const changes = sql.all(
      'SELECT seq, kind, name FROM change WHERE seq > ? ORDER BY seq LIMIT ?',
      [seen, CHANGES_MAX],
    );
    const first = changes[0];
    if (!first) return;
    if (changes.length === CHANGES_MAX || numberOf(first, 'seq') !== seen + 1) {
      seen = lastChange(sql);
      cache.clear();
      return;
    }
    for (const change of changes) cache.drop(textOf(change, 'kind'), textOf(change, 'name'));
    seen += changes.length;
  };
  return () => {
    try {
      follow();
    } catch (cause) {
      cache.clear();
      throw cause;
    }
  };
}

function lastChange(sql: Sql): number {
  const row = sql.get('SELECT coalesce(max(seq), 0) AS seq FROM change');
  return row ? numberOf(row, 'seq') : 0;
}

function readKey(sql: Sql, hash: KeyHash): FoundKey | undefined {
  const row = sql.get(
    `SELECT k.id, k.record, s.until_ms FROM secret s JOIN key k ON k.row = s.key_row
     WHERE s.hash = ?`,
    [digestOf(hash)],
  );
  if (!row) return undefined;
  const until = row['until_ms'] === null ? undefined : numberOf(row, 'until_ms');
  return { key: compiledKey(readRecord('key', row)), until };
}

function readWorkspace(sql: Sql, id: string): Workspace | undefined {
  const row = sql.get(
    "SELECT id, record FROM record WHERE kind = 'workspace' AND workspace = ? AND id = ?",
    [id, id],
  );
  return row && compiledWorkspace(readRecord('workspace', row));
}

function readOwner(sql: Sql, { workspace = '', id }: RecordName): Owner | undefined {
  const row = sql.get(
    "SELECT id, record FROM record WHERE kind = 'user' AND workspace = ? AND id = ?",
    [workspace, id],
  );
  return row && ownerOf(readRecord('user', row));
}

function readRoles(sql: Sql, workspace: string): CustomRoles | undefined {
  const rows = sql.all(
    "SELECT id, record FROM record WHERE kind = 'role' AND workspace = ? ORDER BY id",
    [workspace],
  );
  return rolesOf(rows.map((row) => readRecord('role', row)));
}
