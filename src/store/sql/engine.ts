import type { DatabaseSync } from 'node:sqlite';
import type { RecordStore } from '../../core/record-store.ts';
import {
  logCounters,
  type RowBatch,
  settleLog,
  trimLog,
  usageOf,
  writeBatch,
} from './batch-rows.ts';
import { runCommit } from './commit.ts';
import { dumpPart } from './copy-dump.ts';
import { beginCopy, finishCopy, isUnfinished, restoreItems } from './copy-restore.ts';
import { tally } from './copy-tally.ts';
import { listEvents } from './event-list.ts';
import { listKeys } from './key-list.ts';
import { existing, getKey, getKeyByHash, keysDue } from './key-read.ts';
import { prune } from './prune.ts';
import { findAnswer, getRecord, getSetting, listRecords, putSetting } from './record-list.ts';
import { openSql } from './sql.ts';

/** Events that no change caused and that are kept in a database, among the newest of all. */
export type EngineOptions = { readonly toldMax: number };

/** Everything that is asked of a database, by name; a generator works in slices, between which others come. */
export type Engine = ReturnType<typeof createEngine>;
export type EngineOp = keyof Engine;

/** Makes the operations of a database that was migrated. */
export function createEngine(db: DatabaseSync, { toldMax }: EngineOptions) {
  const sql = openSql(db);
  const bind =
    <A extends readonly unknown[], T>(work: (on: typeof sql, ...args: A) => T) =>
    (...args: A): T =>
      work(sql, ...args);
  return {
    get: bind(getRecord),
    getKey: bind(getKey),
    getKeyByHash: bind(getKeyByHash),
    listKeys: bind(listKeys),
    list: bind(listRecords),
    commit: bind(runCommit),
    findAnswer: bind(findAnswer),
    listEvents: bind(listEvents),
    usageOf: bind(usageOf),
    keysDue: bind(keysDue),
    getSetting: bind(getSetting),
    putSetting: bind(putSetting),
    prune: bind(prune),
    existing: bind(existing),
    write: (batch: RowBatch) => writeBatch(sql, batch, toldMax),
    logCounters: bind(logCounters),
    trimLog: bind(trimLog),
    settleLog: bind(settleLog),
    tally: bind(tally),
    dumpPart: bind(dumpPart),
    restoreItems: bind(restoreItems),
    isUnfinished: bind(isUnfinished),
    beginCopy: bind(beginCopy),
    finishCopy: bind(finishCopy),
  };
}

/** Asks a database somewhere: in this thread or in another. Rejects when it fails. */
export type Ask = (op: EngineOp, args: readonly unknown[]) => Promise<unknown>;

/** Runs one operation to its end. What is asked is what `Engine` takes: both ends are of the same program. */
export async function runOp(
  engine: Engine,
  op: EngineOp,
  args: readonly unknown[],
): Promise<unknown> {
  const work = engine[op] as (...args: readonly unknown[]) => unknown;
  const result = work(...args);
  return isSliced(result) ? finish(result) : result;
}

function isSliced(result: unknown): result is Generator<void, unknown> {
  return (
    typeof result === 'object' && result !== null && Symbol.iterator in result && 'next' in result
  );
}

async function finish(slices: Generator<void, unknown>): Promise<unknown> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    await new Promise(setImmediate);
  }
}

/** The part of the record store that is asked of a database as it is. */
export function askRecords(
  ask: Ask,
): Pick<
  RecordStore,
  | 'get'
  | 'getKey'
  | 'getKeyByHash'
  | 'listKeys'
  | 'list'
  | 'findAnswer'
  | 'listEvents'
  | 'usageOf'
  | 'keysDue'
  | 'getSetting'
  | 'putSetting'
  | 'prune'
  | 'existing'
> {
  const to =
    <A extends readonly unknown[], T>(op: EngineOp) =>
    (...args: A) =>
      ask(op, args) as Promise<T>;
  return {
    get: to('get'),
    getKey: to('getKey'),
    getKeyByHash: to('getKeyByHash'),
    listKeys: to('listKeys'),
    list: to('list'),
    findAnswer: to('findAnswer'),
    listEvents: to('listEvents'),
    usageOf: to('usageOf'),
    keysDue: to('keysDue'),
    getSetting: to('getSetting'),
    putSetting: to('putSetting'),
    prune: to('prune'),
    existing: to('existing'),
  };
}
