import type { FileHandle } from 'node:fs/promises';

const NEWLINE = 0x0a;
const PIECE_BYTES = 64 * 1024;
/** No event is longer; a file whose end holds none within it holds no events. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

/** How a file of lines ends. */
export type Tail = {
  /** Bytes up to the end of the last whole line. */
  readonly size: number;
  /** The last whole line, without its end. */
  readonly lastLine: string | undefined;
};

/** Reads how a file ends; beyond `size` stands what a crash cut off. */
export async function readTail(file: FileHandle): Promise<Tail> {
  const { size } = await file.stat();
  let held: Buffer<ArrayBuffer> = Buffer.alloc(0);
  for (let from = size; from > 0 && held.length < LINE_BYTES_MAX; ) {
    const length = Math.min(PIECE_BYTES, from);
    from -= length;
    const piece = Buffer.alloc(length);
    await file.read(piece, 0, length, from);
    held = Buffer.concat([piece, held]);
    const end = held.lastIndexOf(NEWLINE);
    if (end === -1) continue;
    const start = end === 0 ? -1 : held.lastIndexOf(NEWLINE, end - 1);
    if (start === -1 && from > 0) continue;
    return { size: from + end + 1, lastLine: held.toString('utf8', start + 1, end) };
  }
  return { size: 0, lastLine: undefined };
}
