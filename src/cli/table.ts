import { printable, printableJson, shorten, widthOf } from './printable.ts';

/** An object as the API shows it. */
export type Shown = { readonly [field: string]: unknown };

/** Whether a value is a JSON object. */
export function isShown(value: unknown): value is Shown {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A column of a table: its title, and the field it shows or how it is made. */
export type Column = {
  readonly title: string;
  readonly of: string | ((shown: Shown) => unknown);
  /** Longer texts are cut; ids never are. */
  readonly longest?: number | undefined;
};

const GAP = '  ';
const NOTHING = '-';
/** What an object is known by stands first, in whatever order it came. */
const FIRST = ['id', 'name', 'workspace_id', 'kind', 'owner', 'key_prefix', 'status'];

/**
 * Writes rows under a heading. The first page sets the widths; later ones keep them, so that a listing of any
 * length is printed while it comes.
 */
export function openTable(columns: readonly Column[], out: (line: string) => void) {
  let widths: readonly number[] | undefined;
  const print = (cells: readonly string[]) => {
    const padded = cells.map((cell, at) => pad(cell, widths?.[at] ?? 0));
    out(padded.join(GAP).trimEnd());
  };
  return {
    add: (rows: readonly Shown[]) => {
      const cells = rows.map((row) => columns.map((column) => cellOf(row, column)));
      if (widths === undefined) {
        const titles = columns.map(({ title }) => title);
        widths = columns.map((_, at) =>
          Math.max(...[titles, ...cells].map((one) => widthOf(one[at] ?? ''))),
        );
        print(titles);
      }
      for (const row of cells) print(row);
    },
  };
}

/** Writes one object, a field a line; what is null is left out. */
export function printRecord(shown: Shown, out: (line: string) => void): void {
  const first = FIRST.flatMap((name): [string, unknown][] =>
    Object.hasOwn(shown, name) ? [[name, shown[name]]] : [],
  );
  const others = Object.entries(shown).filter(([name]) => !FIRST.includes(name));
  const fields = [...first, ...others].filter(([, value]) => value !== null && value !== undefined);
  const width = Math.max(0, ...fields.map(([name]) => widthOf(printable(name))));
  for (const [name, value] of fields) {
    out(`${pad(printable(name), width)}${GAP}${writeValue(value)}`.trimEnd());
  }
}

/** A value in one line: a list by commas, an object as JSON. */
export function writeValue(value: unknown): string {
  if (value === null || value === undefined || value === '') return NOTHING;
  if (typeof value === 'string') return printable(value);
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) {
    return value.length === 0 ? NOTHING : printable(value.join(', '));
  }
  return typeof value === 'object' ? printableJson(value, 0) : String(value);
}

function cellOf(row: Shown, { of, longest }: Column): string {
  const text = writeValue(typeof of === 'string' ? row[of] : of(row));
  return longest === undefined ? text : shorten(text, longest);
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}
