import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

/** An open file that grows by whole lines: what cannot be written in full is taken back. */
export type GrowingFile = {
  readonly file: FileHandle;
  /** Whether it has a size, as a pipe or device has not. */
  readonly isRegular: boolean;
  size: number;
  /** Bytes beyond `size` may stand in the file, because taking them back failed. */
  isTorn: boolean;
};

/**
 * Writes bytes behind the last; with `isSynced` resolves when they are on the disk. Where that fails the file is as
 * it was, or is before the next bytes. Rejects with the cause.
 */
export async function append(
  growing: GrowingFile,
  bytes: Uint8Array,
  isSynced: boolean,
): Promise<void> {
  if (growing.isTorn) await takeBack(growing);
  try {
    await writeAll(growing.file, bytes);
    if (isSynced) await sync(growing);
  } catch (cause) {
    growing.isTorn = growing.isRegular;
    await takeBack(growing).catch(() => undefined);
    throw cause;
  }
  growing.size += bytes.length;
}

/** Resolves when all that was appended is on the disk. */
export async function sync({ file, isRegular }: GrowingFile): Promise<void> {
  if (isRegular) await file.datasync();
}

/** Makes the entries of a folder lasting: a new or renamed file is lost with the power without it. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const { bytesWritten } = await file.write(rest);
    rest = rest.subarray(bytesWritten);
  }
}

async function takeBack(growing: GrowingFile): Promise<void> {
  if (growing.isRegular) await growing.file.truncate(growing.size);
  growing.isTorn = false;
}
