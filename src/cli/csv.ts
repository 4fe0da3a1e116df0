import type { NumberedLine } from './lines.ts';

/** A record of a CSV text (RFC 4180) and the line where it begins, or what is wrong with it. */
export type CsvRecord =
  | { readonly line: number; readonly cells: readonly string[] }
  | { readonly line: number; readonly problem: string };

const RECORD_MAX = 64 * 1024;

/** Reads records from lines: a quoted cell may hold commas, line ends and doubled quotes. Empty lines are none. */
export async function* readCsv(
  lines: AsyncIterable<NumberedLine>,
): AsyncGenerator<CsvRecord, void, undefined> {
  let open: { readonly line: number; readonly text: string } | undefined;
  for await (const { line, text, isCut } of lines) {
    const record = open ? { line: open.line, text: `${open.text}\n${text}` } : { line, text };
    open = undefined;
    if (isCut || record.text.length > RECORD_MAX) {
      yield { line: record.line, problem: `longer than 64 KiB, to line ${line}: is a quote open?` };
    } else if (countQuotes(record.text) % 2 === 1) {
      open = record;
    } else if (record.text !== '') {
      yield readRecord(record);
    }
  }
  if (open) yield { line: open.line, problem: 'a quoted cell does not end' };
}

function readRecord({ line, text }: { readonly line: number; readonly text: string }): CsvRecord {
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  const cells: string[] = [];
  for (;;) {
    const match = cell.exec(text);
    if (!match)
      return { line, problem: 'a quote stands within a cell that does not begin with one' };
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return { line, cells };
  }
}

function countQuotes(text: string): number {
  return text.split('"').length - 1;
}
