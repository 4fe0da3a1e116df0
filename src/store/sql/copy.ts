import type { ItemKind, StoreCopy, StoredItem, Tally } from '../../core/store-copy.ts';
import type { DumpPart } from './copy-dump.ts';
import type { Ask } from './engine.ts';
import { SQLITE_WORKER } from './sqlite.ts';
import { openLink } from './worker-link.ts';

/**
 * Opens a file to copy it, or into it; one that is not there is made. Rejects where it cannot be opened, is no store,
 * or was written by a newer version.
 */
export async function openSqliteCopy(path: string): Promise<StoreCopy> {
  const link = await openLink(SQLITE_WORKER, path);
  try {
    // What a process had counted and not settled yet is counted, too.
    await link.ask('settleLog', []);
  } catch (cause) {
    await link.close();
    throw cause;
  }
  return createSqlCopy(link.ask, link.close);
}

/** A database that is asked somewhere, as it is copied. */
export function createSqlCopy(ask: Ask, close: () => Promise<void>): StoreCopy {
  return {
    countersBy: 'name',
    tally: async (nowMs) => (await ask('tally', [nowMs])) as Tally,
    dump: (kinds, nowMs) => dump(ask, kinds, nowMs),
    restore: async (items: readonly StoredItem[]) => void (await ask('restoreItems', [items])),
    isUnfinished: async () => (await ask('isUnfinished', [])) === true,
    begin: async () => void (await ask('beginCopy', [])),
    finish: async () => void (await ask('finishCopy', [])),
    close,
  };
}

async function* dump(
  ask: Ask,
  kinds: readonly ItemKind[],
  nowMs: number,
): AsyncGenerator<readonly StoredItem[]> {
  for (const kind of kinds) {
    let after: DumpPart['next'];
    do {
      const part = (await ask('dumpPart', [kind, { after, nowMs }])) as DumpPart;
      if (part.items.length > 0) yield part.items;
      after = part.next;
    } while (after !== undefined);
  }
}
