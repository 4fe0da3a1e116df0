import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Target } from '../journal.ts';
import { append, type GrowingFile, sync, syncFolder } from './append.ts';
import { takeLock } from './lock.ts';
import { readLastLine, readTail } from './tail.ts';

/** A file of lines that a new one follows at a size. */
export type LogFile = Target & {
  /** The last whole line that was there when it was opened, or in the file before it. */
  readonly lastLine: string | undefined;
};

export type LogFileOptions = {
  readonly path: string;
  /** Size at which a new file begins. */
  readonly maxBytes: number;
  /** Old files that are kept. */
  readonly keepFiles: number;
};

const OWNER_ONLY = 0o600;
/** How often it is looked whether somebody else renamed or removed the file. */
const LOOK_MS = 1000;
/** `audit.jsonl.20261121T064028123Z`, and `-1` where two have one time. */
const SUFFIX = /^\.\d{8}T\d{9}Z(-\d+)?$/;

/**
 * Opens a file for appending, cuts off what a crash left of a last line, and holds its lock, `PATH.lock`, until it is
 * closed. At a size it is renamed with its time; where somebody else renames or removes it, a new one begins within
 * a second. Rejects where it cannot be opened, or another process has it.
 */
export async function openLogFile(options: LogFileOptions): Promise<LogFile> {
  const { path } = options;
  await mkdir(dirname(path), { recursive: true });
  const isOdd = await stat(path).then(
    (found) => !found.isFile(),
    () => false,
  );
  const unlock = isOdd ? () => {} : takeLock(`${path}.lock`);
  try {
    const { growing, lastLine: last } = await openGrowing(path);
    // A crash in the middle of a rotation leaves a new file without a line.
    const before = last === undefined ? (await oldFiles(path)).at(-1) : undefined;
    const lastLine = before ? await readLastLine(before).catch(() => undefined) : last;
    const held: Held = { options, growing, lookedAtMs: performance.now() };
    return {
      lastLine,
      append: (bytes, isSynced) => appendTo(held, bytes, isSynced),
      sync: () => sync(held.growing),
      close: async () => {
        await held.growing.file.close();
        unlock();
      },
    };
  } catch (cause) {
    unlock();
    throw cause;
  }
}

type Held = { readonly options: LogFileOptions; growing: GrowingFile; lookedAtMs: number };

async function appendTo(held: Held, bytes: Uint8Array, isSynced: boolean): Promise<void> {
  if (held.growing.isRegular) {
    await look(held);
    const { size } = held.growing;
    if (size > 0 && size + bytes.length > held.options.maxBytes) await rotate(held);
  }
  await append(held.growing, bytes, isSynced);
}

/** Follows what somebody else did to the file: renamed or removed it, or cut it. */
async function look(held: Held): Promise<void> {
  const nowMs = performance.now();
  if (nowMs - held.lookedAtMs < LOOK_MS) return;
  held.lookedAtMs = nowMs;
  const own = await held.growing.file.stat();
  const there = await stat(held.options.path).catch(() => undefined);
  if (there && there.ino === own.ino && there.dev === own.dev) {
    if (!held.growing.isTorn) held.growing.size = own.size;
    return;
  }
  await reopen(held);
}

async function rotate(held: Held): Promise<void> {
  const { path } = held.options;
  await sync(held.growing);
  await rename(path, await freeName(path));
  await reopen(held);
  await removeOldest(held.options);
}

async function reopen(held: Held): Promise<void> {
  const before = held.growing;
  held.growing = (await openGrowing(held.options.path)).growing;
  await sync(before);
  await before.file.close();
}

async function openGrowing(path: string) {
  const isNew = await stat(path).then(
    () => false,
    () => true,
  );
  const file = await open(path, isNew ? 'a+' : await modeFor(path), OWNER_ONLY);
  try {
    const isRegular = (await file.stat()).isFile();
    const tail = isRegular ? await readTail(file) : { size: 0, lastLine: undefined };
    if (isRegular) await file.truncate(tail.size);
    if (isNew) await syncFolder(dirname(path));
    const growing: GrowingFile = { file, isRegular, size: tail.size, isTorn: false };
    return { growing, lastLine: tail.lastLine };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** A device or pipe may be writable and nothing else. */
async function modeFor(path: string): Promise<string> {
  return (await stat(path)).isFile() ? 'a+' : 'a';
}

async function freeName(path: string): Promise<string> {
  const time = new Date().toISOString().replace(/[-:.]/g, '');
  const taken = new Set(await readdir(dirname(path)));
  const base = `${basename(path)}.${time}`;
  let name = base;
  for (let at = 1; taken.has(name); at += 1) name = `${base}-${at}`;
  return join(dirname(path), name);
}

async function removeOldest({ path, keepFiles }: LogFileOptions): Promise<void> {
  const old = await oldFiles(path);
  for (const name of old.slice(0, Math.max(0, old.length - keepFiles))) await unlink(name);
}

/** The files that were rotated out, the oldest first. */
async function oldFiles(path: string): Promise<readonly string[]> {
  const folder = dirname(path);
  const own = basename(path);
  const names = (await readdir(folder)).filter(
    (name) => name.startsWith(own) && SUFFIX.test(name.slice(own.length)),
  );
  return names.sort(byTime).map((name) => join(folder, name));
}

/** `-10` comes after `-9`. */
function byTime(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}
