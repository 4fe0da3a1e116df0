import { type Document, LineCounter, parseDocument } from 'yaml';
import type { SourceText } from './file-set.ts';
import type { Problem } from './problem.ts';

/** One parsed YAML file. */
export type PolicyDocument = {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
};

const MESSAGES: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a file holds one YAML document',
};

/** Parses a file; its syntax errors are problems, and then there is no document. */
export function parseSource(source: SourceText): PolicyDocument | readonly Problem[] {
  const { file, text } = source;
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      strict: true,
      uniqueKeys: false,
    });
    const faults = [...document.errors, ...document.warnings];
    if (faults.length === 0) return { file, document, lines };
    return faults.map((fault) => ({
      ...placeOf({ file, lines }, fault.pos[0]),
      path: '',
      message: MESSAGES[fault.code] ?? fault.message,
    }));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [{ file, line: 1, column: 1, path: '', message: 'the YAML is nested too deeply' }];
  }
}

/** The line and column of an offset into a file. */
export function placeOf(
  source: Pick<PolicyDocument, 'file' | 'lines'>,
  offset: number,
): Pick<Problem, 'file' | 'line' | 'column'> {
  const { line, col } = source.lines.linePos(Math.max(offset, 0));
  return { file: source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
}
