/**
 * Fills a store file with keys, and writes their raw texts to another: node scripts/bench/fill.ts STORE COUNT RAW [mixed]
 * With `mixed`, some are disabled, revoked or expired. Indexes are made last, which is four times as fast.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { runCommit } from '../../src/store/sql/commit.ts';
import { openSql } from '../../src/store/sql/sql.ts';
import { openForWriting } from '../../src/store/sql/sqlite-file.ts';
import { benchKey, benchWrites } from './keys.ts';

const COMMIT_KEYS = 5000;

/** Drops what indexes there are; the answer makes them again. */
function dropIndexes(db: DatabaseSync): readonly string[] {
  const found = db
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    .all();
  for (const { name } of found) db.exec(`DROP INDEX ${name}`);
  return found.map(({ sql }) => String(sql));
}

const [path = '', count = '0', rawPath = '', mixed] = process.argv.slice(2);
const db = openForWriting(path);
db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000');
const indexes = dropIndexes(db);
const sql = openSql(db);
const rawFile = openSync(rawPath, 'w');
for (let from = 0; from < Number(count); from += COMMIT_KEYS) {
  const size = Math.min(COMMIT_KEYS, Number(count) - from);
  const raws = Array.from({ length: size }, (_, at) => benchKey(from + at));
  const writes = raws.flatMap((raw, at) => benchWrites(from + at, raw, mixed !== undefined));
  const conflict = runCommit(sql, { writes, events: [] }, Date.now());
  if (conflict) throw new Error(`a key is there already: ${JSON.stringify(conflict)}`);
  writeSync(rawFile, raws.join(''));
}
for (const text of indexes) db.exec(text);
db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
db.close();
closeSync(rawFile);
