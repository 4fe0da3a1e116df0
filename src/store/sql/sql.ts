import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';

export type Row = Readonly<Record<string, SQLOutputValue>>;
export type Params = readonly SQLInputValue[];

/** A connection whose statements are prepared once; their texts are constants of this program, never made of values. */
export type Sql = {
  readonly all: (text: string, params?: Params) => readonly Row[];
  readonly get: (text: string, params?: Params) => Row | undefined;
  /** Answers how many rows it changed. */
  readonly run: (text: string, params?: Params) => number;
  /** Runs a work in a transaction of its own. When it throws or its result is not to be kept, nothing of it happened. */
  readonly transaction: <T>(work: () => T, isKept?: (result: T) => boolean) => T;
};

/** Makes the helpers of a connection. */
export function openSql(db: DatabaseSync): Sql {
  const prepared = new Map<string, StatementSync>();
  const statement = (text: string): StatementSync => {
    const known = prepared.get(text) ?? db.prepare(text);
    prepared.set(text, known);
    return known;
  };
  return {
    all: (text, params = []) => statement(text).all(...params),
    get: (text, params = []) => statement(text).get(...params),
    run: (text, params = []) => Number(statement(text).run(...params).changes),
    transaction(work, isKept = () => true) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        db.exec(isKept(result) ? 'COMMIT' : 'ROLLBACK');
        return result;
      } catch (cause) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw cause;
      }
    },
  };
}

/** A part of a query with its values, in the order of its question marks. */
export type Condition = { readonly text: string; readonly params: Params };

/** Conditions that must all hold, as one. */
export function allOf(conditions: readonly Condition[]): Condition {
  return {
    text: conditions.map(({ text }) => text).join(' AND '),
    params: conditions.flatMap(({ params }) => params),
  };
}
