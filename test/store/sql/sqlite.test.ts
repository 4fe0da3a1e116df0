import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../src/store/sql/sqlite.ts';
import { CHANGE_POLL_MS, type Store, type StoreOptions } from '../../../src/store/store.ts';
import { NOW } from '../../core/build.ts';
import {
  auditEvent,
  DAY_MS,
  hashOf,
  listedKeys,
  putKey,
  roleRecord,
  storedKey,
  time,
  write,
} from '../build.ts';
import { countingStoreContract } from '../contract.ts';
import { group } from '../contract-limits.ts';

const directory = mkdtempSync(join(tmpdir(), 'postern-store-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function newPath(): string {
  files += 1;
  return join(directory, `${files}.db`);
}

function open(path: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openSqliteStore(path, { maxSubjects: 1000, ...options });
}

countingStoreContract('sqlite', (options) => open(newPath(), options));

const opened: Store[] = [];
const openHere = async (path = newPath(), options?: Partial<StoreOptions>) => {
  const store = await open(path, options);
  opened.push(store);
  return store;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

describe('a file', () => {
  test('keeps everything for the next process', async () => {
    const path = newPath();
    const first = await open(path);
    await write(first, putKey(storedKey('k')), { kind: 'role', put: roleRecord('r'), expected: 0 });
    const answer = { id: 'a', bodyDigest: 'd', sealed: new Uint8Array(2), expiresAtMs: NOW + 1 };
    const notice = { keyId: 'k', notice: 'n', mark: '' };
    await first.commit({ writes: [], events: [auditEvent('e')], answer, notice });
    await first.putSetting('s', 'v');
    first.recordUse({ keyId: 'k', nowMs: NOW });
    first.recordEvent(auditEvent('told'));
    await first.close();
    const second = await openHere(path, { now: () => NOW });
    const found = await second.findKey(hashOf('k'));
    expect(found?.key.id).toBe('k');
    expect(await second.findRoles(undefined)).toHaveProperty('size', 1);
    expect(await second.getKey('k')).toMatchObject({ version: 1, lastUsedAtMs: NOW });
    expect(await second.usageOf('k', 0)).toHaveLength(1);
    expect((await second.listEvents({}, { limit: 9 })).items).toHaveLength(2);
    expect(await second.getSetting('s')).toBe('v');
    expect(await second.commit({ writes: [], events: [], answer })).toMatchObject({
      conflict: 'answer',
    });
    expect(await second.commit({ writes: [], events: [], notice })).toMatchObject({
      conflict: 'notice',
    });
  });

  test('is readable by its owner alone', async () => {
    const path = newPath();
    await openHere(path);
    for (const end of ['', '-wal', '-shm']) expect(statSync(path + end).mode & 0o077).toBe(0);
  });

  test('of a newer version is refused, and stays as it is', async () => {
    const path = newPath();
    await (await open(path)).close();
    edit(path, 'PRAGMA user_version = 99');
    await expect(open(path)).rejects.toThrow(
      /newer version \(its schema is 99, this one knows \d+\)/,
    );
    expect(look(path, 'PRAGMA user_version')).toEqual({ user_version: 99 });
  });

  test('of another program is refused, and stays as it is', async () => {
    const path = newPath();
    edit(path, 'CREATE TABLE theirs (a)');
    await expect(open(path)).rejects.toThrow('another program');
    expect(look(path, 'SELECT count(*) AS count FROM sqlite_schema')).toEqual({ count: 1 });
    expect(look(path, 'PRAGMA journal_mode')).toEqual({ journal_mode: 'delete' });
  });

  test('that is no database, or in no folder, is refused', async () => {
    await expect(open(join(directory, 'nowhere', 'x.db'))).rejects.toThrow('ENOENT');
    const text = newPath();
    writeFileSync(text, 'no database '.repeat(100));
    await expect(open(text)).rejects.toThrow('not a database');
  });
});

/** Runs a statement on a file as another process would. */
function edit(path: string, statement: string): void {
  const db = new DatabaseSync(path);
  db.exec(statement);
  db.close();
}

function look(path: string, query: string) {
  const db = new DatabaseSync(path, { readOnly: true });
  const row = db.prepare(query).get();
  db.close();
  return row && { ...row };
}

describe('counters', () => {
  const day = (counter = 'c') => group({ per_day: 10 }, counter);
  const remaining = async (store: Store, limit = day(), nowMs = NOW) =>
    (await store.readLimits([limit], nowMs)).map((usage) => usage.remaining);

  test('of days, months and quotas outlive a restart; those of minutes and buckets need not', async () => {
    const path = newPath();
    const all = group({
      per_minute: 9,
      per_day: 10,
      per_month: 20,
      burst: 9,
      quota: { requests: 30, per: 'month' },
    });
    const first = await open(path);
    for (let at = 0; at < 3; at += 1) await first.takeLimits([all], NOW);
    await first.close();
    const second = await openHere(path);
    expect(await remaining(second, all)).toEqual([9, 7, 17, 27, 9]);
    await second.takeLimits([all], NOW);
    expect(await remaining(second, all)).toEqual([8, 6, 16, 26, 8]);
    expect(await remaining(second, all, NOW + DAY_MS)).toEqual([9, 10, 16, 26, 9]);
  });

  test('are logged first, and the log is empty once each has its row', async () => {
    const path = newPath();
    const store = await openHere(path);
    await store.takeLimits([day('a'), day('b')], NOW);
    await store.flush();
    expect(look(path, 'SELECT count(*) AS rows FROM counter')).toEqual({ rows: 2 });
    expect(look(path, 'SELECT count(*) AS rows FROM counter_log')).toEqual({ rows: 0 });
  });

  test('that a process left in the log count in the next one, the newest of each', async () => {
    const path = newPath();
    const first = await open(path);
    await first.takeLimits([day('a')], NOW);
    await first.close();
    const { slot, start_ms: startMs } = look(path, 'SELECT slot, start_ms FROM counter') ?? {};
    const left = (name: string, count: number, at = startMs) => [name, slot, at, count];
    const lists = [
      [left('a', 4), left('b', 2)],
      [left('b', 3), left('old', 9, Number(startMs) - DAY_MS)],
    ];
    for (const list of lists) {
      edit(path, `INSERT INTO counter_log (counters) VALUES ('${JSON.stringify(list)}')`);
    }
    const second = await openHere(path);
    expect(await remaining(second, day('a'))).toEqual([6]);
    expect(await remaining(second, day('b'))).toEqual([7]);
    expect(await remaining(second, day('old'))).toEqual([10]);
    expect(look(path, 'SELECT count(*) AS rows FROM counter_log')).toEqual({ rows: 0 });
  });

  test('in a row that is newer than the log stay as they are', async () => {
    const path = newPath();
    const first = await open(path);
    for (let at = 0; at < 5; at += 1) await first.takeLimits([day('a')], NOW);
    await first.close();
    const { slot, start_ms: startMs } = look(path, 'SELECT slot, start_ms FROM counter') ?? {};
    const stale = JSON.stringify([['a', slot, startMs, 2]]);
    edit(path, `INSERT INTO counter_log (counters) VALUES ('${stale}')`);
    expect(await remaining(await openHere(path), day('a'))).toEqual([5]);
  });

  test('that were settled are written as they were settled', async () => {
    const path = newPath();
    const first = await open(path);
    const five = group({ per_day: 10 }, 'c', 5);
    const { receipt } = await first.takeLimits([five], NOW);
    if (!receipt) throw new Error('it was refused');
    await first.flush();
    await first.settleLimits(receipt, 1);
    await first.close();
    expect(await remaining(await openHere(path))).toEqual([9]);
  });

  test('of a subject that was forgotten are found again, written or not', async () => {
    const store = await openHere(newPath(), { maxSubjects: 1 });
    await store.takeLimits([day('a')], NOW);
    await store.takeLimits([day('b')], NOW);
    expect(store.counts()).toMatchObject({ subjects: 1, forgotten: 1 });
    expect(await remaining(store, day('b'))).toEqual([9]);
    await store.flush();
    await store.takeLimits([day('a')], NOW);
    expect([await remaining(store, day('a')), await remaining(store, day('b'))]).toEqual([
      [8],
      [9],
    ]);
  });

  test('of a day that a plan gains later are those of the day', async () => {
    const path = newPath();
    const first = await open(path);
    await first.takeLimits([day()], NOW);
    await first.close();
    const second = await openHere(path);
    await second.takeLimits([group({ per_minute: 5 })], NOW);
    expect(await remaining(second)).toEqual([9]);
  });

  test('that ended are forgotten in the file', async () => {
    const path = newPath();
    const store = await openHere(path);
    await store.takeLimits([group({ per_day: 5, per_month: 5 })], NOW);
    await store.flush();
    const count = () => look(path, 'SELECT count(*) AS count FROM counter')?.['count'];
    const prune = (nowMs: number) => store.prune({ eventsMs: 0, usageMs: 0, nowMs });
    await prune(NOW + DAY_MS);
    expect(count()).toBe(2);
    await prune(NOW + 2 * DAY_MS);
    expect(count()).toBe(1);
    await prune(NOW + 62 * DAY_MS);
    expect(count()).toBe(0);
  });
});

describe('another process on the same file', () => {
  test('revokes a key: it is revoked here too, within a second', async () => {
    const path = newPath();
    const here = await openHere(path);
    const there = await openHere(path);
    await write(here, putKey(storedKey('k')));
    const status = async () => (await here.findKey(hashOf('k')))?.key.status;
    for (let at = 0; at < 3; at += 1) expect(await status()).toBe('active');
    await write(there, putKey(storedKey('k', { status: 'revoked' }), 1));
    await vi.waitFor(async () => expect(await status()).toBe('revoked'), {
      timeout: 1000,
      interval: CHANGE_POLL_MS / 10,
    });
  });

  test('changes so much that one cannot follow: nothing stale is left', async () => {
    const path = newPath();
    const here = await openHere(path);
    await write(here, putKey(storedKey('k')));
    for (let at = 0; at < 3; at += 1) expect(await here.findKey(hashOf('k'))).toBeDefined();
    edit(
      path,
      `DELETE FROM secret; DELETE FROM change;
       INSERT INTO change (seq, kind, name) VALUES (1000000, 'workspace', 'any')`,
    );
    await vi.waitFor(async () => expect(await here.findKey(hashOf('k'))).toBeUndefined(), 1000);
  });

  test('writes at the same time: nothing is lost', async () => {
    const path = newPath();
    const [here, there] = [await openHere(path), await openHere(path)];
    const puts = (store: Store, name: string) =>
      Array.from({ length: 50 }, (_, at) => write(store, putKey(storedKey(`${name}${at}`))));
    await Promise.all([...puts(here, 'a'), ...puts(there, 'b')]);
    expect(await listedKeys(here)).toHaveLength(100);
  });
});

describe('what is broken', () => {
  test('in a record is named, and everything else works on', async () => {
    const path = newPath();
    const store = await openHere(path);
    await write(
      store,
      putKey(storedKey('sound')),
      putKey(storedKey('no-json')),
      putKey(storedKey('no-address', { allowed_ips: ['::1'] })),
      putKey(storedKey('another')),
      putKey(storedKey('list')),
    );
    edit(
      path,
      `UPDATE key SET record = substr(record, 3) WHERE id = 'no-json';
       UPDATE key SET record = replace(record, '::1', '1/8') WHERE id = 'no-address';
       UPDATE key SET record = '{"id":"sound"}' WHERE id = 'another';
       UPDATE key SET record = '[]' WHERE id = 'list'`,
    );
    for (const id of ['no-json', 'no-address', 'another', 'list']) {
      expect(() => store.findKey(hashOf(id))).toThrow(`key ${id} in the store is broken`);
    }
    for (const id of ['no-json', 'another', 'list']) {
      const failed = store.getKey(id).then(String, (error: Error) => String(error.cause));
      expect(await failed).toContain(`key ${id} in the store is broken`);
    }
    expect((await store.findKey(hashOf('sound')))?.key.id).toBe('sound');
    expect(await store.getKey('sound')).toMatchObject({ version: 1 });
  });

  test('in the writing of a change rejects it with its cause, and the next one is tried again', async () => {
    const path = newPath();
    const failures: unknown[] = [];
    const store = await openHere(path, { onFailure: (cause) => failures.push(cause) });
    await write(store, putKey(storedKey('k')));
    edit(
      path,
      `CREATE TRIGGER full BEFORE INSERT ON key BEGIN SELECT raise(ABORT, 'no room'); END;
       CREATE TRIGGER full_usage BEFORE INSERT ON usage BEGIN SELECT raise(ABORT, 'no room'); END`,
    );
    const failed = write(store, putKey(storedKey('l'))).catch((error: Error) => error);
    expect(await failed).toMatchObject({
      message: 'the store failed: commit',
      cause: { message: 'no room' },
    });
    store.recordUse({ keyId: 'k', nowMs: NOW });
    await expect(store.flush()).rejects.toThrow('the store failed: write');
    expect(store.counts()).toMatchObject({ failures: 1, dropped: 0 });
    expect((await store.findKey(hashOf('k')))?.key.id).toBe('k');
    edit(path, 'DROP TRIGGER full; DROP TRIGGER full_usage');
    await write(store, putKey(storedKey('l')));
    await store.flush();
    expect(await store.usageOf('k', 0), 'and no use was lost').toMatchObject([{ requests: 1 }]);
  });
});

test('no part of a raw key is in the file', async () => {
  const path = newPath();
  const store = await open(path);
  const raw = 'secret of k';
  await write(store, putKey(storedKey('k', { expires_at: time(1) })));
  await store.close();
  const db = new DatabaseSync(path, { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const content = tables.map(({ name }) =>
    JSON.stringify(db.prepare(`SELECT * FROM ${name}`).all()),
  );
  db.close();
  expect(content.join()).toContain('pst_ab');
  expect(content.join()).not.toContain(raw);
});
