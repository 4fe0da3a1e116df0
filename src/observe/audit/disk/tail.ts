import { type FileHandle, open } from 'node:fs/promises';

const NEWLINE = 0x0a;
const PIECE_BYTES = 64 * 1024;
/** No event is longer; of a longer last line nothing is read but its end. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

/** How a file of lines ends. */
export type Tail = {
  /** Bytes up to the end of the last whole line. */
  readonly size: number;
  /** The last whole line, without its end. */
  readonly lastLine: string | undefined;
};

/** Reads how a file ends; beyond `size` stands what a crash cut off, or megabytes of zeros that the loss of power left. */
export async function readTail(file: FileHandle): Promise<Tail> {
  const { size } = await file.stat();
  const end = await findLineEnd(file, size, size);
  if (end === -1) return { size: 0, lastLine: undefined };
  const before = await findLineEnd(file, end, LINE_BYTES_MAX);
  const length = end - before - 1;
  if (length > LINE_BYTES_MAX) return { size: end + 1, lastLine: undefined };
  const line = Buffer.alloc(length);
  await file.read(line, 0, length, before + 1);
  return { size: end + 1, lastLine: line.toString('utf8') };
}

/** The last whole line of a file that nobody writes any more. */
export async function readLastLine(path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    return (await readTail(file)).lastLine;
  } finally {
    await file.close();
  }
}

/** Where the last line feed before a place is, looking at so many bytes; -1 where none is. */
async function findLineEnd(file: FileHandle, before: number, bytes: number): Promise<number> {
  const least = Math.max(0, before - bytes);
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let to = before; to > least; to -= PIECE_BYTES) {
    const from = Math.max(0, to - PIECE_BYTES);
    await file.read(piece, 0, to - from, from);
    const at = piece.lastIndexOf(NEWLINE, to - from - 1);
    if (at !== -1) return from + at;
  }
  return -1;
}
