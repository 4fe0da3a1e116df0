/**
 * Measures a store file of 1,000,000 keys: opening, memory, look-ups, and one page of every filter.
 * Run it alone on a quiet machine: node scripts/measure-store.ts [keys] [file to keep]
 * The file is filled by a process of its own, so that the memory told of is that of a server that opens it.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyFilter } from '../src/core/record-store.ts';
import { HOUR_MS } from '../src/store/batch.ts';
import { writeBatch } from '../src/store/sql/batch-rows.ts';
import { writeKey } from '../src/store/sql/commit-key.ts';
import { openSql } from '../src/store/sql/sql.ts';
import { openSqliteStore } from '../src/store/sql/sqlite.ts';
import { openForWriting } from '../src/store/sql/sqlite-file.ts';
import type { Store } from '../src/store/store.ts';
import { DAY_MS, FILTERS, hashAt, keyAt, NOW } from './lib/measured-keys.ts';

const KEYS = Number(process.argv[2] ?? 1_000_000);
const AT_ONCE = 10_000;
const PAGE = 200;

/** Fills a file without waiting for the disk, half of the keys with a use. */
function fill(path: string): void {
  const db = openForWriting(path);
  db.exec('PRAGMA synchronous = OFF');
  const sql = openSql(db);
  for (let from = 0; from < KEYS; from += AT_ONCE) {
    const keys = Array.from({ length: Math.min(AT_ONCE, KEYS - from) }, (_, at) =>
      keyAt(from + at, KEYS),
    );
    sql.transaction(() => {
      for (const key of keys) writeKey(sql, { key, row: undefined, version: 1, change: () => {} });
    });
    const uses = keys
      .filter((_, at) => at % 2 === 0)
      .map(({ id }, at) => {
        const lastMs = NOW - ((at * 7919) % (90 * DAY_MS));
        return {
          keyId: id,
          lastMs,
          counts: [{ hour: Math.floor(lastMs / HOUR_MS), reason: '', count: 1 }],
        };
      });
    writeBatch(sql, { uses, events: [], counters: [] }, 1000);
  }
  db.close();
}

/** Look-ups in a second, of keys met at random, in the time of this thread. */
async function lookUp(store: Store, name: string, choose: () => number): Promise<void> {
  const count = 50_000;
  const hashes = Array.from({ length: count }, () => hashAt(choose()));
  const startedMs = performance.now();
  for (const hash of hashes) {
    if ((await store.findKey(hash)) === undefined) throw new Error('a key is missing');
  }
  const tookMs = performance.now() - startedMs;
  print(`look-ups, ${name}`, `${Math.round((count / tookMs) * 1000)}/s`);
}

/** The longest of the first pages of a filter, cold and warm. */
async function list(store: Store, filter: Omit<KeyFilter, 'nowMs'>): Promise<void> {
  const tooksMs: number[] = [];
  let items = 0;
  let after: string | undefined;
  for (let page = 0; page < 5; page += 1) {
    const startedMs = performance.now();
    const answer = await store.listKeys({ ...filter, nowMs: NOW }, { limit: PAGE, after });
    tooksMs.push(performance.now() - startedMs);
    items += answer.items.length;
    after = answer.next;
    if (after === undefined) break;
  }
  const [first = 0] = tooksMs;
  print(
    `page of ${JSON.stringify(filter)}`,
    `first ${first.toFixed(1)} ms, longest ${Math.max(...tooksMs).toFixed(1)} ms, ${items} keys`,
  );
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(60)} ${figure}`);
}

function printMemory(when: string): void {
  print(`memory ${when}`, `${Math.round(process.memoryUsage.rss() / 1e6)} MB`);
}

async function measure(path: string): Promise<void> {
  print('file', `${Math.round(statSync(path).size / 1e6)} MB`);
  const startedMs = performance.now();
  const store = await openSqliteStore(path, { maxSubjects: 1_000_000, now: () => NOW });
  print('open', `${(performance.now() - startedMs).toFixed(0)} ms`);
  printMemory('after opening');
  const anyKey = () => Math.floor(Math.random() * KEYS);
  await lookUp(store, 'any key, cold', anyKey);
  await lookUp(store, 'any key, again', anyKey);
  await lookUp(store, '1,000 keys, cached', () => Math.floor(Math.random() * 1000));
  printMemory('after the look-ups');
  for (const filter of FILTERS) await list(store, filter);
  printMemory('after the lists');
  await store.close();
}

async function fillAside(path: string): Promise<void> {
  const startedMs = performance.now();
  const child = fork(import.meta.filename, [String(KEYS), path, 'fill']);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error('the file could not be filled');
  print(`filled with ${KEYS} keys`, `${Math.round((performance.now() - startedMs) / 1000)} s`);
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-measure-'));
  try {
    const path = process.argv[3] ?? join(directory, 'store.db');
    if (!existsSync(path)) await fillAside(path);
    await measure(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (process.argv[4] === 'fill') fill(process.argv[3] ?? '');
else await main();
