import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Position } from './segments.ts';

const NAME = 'cursor';
const OWNER_ONLY = 0o600;

/** How far a spool was delivered; undefined where nothing was, or where it cannot be read. */
export async function readCursor(folder: string): Promise<Position | undefined> {
  const text = await readFile(join(folder, NAME), 'utf8').catch(() => '');
  const parts = /^(\d{1,12}) (\d{1,15})\n$/.exec(text);
  return parts ? { segment: Number(parts[1]), offset: Number(parts[2]) } : undefined;
}

/** Keeps how far a spool was delivered. A crash leaves the cursor before or the new one, never a half. */
export async function writeCursor(folder: string, { segment, offset }: Position): Promise<void> {
  const next = join(folder, `${NAME}.next`);
  const file = await open(next, 'w', OWNER_ONLY);
  try {
    await file.writeFile(`${segment} ${offset}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(next, join(folder, NAME));
}
