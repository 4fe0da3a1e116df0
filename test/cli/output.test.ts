import { expect, test } from 'vitest';
import { readCsv } from '../../src/cli/csv.ts';
import { readLines } from '../../src/cli/lines.ts';
import { printable, printableJson, shorten, widthOf } from '../../src/cli/printable.ts';
import { openTable, printRecord, writeValue } from '../../src/cli/table.ts';
import { piecesOf } from './shell.ts';

const STEERING: readonly (readonly [string, string, string])[] = [
  ['an escape sequence', '\u001b[31mred', '\\u001b[31mred'],
  ['a line feed and a return', 'a\r\nb', 'a\\u000d\\u000ab'],
  ['a C1 control', 'a\u009b31m', 'a\\u009b31m'],
  ['a delete', 'a\u007f', 'a\\u007f'],
  ['an override of direction', 'a\u202egpj.exe', 'a\\u202egpj.exe'],
  ['isolates', '\u2066a\u2069', '\\u2066a\\u2069'],
  ['a zero-width space', 'ad\u200bmin', 'ad\\u200bmin'],
  ['a line separator', 'a\u2028b', 'a\\u2028b'],
  ['half a surrogate pair', 'a\ud83d', 'a\\ud83d'],
];

test.each(STEERING)('%s is written out', (_name, text, expected) => {
  expect(printable(text)).toBe(expected);
  expect(printable(expected), 'and then there is nothing left to write out').toBe(expected);
});

test.each(STEERING)('%s is escaped in JSON, and the value stays', (_name, text) => {
  const json = printableJson({ [text]: [text] });
  expect(JSON.parse(json)).toEqual({ [text]: [text] });
  expect(printable(json.replaceAll('\n', ''))).toBe(json.replaceAll('\n', ''));
});

test('other texts stay: letters of every script, and pictures', () => {
  for (const text of ['Zoë', '東京', 'Ωμέγα', '🗝️', 'שלום']) expect(printable(text)).toBe(text);
});

test.each([
  ['abc', 3],
  ['Zoë', 3],
  ['東京', 4],
  ['👩‍👩‍👧', 2],
  ['', 0],
])('%j takes %i columns', (text, columns) => {
  expect(widthOf(text)).toBe(columns);
});

test('a text is cut by columns, never within a character', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdef', 4)).toBe('abc…');
  expect(shorten('東京タワー', 6)).toBe('東京…');
});

test('a table is aligned; a later page keeps the widths of the first', () => {
  const lines: string[] = [];
  const columns = [
    { title: 'ID', of: 'id' },
    { title: 'NAME', of: 'name', longest: 8 },
    { title: 'ON', of: 'on' },
  ];
  const table = openTable(columns, (line) => lines.push(line));
  table.add([
    { id: 'k1', name: 'short', on: true },
    { id: 'k222', name: 'far too long', on: null },
  ]);
  table.add([{ id: 'k33333', name: '東京', on: ['a', 'b'] }]);
  expect(lines).toEqual([
    'ID    NAME      ON',
    'k1    short     true',
    'k222  far too…  -',
    'k33333  東京      a, b',
  ]);
});

test('a record shows what it is known by first, and leaves out what is null', () => {
  const lines: string[] = [];
  const shown = { scopes: [], plan: null, limit: { per_minute: 1 }, name: 'a\u001b', id: 'k1' };
  printRecord(shown, (line) => lines.push(line));
  expect(lines).toEqual([
    'id      k1',
    'name    a\\u001b',
    'scopes  -',
    'limit   {"per_minute":1}',
  ]);
});

test.each([
  [null, '-'],
  ['', '-'],
  [[], '-'],
  [['a', 'b'], 'a, b'],
  [[1], '[1]'],
  [false, 'false'],
  [{ a: '\u001b' }, '{"a":"\\u001b"}'],
])('the value %j is written %j', (value, expected) => {
  expect(writeValue(value)).toBe(expected);
});

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('lines are numbered, whatever ends them and however they come', async () => {
  const text = '\ufeffa\r\n\nccc\nlast';
  for (const size of [1, 2, 3, 100]) {
    expect(await all(readLines(piecesOf(text, size)))).toEqual([
      { line: 1, text: 'a', isCut: false },
      { line: 2, text: '', isCut: false },
      { line: 3, text: 'ccc', isCut: false },
      { line: 4, text: 'last', isCut: false },
    ]);
  }
});

test('a line without end does not fill the memory', async () => {
  const lines = await all(readLines(piecesOf(`${'x'.repeat(3_000_000)}\nnext`, 500_000)));
  expect(lines.map(({ line, isCut }) => [line, isCut])).toEqual([
    [1, true],
    [2, false],
  ]);
  expect(lines[0]?.text.length).toBeLessThan(2_000_000);
});

test.each([
  ['plain cells', 'a,b,c', [{ line: 1, cells: ['a', 'b', 'c'] }]],
  ['empty cells', ',a,', [{ line: 1, cells: ['', 'a', ''] }]],
  ['quoted cells', '"a,b","say ""hi""",""', [{ line: 1, cells: ['a,b', 'say "hi"', ''] }]],
  [
    'a line end in a cell',
    '"a\nb",c\nd,e',
    [
      { line: 1, cells: ['a\nb', 'c'] },
      { line: 3, cells: ['d', 'e'] },
    ],
  ],
  [
    'no empty lines',
    'a\n\nb',
    [
      { line: 1, cells: ['a'] },
      { line: 3, cells: ['b'] },
    ],
  ],
  [
    'a stray quote',
    'a"b"c\nd',
    [
      { line: 1, problem: 'a quote stands within a cell that does not begin with one' },
      { line: 2, cells: ['d'] },
    ],
  ],
  [
    'a quote that stays open',
    'a\n"b',
    [
      { line: 1, cells: ['a'] },
      { line: 2, problem: 'a quoted cell does not end' },
    ],
  ],
])('CSV: %s', async (_name, text, expected) => {
  expect(await all(readCsv(readLines(piecesOf(text))))).toEqual(expected);
});

test('CSV: an open quote costs some lines and no more', async () => {
  const text = `"open\n${'x\n'.repeat(40_000)}a,b`;
  const records = await all(readCsv(readLines(piecesOf(text, 4096))));
  expect(records[0]).toMatchObject({
    line: 1,
    problem: expect.stringContaining('is a quote open?'),
  });
  expect(records.at(-1)).toEqual({ line: 40_002, cells: ['a', 'b'] });
});
