/**
 * Characters that steer a terminal or reorder what it shows: C0 and C1 controls, line and paragraph separators,
 * bidirectional marks and embeddings, zero-width ones, and halves of surrogate pairs.
 */
const STEERING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Cs}/gu;

/** A text that a terminal shows as it is: what steers it is written as `\u001b`. */
export function printable(text: string): string {
  return text.replace(STEERING, escaped);
}

/** JSON that is safe on a terminal, and the same value. `indent` 0 is one line. */
export function printableJson(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  return text.replace(STEERING, (found) => (found === '\n' ? found : escaped(found)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const WIDE =
  /^(?:\p{Extended_Pictographic}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6])/u;
const ASCII = /^[\x20-\x7e]*$/;

/** Columns that a text takes on a terminal; East Asian characters and pictures take two. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += segment > '\x7f' && WIDE.test(segment) ? 2 : 1;
  }
  return width;
}

/** The text within so many columns, its cut marked by an ellipsis. */
export function shorten(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let short = '';
  let width = 1;
  for (const { segment } of graphemes.segment(text)) {
    width += widthOf(segment);
    if (width > columns) break;
    short += segment;
  }
  return `${short}…`;
}
