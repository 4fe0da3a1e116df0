import { mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from '../journal.ts';
import { append, type GrowingFile, sync, syncFolder } from './append.ts';
import { takeLock } from './lock.ts';
import { readLastLine, readTail } from './tail.ts';

/** A position in a spool: a segment by number, and bytes of it. */
export type Position = { readonly segment: number; readonly offset: number };

/** Lines on disk in files that follow each other, so that those which were read can be removed. */
export type Segments = {
  readonly target: Target;
  /** The last whole line that was there when it was opened. */
  readonly lastLine: string | undefined;
  /** The oldest place there is, and the end. */
  readonly begin: () => Position;
  readonly end: () => Position;
  /** Bytes on the disk. */
  readonly bytes: () => number;
  /** Bytes from a place on. */
  readonly bytesFrom: (place: Position) => number;
  /** Lines from a place on, up to about so many bytes; and the place behind them. */
  readonly read: (from: Position, bytes: number) => Promise<Read>;
  /** Removes the segments before the one of a place. */
  readonly forget: (before: Position) => Promise<void>;
};
export type Read = { readonly lines: readonly string[]; readonly next: Position };

const NEWLINE = 0x0a;
const OWNER_ONLY = 0o600;
const FOLDER_OWNER_ONLY = 0o700;
const NAME = /^(\d{12})\.jsonl$/;

type State = {
  readonly folder: string;
  readonly segmentBytes: number;
  /** Number of a segment to its size; in order. */
  readonly sizes: Map<number, number>;
  current: { readonly number: number; readonly growing: GrowingFile };
};

/**
 * Opens a folder of segments, cuts off what a crash left of a last line, and holds the folder's lock until it is
 * closed. A new segment begins at `segmentBytes`. Rejects where another process has it.
 */
export async function openSegments(folder: string, segmentBytes: number): Promise<Segments> {
  await mkdir(folder, { recursive: true, mode: FOLDER_OWNER_ONLY });
  const unlock = takeLock(join(folder, 'lock'));
  try {
    const sizes = await listSizes(folder);
    const [number = 1, before] = [...sizes.keys()].reverse();
    const { growing, lastLine: last } = await openSegment(folder, number);
    sizes.set(number, growing.size);
    // A crash may leave a new segment without a line.
    const isEmpty = last === undefined && before !== undefined;
    const lastLine = isEmpty ? await readLastLine(pathOf(folder, before)) : last;
    return assemble(
      { folder, segmentBytes, sizes, current: { number, growing } },
      lastLine,
      unlock,
    );
  } catch (cause) {
    unlock();
    throw cause;
  }
}

function assemble(state: State, lastLine: string | undefined, unlock: () => void): Segments {
  const { sizes } = state;
  const end = () => ({ segment: state.current.number, offset: state.current.growing.size });
  return {
    lastLine,
    target: {
      append: (bytes, isSynced) => appendTo(state, bytes, isSynced),
      sync: () => sync(state.current.growing),
      close: async () => {
        await state.current.growing.file.close();
        unlock();
      },
    },
    begin: () => ({ segment: [...sizes.keys()][0] ?? state.current.number, offset: 0 }),
    end,
    bytes: () => [...sizes.values()].reduce((sum, size) => sum + size, 0),
    bytesFrom: ({ segment, offset }) =>
      [...sizes].reduce((sum, [number, size]) => sum + (number < segment ? 0 : size), -offset),
    read: (from, bytes) => readFrom(state, from, bytes),
    forget: async (before) => {
      for (const number of [...sizes.keys()]) {
        if (number >= before.segment || number === state.current.number) continue;
        await unlink(pathOf(state.folder, number));
        sizes.delete(number);
      }
    },
  };
}

async function appendTo(state: State, bytes: Uint8Array, isSynced: boolean): Promise<void> {
  if (state.current.growing.size >= state.segmentBytes) await nextSegment(state);
  const { number, growing } = state.current;
  await append(growing, bytes, isSynced);
  state.sizes.set(number, growing.size);
}

async function nextSegment(state: State): Promise<void> {
  const before = state.current.growing;
  await sync(before);
  const number = state.current.number + 1;
  const { growing } = await openSegment(state.folder, number);
  state.current = { number, growing };
  state.sizes.set(number, growing.size);
  await before.file.close();
}

async function readFrom(state: State, from: Position, bytes: number): Promise<Read> {
  const size = state.sizes.get(from.segment) ?? 0;
  if (from.offset >= size) {
    const isLast = from.segment >= state.current.number;
    return isLast ? { lines: [], next: from } : readFrom(state, nextOf(state, from), bytes);
  }
  const file = await open(pathOf(state.folder, from.segment), 'r');
  try {
    const whole = await readLines(file, from.offset, { bytes, size });
    // A line without its end, in a segment that grows no more, comes to no end.
    const isOver = whole.length === 0 && from.segment < state.current.number;
    if (isOver) return readFrom(state, nextOf(state, from), bytes);
    const next = { segment: from.segment, offset: from.offset + whole.length };
    return { lines: whole.toString('utf8').split('\n').slice(0, -1), next };
  } finally {
    await file.close();
  }
}

function nextOf({ sizes, current }: State, { segment }: Position): Position {
  const next = [...sizes.keys()].find((number) => number > segment);
  return { segment: next ?? current.number, offset: 0 };
}

/** Whole lines of about so many bytes; one line in full where it is longer. */
async function readLines(
  file: Awaited<ReturnType<typeof open>>,
  offset: number,
  { bytes, size }: { readonly bytes: number; readonly size: number },
): Promise<Buffer> {
  for (let length = bytes; ; length *= 2) {
    const piece = Buffer.alloc(Math.min(length, size - offset));
    const { bytesRead } = await file.read(piece, 0, piece.length, offset);
    const end = piece.lastIndexOf(NEWLINE, bytesRead - 1);
    if (end !== -1 || offset + piece.length >= size) return piece.subarray(0, end + 1);
  }
}

async function openSegment(folder: string, number: number) {
  const file = await open(pathOf(folder, number), 'a+', OWNER_ONLY);
  try {
    const { size, lastLine } = await readTail(file);
    await file.truncate(size);
    await syncFolder(folder);
    return { growing: { file, isRegular: true, size, isTorn: false } as GrowingFile, lastLine };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function listSizes(folder: string): Promise<Map<number, number>> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  const sizes = new Map<number, number>();
  for (const name of names) {
    sizes.set(Number(NAME.exec(name)?.[1]), (await stat(join(folder, name))).size);
  }
  return sizes;
}

function pathOf(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(12, '0')}.jsonl`);
}
