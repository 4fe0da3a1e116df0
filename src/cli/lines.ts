/** A line of a text and its number, from 1; `isCut` when it was longer than may be and the rest is left out. */
export type NumberedLine = {
  readonly line: number;
  readonly text: string;
  readonly isCut: boolean;
};

const LINE_MAX = 1024 * 1024;

/** The lines of a text that comes in pieces, without their ends; memory holds one line at a time. */
export async function* readLines(
  pieces: AsyncIterable<string>,
): AsyncGenerator<NumberedLine, void, undefined> {
  let line = 1;
  let held = '';
  let isCut = false;
  const finish = (text: string): NumberedLine => {
    const whole = line === 1 ? text.replace(/^\ufeff/, '') : text;
    const found = { line, text: whole.replace(/\r$/, ''), isCut };
    line += 1;
    held = '';
    isCut = false;
    return found;
  };
  for await (const piece of pieces) {
    const parts = piece.split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) yield finish(held + part);
    held += last;
    if (held.length > LINE_MAX) {
      held = held.slice(0, LINE_MAX);
      isCut = true;
    }
  }
  if (held !== '') yield finish(held);
}
