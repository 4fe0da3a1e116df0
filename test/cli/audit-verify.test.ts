import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHAIN_START, createChainDigest, sealEvent } from '../../src/core/audit-chain.ts';
import { run } from './shell.ts';

const KEY = 'a key that nobody else has, and long enough';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-verify-'));
  writeFileSync(join(folder, 'key'), `${KEY}\n`);
  writeFileSync(join(folder, 'short'), 'short');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A chain of events, of which those numbers were dropped. */
function chainOf(count: number, key?: string, dropped: readonly number[] = []): readonly string[] {
  const digest = createChainDigest(key);
  let before = CHAIN_START.digest;
  return Array.from({ length: count }, (_, at) => at + 1).flatMap((sequence) => {
    if (dropped.includes(sequence)) return [];
    const line = sealEvent('ocsf', `{"id":"e${sequence - 1}"}`, { sequence, before });
    before = digest(line);
    return [line];
  });
}

function write(name: string, lines: readonly string[], end = '\n'): string {
  const path = join(folder, name);
  writeFileSync(path, lines.length === 0 ? '' : lines.join('\n') + end);
  return path;
}

const verify = (...args: readonly string[]) => run(['audit', 'verify', ...args]);

test('a chain as it was written is sound, and its end is told', async () => {
  const lines = chainOf(9);
  const { code, out } = await verify(write('sound', lines));
  const digest = createChainDigest()(lines.at(-1) ?? '');
  expect({ code, out }).toEqual({
    code: 0,
    out: [
      '9 events, the first is 1, the last 9',
      `digest of the last: ${digest}`,
      'sound: none is missing or changed',
    ].join('\n'),
  });
});

test('files that follow each other are one chain, in whatever order they are named', async () => {
  const lines = chainOf(12);
  const parts = [lines.slice(8), lines.slice(0, 4), lines.slice(4, 8)];
  const files = parts.map((part, at) => write(`part-${at}`, part));
  expect((await verify(...files, write('empty', []))).code).toBe(0);
  const { code, out } = await verify(files[0] ?? '', files[1] ?? '');
  expect(code).toBe(1);
  expect(out).toContain(`${files[0]}:1: events 5 to 8: taken out before this line`);
});

test('a line that no event fills is foreign, and costs no memory; those behind it are judged', async () => {
  const lines = chainOf(3);
  const path = write('long', lines.slice(0, 2));
  truncateSync(path, 200 * 1024 * 1024);
  appendFileSync(path, `\n${lines[2]}\n`);
  const { code, out } = await verify(path);
  expect(code).toBe(1);
  expect(out).toContain(`${path}:3: no event of a chain`);
  expect(out).toContain('3 events, the first is 1, the last 3');
});

test('what is wrong is told with its file and line, and the exit code is 1', async () => {
  const lines = chainOf(6);
  const changed = lines.with(2, (lines[2] ?? '').replace('e2', 'e9'));
  const path = write('changed', changed);
  const { code, out } = await verify(path);
  expect(code).toBe(1);
  expect(out).toContain(`${path}:4: events 3 to 4: one of them was changed`);
  expect(out).toMatch(/not sound$/);
});

test('under a key only its holder can have written the chain', async () => {
  const keyFile = join(folder, 'key');
  expect((await verify('--key-file', keyFile, write('keyed', chainOf(5, KEY)))).code).toBe(0);
  expect((await verify('--key-file', keyFile, write('forged', chainOf(5)))).code).toBe(1);
  expect((await verify(write('keyed', chainOf(5, KEY)))).code).toBe(1);
});

test('standard input may hold several starts, when that is said', async () => {
  const input = `${[...chainOf(3), ...chainOf(3)].join('\n')}\n`;
  expect((await run(['audit', 'verify', '-'], { input })).code).toBe(1);
  expect((await run(['audit', 'verify', '-', '--restarts'], { input })).code).toBe(0);
});

test('however often chains begin anew, what was changed among them is found', async () => {
  const starts = Array.from({ length: 1001 }, () => chainOf(1)).flat();
  const lines = [...starts, ...chainOf(3).toSpliced(1, 1)];
  const { code, out } = await verify('--restarts', write('starts', lines));
  expect(code).toBe(1);
  expect(out).toContain('starts:1003: event 2: taken out before this line');
});

test('events that Postern itself dropped are told of, and what was written is sound', async () => {
  const dropped = write('dropped', chainOf(6, undefined, [3, 4]));
  const { code, out } = await verify(dropped);
  expect(code).toBe(0);
  expect(out).toContain(`${dropped}:3: events 3 to 4: never written; Postern itself dropped them`);
  expect(out).toMatch(/sound: all that was written is there, and unchanged$/);
  const told = JSON.parse((await verify('--json', dropped)).out);
  expect(told).toMatchObject({ sound: true, faults: [{ kind: 'dropped', from: 3, to: 4 }] });
});

test('a last line without its end is told of', async () => {
  const { code, out } = await verify(write('cut', [...chainOf(3), '{"id":"ha'], ''));
  expect(code).toBe(1);
  expect(out).toContain('cut:4: the last line has no end');
});

test('nothing that is no chain is sound', async () => {
  expect(await verify(write('none', []))).toMatchObject({
    code: 1,
    out: 'no event of a chain was found: is audit.chain on?',
  });
});

test('as JSON it is one object', async () => {
  const { code, out } = await verify('--json', write('json', chainOf(4).toSpliced(1, 1)));
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    sound: false,
    events: 3,
    faults: [{ kind: 'missing', from: 2, to: 2 }],
  });
});

test.each([
  [[], /FILE… is missing/],
  [['/nowhere/x'], /cannot be read \(ENOENT\)/],
  [['-', 'x'], /- stands alone/],
  [['--key-file', '/nowhere/x', 'x'], /cannot be read/],
])('with %j the exit code is 2', async (args, message) => {
  const { code, err } = await verify(...args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test('a key that can be guessed is none', async () => {
  const { code, err } = await verify('--key-file', join(folder, 'short'), 'x');
  expect({ code, err }).toEqual({ code: 2, err: '--key-file: a key has at least 32 characters' });
});
