import { suggest } from '../config/nearest.ts';

import { readCsv } from './csv.ts';
import { type Field, readValue } from './field.ts';
import { KEYS } from './key-resource.ts';
import { type NumberedLine, readLines } from './lines.ts';
import { isShown, type Shown } from './table.ts';
import { UsageError } from './usage.ts';

/** One key of a file to import: the body of its request, or what is wrong with its line. */
export type KeyLine =
  | { readonly line: number; readonly body: Shown }
  | { readonly line: number; readonly problem: string };

export type KeyFormat = 'csv' | 'jsonl';

const HASH: Field = { option: 'hash', field: 'hash', form: 'text', help: '' };
const KEY_PREFIX: Field = { option: 'key_prefix', field: 'key_prefix', form: 'text', help: '' };
/** A flag is written `true` or `false` in a cell. Ends are times: a duration would depend on the day. */
const COLUMNS = [...KEYS.fields.filter(({ form }) => form !== 'in'), HASH, KEY_PREFIX];
const COLUMN_NAMES = COLUMNS.map(({ field }) => field);
const BARE_HASH = /^[0-9a-f]{64}$/i;

/** Reads the keys of a file, a line at a time. Throws where the heading of a CSV names no columns. */
export function readKeyFile(
  pieces: AsyncIterable<string>,
  format: KeyFormat,
): AsyncGenerator<KeyLine, void, undefined> {
  const lines = readLines(pieces);
  return format === 'csv' ? readTable(lines) : readObjects(lines);
}

async function* readObjects(
  lines: AsyncIterable<NumberedLine>,
): AsyncGenerator<KeyLine, void, undefined> {
  for await (const { line, text, isCut } of lines) {
    if (isCut) yield { line, problem: 'longer than 1 MiB' };
    else if (text.trim() !== '') yield readObject(line, text);
  }
}

function readObject(line: number, text: string): KeyLine {
  try {
    const parsed: unknown = JSON.parse(text);
    return isShown(parsed) ? judge(line, parsed) : { line, problem: 'expected a JSON object' };
  } catch {
    return { line, problem: 'expected a JSON object on one line' };
  }
}

async function* readTable(
  lines: AsyncIterable<NumberedLine>,
): AsyncGenerator<KeyLine, void, undefined> {
  let columns: readonly Field[] | undefined;
  for await (const record of readCsv(lines)) {
    if ('problem' in record) yield record;
    else if (columns === undefined) columns = readHeading(record.cells);
    else yield readRow(record, columns);
  }
}

function readHeading(cells: readonly string[]): readonly Field[] {
  const columns = cells.map((cell) => {
    const name = cell.trim().toLowerCase().replaceAll('-', '_');
    if (name === 'key') throw new UsageError(`the heading: ${NO_RAW_KEYS}`);
    const field = COLUMNS.find((one) => one.field === name || one.option === name);
    if (field) return field;
    const hint = suggest(name, COLUMN_NAMES);
    throw new UsageError(
      `the first line names the columns; one is unknown${hint}\nknown: ${COLUMN_NAMES.join(', ')}`,
    );
  });
  const names = columns.map(({ field }) => field);
  if (new Set(names).size < names.length) throw new UsageError('a column is named twice');
  if (!names.includes('hash')) throw new UsageError('the first line names no column "hash"');
  return columns;
}

function readRow(
  { line, cells }: { readonly line: number; readonly cells: readonly string[] },
  columns: readonly Field[],
): KeyLine {
  if (cells.length !== columns.length) {
    return { line, problem: `${cells.length} cells under ${columns.length} columns` };
  }
  const body: { [field: string]: unknown } = {};
  for (const [at, column] of columns.entries()) {
    // No prefix is a prefix, so an empty cell says something there.
    const cell = cells[at] ?? '';
    if (cell === '' && column.field !== 'prefix') continue;
    try {
      body[column.field] = readValue(column, cell, 0);
    } catch (cause) {
      if (!(cause instanceof UsageError)) throw cause;
      return { line, problem: cause.message.replace(/^--[\w-]+/, column.field) };
    }
  }
  return judge(line, body);
}

const NO_RAW_KEYS = 'give the hash, "sha256:<hex>", and never the key itself';

function judge(line: number, body: Shown): KeyLine {
  if (Object.hasOwn(body, 'key')) return { line, problem: NO_RAW_KEYS };
  const { hash } = body;
  const isBare = typeof hash === 'string' && BARE_HASH.test(hash);
  return { line, body: isBare ? { ...body, hash: `sha256:${hash.toLowerCase()}` } : body };
}
