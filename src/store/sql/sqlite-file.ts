import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checkVersion, migrate } from './migrations.ts';

/** How long a writer waits for another process on the same file. */
const WRITE_WAIT_MS = 5000;
/** A check waits no longer than this: then it is refused as unavailable. */
const READ_WAIT_MS = 50;
const OWNER_ONLY = 0o600;
const WRITE_CACHE_KIB = 8192;
const READ_CACHE_KIB = 4096;
/** What is left of the write-ahead log after a checkpoint. */
const LOG_BYTES = 16 * 1024 * 1024;

/**
 * Opens a file for writing and brings it to the newest version; makes it, readable by its owner alone, when there
 * is none. What is committed is on the disk before the next statement. Throws where the file is no store of ours.
 */
export function openForWriting(path: string): DatabaseSync {
  closeSync(openSync(path, 'a', OWNER_ONLY));
  const db = new DatabaseSync(path, { timeout: WRITE_WAIT_MS });
  try {
    // Before anything is written: another program's file stays as it is.
    checkVersion(db, path);
    db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${LOG_BYTES}`,
    );
    limitMemory(db, WRITE_CACHE_KIB);
    migrate(db, path);
    return db;
  } catch (cause) {
    db.close();
    throw cause;
  }
}

/** Opens a file that a writer has opened before, for look-ups only. */
export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: READ_WAIT_MS });
  limitMemory(db, READ_CACHE_KIB);
  return db;
}

function limitMemory(db: DatabaseSync, cacheKib: number): void {
  db.exec(`PRAGMA cache_size = -${cacheKib}; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF`);
}
