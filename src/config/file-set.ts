import { createHash } from 'node:crypto';
import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** A file or directory that a policy was read from, as it stood just before it was read. */
export type Stamp = { readonly path: string; readonly stamp: string };

/** A policy file's text, under the name that problems show. */
export type SourceText = { readonly file: string; readonly text: string };

const MISSING = 'missing';
const UNKNOWN = 'unknown error';

/** Every file that a policy is read from, in the order they are read. */
export type FileSet = {
  /** The policy's own files, or why they cannot be read. */
  readonly openSources: () => readonly SourceText[] | { readonly problem: string };
  /** The content of a file that a placeholder in `from` names. */
  readonly findFile: (path: string, from: string) => string | undefined;
  /** All that was read so far, files that are missing included. */
  readonly stamps: () => readonly Stamp[];
  /** The files that were found for placeholders, or were missing, in the order they were asked for. */
  readonly placeholders: () => readonly string[];
  /** SHA-256 in hex over names and contents of all that was read so far. */
  readonly hash: () => string;
};

/** Opens a policy: one YAML file, or the `*.yaml` and `*.yml` files of a directory in the order of their names. */
export function openFileSet(path: string): FileSet {
  const digest = createHash('sha256');
  const stamps = new Map<string, string>();
  const placeholders = new Map<string, string | undefined>();
  const read = (file: string, name: string) => {
    stamps.set(file, stampOf(file));
    const text = readFileSync(file, 'utf8');
    digest.update(`${name}\n${Buffer.byteLength(text)}\n`).update(text);
    return text;
  };
  return {
    openSources: () => {
      try {
        stamps.set(path, stampOf(path));
        return policyFiles(path).map((file) => ({ file, text: read(file, basename(file)) }));
      } catch (error) {
        return { problem: `cannot be read: ${codeOf(error)}` };
      }
    },
    findFile: (written, from) => {
      const file = resolve(dirname(from), written);
      if (!placeholders.has(file))
        placeholders.set(
          file,
          tryRead(() => read(file, basename(file))),
        );
      return placeholders.get(file);
    },
    stamps: () => [...stamps].map(([file, stamp]) => ({ path: file, stamp })),
    placeholders: () => [...placeholders.keys()],
    hash: () => digest.copy().digest('hex'),
  };
}

/**
 * What tells one state of a file or directory from another without reading it, through symlinks. What cannot be
 * looked at, for whatever reason, is missing.
 */
export function stampOf(path: string): string {
  const look = () => {
    const stats = statSync(path, { bigint: true });
    return writeStamp(stats, stats.isDirectory() ? readdirSync(path) : []);
  };
  return tryRead(look) ?? MISSING;
}

/** The same, without holding up the thread while a file system is slow. */
export async function findStamp(path: string): Promise<string> {
  try {
    const stats = await stat(path, { bigint: true });
    return writeStamp(stats, stats.isDirectory() ? await readdir(path) : []);
  } catch (error) {
    if (codeOf(error) === UNKNOWN) throw error;
    return MISSING;
  }
}

/** Bytes of the policy files at a path; 0 where they cannot be read. */
export async function sizeOf(path: string): Promise<number> {
  try {
    const stats = await stat(path);
    if (!stats.isDirectory()) return stats.size;
    const files = policyNames(await readdir(path)).map((name) => stat(join(path, name)));
    return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
  } catch (error) {
    if (codeOf(error) === UNKNOWN) throw error;
    return 0;
  }
}

function writeStamp(stats: BigIntStats, names: readonly string[]): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  if (stats.isDirectory()) return [dev, ino, ...policyNames(names)].join(':');
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

function policyFiles(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return policyNames(readdirSync(path))
    .map((name) => join(path, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

function policyNames(names: readonly string[]): readonly string[] {
  return names.filter((name) => !name.startsWith('.') && /\.ya?ml$/.test(name)).sort();
}

function tryRead(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === UNKNOWN) throw error;
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : UNKNOWN;
}
