import { writeSync } from 'node:fs';
import type { StoredKey } from '../../../src/core/records.ts';
import { openSqliteStore } from '../../../src/store/sql/sqlite.ts';
import { NOW } from '../../core/build.ts';
import { putKey, storedKey, time, write } from '../build.ts';
import { group } from '../contract-limits.ts';

/**
 * A process that changes keys without end: each line on standard output is a change that was acknowledged. It is
 * made to be killed. Arguments: the file, and a name that no run before it had.
 */
const [path = '', run = ''] = process.argv.slice(2);
const store = await openSqliteStore(path, { maxSubjects: 1000 });
const STATUSES = ['active', 'disabled', 'active', 'revoked'] as const;

async function live(id: string): Promise<never> {
  for (let at = 0; ; at += 1) {
    const name = `${id}-${at}`;
    for (const [expected, status] of STATUSES.entries()) {
      const key: StoredKey = storedKey(name, { status, updated_at: time(expected) });
      await write(store, putKey(key, expected));
      tell({ id: name, version: expected + 1, status });
    }
  }
}

async function count(): Promise<never> {
  for (let taken = 1; ; taken += 1) {
    await store.takeLimits([group({ per_month: 1_000_000 }, run)], NOW);
    await store.flush();
    tell({ counter: run, taken });
  }
}

function tell(acknowledged: object): void {
  writeSync(1, `${JSON.stringify(acknowledged)}\n`);
}

await Promise.all([live(`${run}-a`), live(`${run}-b`), live(`${run}-c`), count()]);
