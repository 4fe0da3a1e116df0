import type { DatabaseSync } from 'node:sqlite';

/** Marks a file as one of ours (`Post`), so that no other program's file is written into. */
const APPLICATION_ID = 0x506f7374;

/**
 * Each step once, in order; a step that was released is never changed. `row` numbers keys and events in the order
 * of their coming, and stands last in every index, so that lists are read in their order without sorting.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE key (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    workspace TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT,
    environment TEXT,
    status TEXT NOT NULL,
    prefix TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    rotated_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX key_workspace ON key (workspace);
  CREATE INDEX key_workspace_status ON key (workspace, status, row, expires_ms);
  CREATE INDEX key_workspace_kind ON key (workspace, kind);
  CREATE INDEX key_workspace_environment ON key (workspace, environment);
  CREATE INDEX key_status ON key (status, row, expires_ms);
  CREATE INDEX key_kind ON key (kind);
  CREATE INDEX key_environment ON key (environment);
  CREATE INDEX key_owner ON key (owner);
  CREATE INDEX key_prefix ON key (prefix);
  CREATE INDEX key_shown ON key (prefix, key_prefix);
  CREATE INDEX key_expires ON key (expires_ms) WHERE status = 'active';
  CREATE INDEX key_created ON key (created_ms) WHERE status = 'active';
  CREATE INDEX key_rotated ON key (rotated_ms) WHERE status = 'active';

  CREATE TABLE secret (
    hash BLOB PRIMARY KEY,
    key_row INTEGER NOT NULL,
    until_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  -- Beside the keys, because it changes with every use. seen_ms: the last use, else the creation.
  CREATE TABLE key_use (
    row INTEGER PRIMARY KEY,
    used INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    seen_hour INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX key_seen ON key_use (seen_hour);

  CREATE TABLE usage (
    key_id TEXT NOT NULL,
    hour INTEGER NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (key_id, hour, reason)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX usage_hour ON usage (hour);

  CREATE TABLE notice (
    key_row INTEGER NOT NULL,
    notice TEXT NOT NULL,
    mark TEXT NOT NULL,
    PRIMARY KEY (key_row, notice, mark)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE record (
    kind TEXT NOT NULL,
    workspace TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    slug TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (kind, workspace, id)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX record_slug ON record (slug) WHERE slug IS NOT NULL;

  CREATE TABLE event (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    workspace TEXT NOT NULL,
    object TEXT,
    actor TEXT,
    reason TEXT,
    is_told INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX event_time ON event (time_ms);
  CREATE INDEX event_event ON event (event, time_ms);
  CREATE INDEX event_object ON event (object, time_ms);
  CREATE INDEX event_actor ON event (actor, time_ms);
  CREATE INDEX event_reason ON event (reason, time_ms);
  CREATE INDEX event_workspace ON event (workspace, time_ms);
  CREATE INDEX event_workspace_event ON event (workspace, event, time_ms);
  CREATE INDEX event_workspace_reason ON event (workspace, reason, time_ms);
  CREATE INDEX event_told ON event (row) WHERE is_told = 1;

  CREATE TABLE answer (
    id TEXT PRIMARY KEY,
    body_digest TEXT NOT NULL,
    sealed BLOB NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX answer_expires ON answer (expires_ms);

  CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE counter (
    name TEXT NOT NULL,
    slot INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (name, slot)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX counter_start ON counter (slot, start_ms);

  -- Counters as they changed, appended; each row is a list of them, as JSON.
  CREATE TABLE counter_log (
    seq INTEGER PRIMARY KEY,
    counters TEXT NOT NULL
  ) STRICT;

  -- What changed for the gate, in order, so that every process drops it from its cache.
  CREATE TABLE change (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL
  ) STRICT;
  `,
];

/** Throws when a database was written by a newer version or by another program; `path` is for the message. */
export function checkVersion(db: DatabaseSync, path: string): number {
  const id = readPragma(db, 'application_id');
  const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() ?? {};
  if (id !== APPLICATION_ID && (id !== 0 || tables !== 0)) {
    throw new Error(`${path} is a database of another program`);
  }
  const version = readPragma(db, 'user_version');
  if (version <= MIGRATIONS.length) return version;
  throw new Error(
    `${path} was written by a newer version (its schema is ${version}, this one knows ${MIGRATIONS.length})`,
  );
}

/** Brings a database to the newest version, each step in a transaction of its own. Throws as `checkVersion` does. */
export function migrate(db: DatabaseSync, path: string): void {
  const version = checkVersion(db, path);
  for (let step = version; step < MIGRATIONS.length; step += 1) runStep(db, path, step);
}

function runStep(db: DatabaseSync, path: string, step: number): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have done it while this one waited for the lock.
    if (checkVersion(db, path) === step) {
      db.exec(MIGRATIONS[step] ?? '');
      db.exec(`PRAGMA user_version = ${step + 1}; PRAGMA application_id = ${APPLICATION_ID}`);
    }
    db.exec('COMMIT');
  } catch (cause) {
    db.exec('ROLLBACK');
    throw cause;
  }
}

function readPragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
