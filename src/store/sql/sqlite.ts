import { CHANGE_POLL_MS, type Store, type StoreOptions, USE_TURNS } from '../store.ts';
import { assembleSqlStore } from './assemble.ts';
import { readCounter } from './batch-rows.ts';
import type { Ask } from './engine.ts';
import { catchUpQuietly, createGate } from './gate.ts';
import { openSql } from './sql.ts';
import { openForReading } from './sqlite-file.ts';
import { openLink } from './worker-link.ts';

/** The thread that works on a file. */
export const SQLITE_WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js',
  import.meta.url,
);
/** Small enough that handing a part to the worker holds up no check. */
const PART_SIZE = 500;
const USES = { least: 1000, turns: USE_TURNS };

/**
 * Opens a store in one file, for one server; a second process, such as the command line, may change it too. All
 * writing and listing is done by a worker thread; here the gate's look-ups are read. Rejects where the file cannot
 * be opened, is no store, or was written by a newer version.
 */
export async function openSqliteStore(path: string, options: StoreOptions): Promise<Store> {
  const link = await openLink(SQLITE_WORKER, path);
  const ask: Ask = link.ask;
  try {
    await ask('settleLog', []);
    const db = openForReading(path);
    const sql = openSql(db);
    const gate = createGate(sql);
    const poll = setInterval(() => catchUpQuietly(gate), CHANGE_POLL_MS).unref();
    const closeParts = async (): Promise<void> => {
      clearInterval(poll);
      if (db.isOpen) db.close();
      await link.close();
    };
    const readLasting = (counter: string) => readCounter(sql, counter);
    return assembleSqlStore(
      { ask, gate, readLasting, closeParts },
      { ...options, partSize: PART_SIZE, uses: USES },
    );
  } catch (cause) {
    await link.close();
    throw cause;
  }
}
