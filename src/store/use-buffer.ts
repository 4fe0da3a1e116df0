import type { KeyUse } from '../core/record-store.ts';
import { type Batch, HOUR_MS, type SummedUse } from './batch.ts';
import type { BufferOptions, Waiting } from './buffers.ts';
import { USE_WRITE_MS } from './store.ts';
import { createWriter } from './writer.ts';

/** Keys whose uses may wait for the next write; what comes beyond is dropped and counted. */
const WAITING_MAX = 200_000;
/** From so many on, as many are written as come. */
const WAITING_MANY = 100_000;
export type UseBuffer = Waiting & {
  readonly recordUse: (use: KeyUse) => void;
  /** What waits of one key. */
  readonly pending: (keyId: string) => SummedUse | undefined;
};

/** Where many keys are in use: so many are written in one turn at least, and each within so many turns. */
export type UseTurns = { readonly least: number; readonly turns: number };

/** Uses of one key in one hour, most of which were allowed; what does not fit in stands in `more`. */
type Sum = {
  lastMs: number;
  /** The turn in which it began to wait. */
  readonly turn: number;
  readonly hour: number;
  allowed: number;
  more: SummedUse['counts'][number][] | undefined;
};
type Entry = readonly [keyId: string, sum: Sum];

/**
 * Sums uses of keys between two writes. Where many keys are used, each waits for some turns, so that its uses become
 * one write: who waits longest is first.
 */
export function createUseBuffer(
  write: (batch: Batch) => Promise<void>,
  options: BufferOptions & { readonly uses: UseTurns },
): UseBuffer {
  const waiting = new Map<string, Sum>();
  let dropped = 0;
  let turn = 0;
  const sumOf = (keyId: string, hour: number): Sum | undefined => {
    const known = waiting.get(keyId);
    if (known) return known;
    if (waiting.size >= WAITING_MAX) {
      dropped += 1;
      return undefined;
    }
    const sum: Sum = { lastMs: 0, turn, hour, allowed: 0, more: undefined };
    waiting.set(keyId, sum);
    return sum;
  };
  const source = {
    take(which: 'all' | 'due') {
      turn += 1;
      const size = which === 'all' ? waiting.size : shareOf(waiting.size, options.uses);
      return takeFirst(waiting, { count: size, overdue: turn - options.uses.turns });
    },
    isWaiting: () => waiting.size > 0,
    write: (items: readonly Entry[]) => write({ uses: items.map(summed), events: [] }),
    restore(items: readonly Entry[]) {
      for (const [keyId, lost] of items) {
        const sum = sumOf(keyId, lost.hour);
        if (sum) addAll(sum, summed([keyId, lost]));
      }
    },
  };
  const writer = createWriter(source, { ...options, everyMs: USE_WRITE_MS });
  return {
    recordUse({ keyId, nowMs, reason = '', isKeyRefused = false }) {
      const hour = Math.floor(nowMs / HOUR_MS);
      const sum = sumOf(keyId, hour);
      if (!sum) return;
      if (!isKeyRefused && nowMs > sum.lastMs) sum.lastMs = nowMs;
      add(sum, hour, reason, 1);
      writer.wake();
    },
    pending(keyId) {
      const sum = waiting.get(keyId);
      return sum && summed([keyId, sum]);
    },
    dropped: () => dropped,
    ...writer,
  };
}

/** How many of those that wait are written in one turn. */
function shareOf(size: number, { least, turns }: UseTurns): number {
  return Math.max(least, Math.ceil(size / turns), size - WAITING_MANY);
}

/** Takes the first entries out of a map, which have been in it the longest, in the order of their keys. */
function takeFirst(
  waiting: Map<string, Sum>,
  due: { readonly count: number; readonly overdue: number },
): readonly Entry[] {
  const taken: Entry[] = [];
  for (const entry of waiting) {
    if (taken.length >= due.count && entry[1].turn > due.overdue) break;
    taken.push(entry);
    waiting.delete(entry[0]);
  }
  return taken.sort(([one], [other]) => (one < other ? -1 : 1));
}

function add(sum: Sum, hour: number, reason: string, count: number): void {
  if (hour === sum.hour && reason === '') {
    sum.allowed += count;
    return;
  }
  sum.more ??= [];
  const at = sum.more.findIndex((one) => one.hour === hour && one.reason === reason);
  const known = at === -1 ? 0 : (sum.more[at]?.count ?? 0);
  const counted = { hour, reason, count: known + count };
  if (at === -1) sum.more.push(counted);
  else sum.more[at] = counted;
}

function addAll(sum: Sum, { lastMs, counts }: SummedUse): void {
  sum.lastMs = Math.max(sum.lastMs, lastMs);
  for (const { hour, reason, count } of counts) add(sum, hour, reason, count);
}

function summed([keyId, { lastMs, hour, allowed, more = [] }]: Entry): SummedUse {
  const counts = allowed === 0 ? more : [{ hour, reason: '', count: allowed }, ...more];
  return { keyId, lastMs, counts };
}
