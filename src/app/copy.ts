import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { NamedStore } from '../config/store-name.ts';
import {
  ITEM_KINDS,
  type ItemKind,
  type StoreCopy,
  type StoredItem,
  type Tally,
} from '../core/store-copy.ts';
import { openSqliteCopy } from '../store/sql/copy.ts';
import { placeBeside } from './store.ts';

/** How far a copy is. */
export type CopyProgress = {
  readonly kind: ItemKind;
  /** Items of all kinds. */
  readonly copied: number;
  readonly total: number;
};

export type CopyOptions = {
  /** Goes on with a copy that was begun and not ended. */
  readonly resume: boolean;
  readonly now: () => number;
  /** Hears that the target is being written to. */
  readonly onBegin?: (() => void) | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
};

/** What became of a copy; the counts are those at its end. */
export type CopyOutcome =
  | { readonly refused: 'source_unfinished' | 'target_unfinished' | 'nothing_to_resume' }
  | { readonly refused: 'target_not_empty'; readonly standing: Tally }
  | {
      readonly from: Tally;
      readonly to: Tally;
      /** Kinds whose counts differ, but for counters that cannot come along. */
      readonly differing: readonly ItemKind[];
      /** Kinds of which the source had another number at the beginning. */
      readonly changed: readonly ItemKind[];
      /** Counters that begin anew, because they are kept without their names. */
      readonly lost: number;
    };

/** Kinds whose number changes by itself, as time goes on. */
const ENDING: readonly ItemKind[] = ['counter', 'answer'];

/** Opens a store to copy it; `role` says which way. Rejects with what to do where it cannot be had. */
export async function openStoreCopy(
  { place, policyPath }: NamedStore,
  role: 'from' | 'to',
): Promise<StoreCopy> {
  const store = policyPath === undefined ? place : placeBeside(place, policyPath);
  switch (store.kind) {
    case 'memory':
      throw new Error('a store in memory ends with its process: it cannot be copied');
    case 'sqlite': {
      const { path } = store;
      if (role === 'from' && !existsSync(path)) throw new Error(`there is no store file ${path}`);
      mkdirSync(dirname(path), { recursive: true });
      return openSqliteCopy(path);
    }
    case 'redis': {
      const { openRedisCopy } = await import('../store/redis/copy/copy.ts');
      return openRedisCopy(store);
    }
  }
}

/** Copies everything that one store keeps into another. Rejects where one of them cannot be had, or fails on the way. */
export async function copyBetween(
  stores: { readonly from: NamedStore; readonly to: NamedStore },
  options: CopyOptions,
): Promise<CopyOutcome> {
  const from = await openStoreCopy(stores.from, 'from');
  try {
    const to = await openStoreCopy(stores.to, 'to');
    try {
      return await copyStore(from, to, options);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** Copies everything that one store keeps into another, which must be empty, and counts both at the end. */
export async function copyStore(
  from: StoreCopy,
  to: StoreCopy,
  options: CopyOptions,
): Promise<CopyOutcome> {
  const refused = await refusalOf(from, to, options);
  if (refused) return refused;
  const before = await from.tally(options.now());
  const kinds = ITEM_KINDS.filter((kind) => kind !== 'counter' || canKeepCounters(from, to));
  await to.begin();
  options.onBegin?.();
  await copyItems({ from, to, kinds, before }, options);
  const nowMs = options.now();
  const [after, copied] = await Promise.all([from.tally(nowMs), to.tally(nowMs)]);
  const differing = kinds.filter((kind) => after[kind] !== copied[kind]);
  if (differing.length === 0) await to.finish();
  return {
    ...{ from: after, to: copied, differing },
    changed: ITEM_KINDS.filter((kind) => !ENDING.includes(kind) && before[kind] !== after[kind]),
    lost: canKeepCounters(from, to) ? 0 : after.counter,
  };
}

async function refusalOf(
  from: StoreCopy,
  to: StoreCopy,
  { resume, now }: CopyOptions,
): Promise<CopyOutcome | undefined> {
  if (await from.isUnfinished()) return { refused: 'source_unfinished' };
  const isUnfinished = await to.isUnfinished();
  if (resume) return isUnfinished ? undefined : { refused: 'nothing_to_resume' };
  if (isUnfinished) return { refused: 'target_unfinished' };
  const standing = await to.tally(now());
  const isEmpty = ITEM_KINDS.every((kind) => standing[kind] === 0);
  return isEmpty ? undefined : { refused: 'target_not_empty', standing };
}

function canKeepCounters(from: StoreCopy, to: StoreCopy): boolean {
  return from.countersBy === 'name' || to.countersBy === 'digest';
}

type Copying = {
  readonly from: StoreCopy;
  readonly to: StoreCopy;
  readonly kinds: readonly ItemKind[];
  readonly before: Tally;
};

/** The next part is read while one is written; no more than two are held. */
async function copyItems(
  { from, to, kinds, before }: Copying,
  { now, onProgress }: CopyOptions,
): Promise<void> {
  const total = kinds.reduce((sum, kind) => sum + before[kind], 0);
  let copied = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = async (items: readonly StoredItem[]): Promise<void> => {
    await to.restore(items, now());
    copied += items.length;
    onProgress?.({ kind: items[0]?.kind ?? 'key', copied, total });
  };
  for await (const items of from.dump(kinds, now())) {
    await writing;
    writing = write(items);
    // A failure is met where it is waited for.
    writing.catch(() => undefined);
  }
  await writing;
}
