import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findStamp, type Stamp } from './file-set.ts';

/** Watches what a policy was read from. */
export type Watch = {
  /** Replaces what is watched, and how it stood when it was read. */
  readonly follow: (stamps: readonly Stamp[]) => void;
  readonly close: () => void;
};

/** A writer may need several writes: a change counts when nothing moved for this long. */
const SETTLE_MS = 100;

/**
 * Calls back after a change of a file. Directories are watched, because a Kubernetes volume swaps the symlink
 * above its files; as some file systems report nothing, the files' state is polled too.
 */
export function openWatch(onChange: () => void, pollMs: number): Watch {
  let followed: readonly Stamp[] = [];
  let watchers: ReadonlyMap<string, FSWatcher> = new Map();
  let isLooking = false;
  let isClosed = false;

  const look = async () => {
    const known = followed;
    let seen = writeStamps(known);
    for (;;) {
      const found = writeStamps(await stampsNow(known));
      if (isClosed || followed !== known || found === writeStamps(known)) return;
      if (found === seen) return onChange();
      seen = found;
      await delay(SETTLE_MS, undefined, { ref: false });
    }
  };
  const lookOnce = () => {
    if (isLooking) return;
    isLooking = true;
    void look().finally(() => {
      isLooking = false;
    });
  };
  const timer = setInterval(lookOnce, pollMs).unref();
  return {
    follow: (next) => {
      followed = next;
      if (!isClosed) watchers = rewatch(watchers, next, lookOnce);
    },
    close: () => {
      isClosed = true;
      clearInterval(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

async function stampsNow(followed: readonly Stamp[]): Promise<readonly Stamp[]> {
  return Promise.all(followed.map(async ({ path }) => ({ path, stamp: await findStamp(path) })));
}

function writeStamps(stamps: readonly Stamp[]): string {
  return stamps.map(({ path, stamp }) => `${path}\n${stamp}\n`).join('');
}

/** Watches the directories of some paths, keeping the watchers that still serve. */
function rewatch(
  old: ReadonlyMap<string, FSWatcher>,
  stamps: readonly Stamp[],
  onEvent: () => void,
): ReadonlyMap<string, FSWatcher> {
  const watchers = new Map<string, FSWatcher>();
  for (const { path } of stamps) {
    const directory = isDirectory(path) ? path : dirname(path);
    if (watchers.has(directory)) continue;
    const watcher = old.get(directory) ?? tryWatch(directory, onEvent);
    if (watcher) watchers.set(directory, watcher);
  }
  for (const [directory, watcher] of old) if (!watchers.has(directory)) watcher.close();
  return watchers;
}

/** Undefined where a directory cannot be watched: then polling alone finds its changes. */
function tryWatch(directory: string, onEvent: () => void): FSWatcher | undefined {
  return unlessUnavailable(() => {
    statSync(directory);
    const watcher = watch(directory, { persistent: false }, onEvent);
    return watcher.on('error', () => watcher.close());
  });
}

function isDirectory(path: string): boolean {
  return unlessUnavailable(() => statSync(path).isDirectory()) ?? false;
}

/** Undefined where the system says no, as for what is missing, forbidden, or a symlink to itself. */
function unlessUnavailable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
