import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const OWNER_ONLY = 0o600;

/**
 * Takes a file's lock, which one process of a machine can hold; the answer gives it back. It is a lock of the kernel
 * (an empty SQLite file under `BEGIN EXCLUSIVE`): it ends with its process however that ends, and knows no process ids,
 * which two containers may share. Throws where somebody has it.
 */
export function takeLock(path: string): () => void {
  closeSync(openSync(path, 'a', OWNER_ONLY));
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    const why = 'another Postern writes there: give each its own';
    throw new Error(`${path} is locked: ${why}`, { cause });
  }
  return () => {
    if (db.isOpen) db.close();
  };
}
