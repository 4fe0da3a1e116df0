import { DatabaseSync } from 'node:sqlite';
import type { Store, StoreOptions } from '../store.ts';
import { assembleSqlStore } from './assemble.ts';
import { type Ask, createEngine, runOp } from './engine.ts';
import { createGate } from './gate.ts';
import { migrate } from './migrations.ts';
import { openSql } from './sql.ts';

/** Events of refused decisions that are kept among the newest: memory is dearer than a disk. */
const TOLD_MAX = 100_000;
/** Rows written in one turn, after which checks come. */
const PART_SIZE = 100;
/** They are written between checks, and nothing is lost by waiting. */
const USES = { least: 100, turns: 60 };

/**
 * Opens a store in this process: nothing to install, and nothing outlives a restart. It is a database without a
 * file, because its content is no heap of objects that the garbage collector has to walk.
 */
export function openMemoryStore(options: StoreOptions): Store {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'memory');
  const engine = createEngine(db, { toldMax: TOLD_MAX });
  const gate = createGate(openSql(db));
  const ask: Ask = async (op, args) => {
    if (!db.isOpen) throw new Error('the store is closed');
    if (op === 'write') await new Promise(setImmediate);
    return runOp(engine, op, args);
  };
  return assembleSqlStore(
    { ask, gate, closeParts: async () => void (db.isOpen && db.close()) },
    { ...options, partSize: PART_SIZE, uses: USES },
  );
}
