import { compileKey, type KeyRecord, keyHashes } from '../core/key-record.ts';
import type { CounterState } from '../core/limit.ts';
import type { FindKey, FindWorkspace, SettleLimits, TakeLimits } from '../core/ports.ts';
import { settle, take } from '../core/take.ts';
import { createKeyTable } from './key-table.ts';
import { createRecentMap } from './recent-map.ts';

/** Keys and counters in this process: nothing to install, and nothing outlives a restart. */
export type MemoryStore = {
  readonly findKey: FindKey;
  readonly findWorkspace: FindWorkspace;
  readonly takeLimits: TakeLimits;
  readonly settleLimits: SettleLimits;
  /** Keeps a key under each of its hashes; throws where the record is malformed. */
  readonly putKey: (record: KeyRecord) => void;
  /** Subjects counted now, and subjects forgotten because there were too many. */
  readonly counts: () => { readonly subjects: number; readonly forgotten: number };
};

/** Opens a store of at most `maxSubjects` counters; the longest unused are forgotten first. */
export function openMemoryStore(options: { readonly maxSubjects: number }): MemoryStore {
  const keys = createKeyTable();
  const counters = createRecentMap<HeldState>(options.maxSubjects);
  return {
    findKey(hash) {
      const text = keys.find(hash);
      if (text === undefined) return undefined;
      const { until, ...record }: StoredKey = JSON.parse(text);
      return { key: compileKey(record), until };
    },
    findWorkspace: () => undefined,
    putKey(record) {
      compileKey(record);
      for (const { hash, untilMs } of keyHashes(record)) {
        const stored: StoredKey = { ...record, hash: '', until: untilMs };
        keys.put(hash, JSON.stringify(stored));
      }
    },
    takeLimits(groups, nowMs) {
      const states = groups.map((group) => counters.get(group.counter));
      const { taken, next } = take(states, groups, nowMs);
      for (const [index, group] of groups.entries()) {
        const state = next[index];
        if (state) counters.put(group.counter, hold(counters.get(group.counter), state));
      }
      return taken;
    },
    settleLimits({ groups, takenAtMs }, cost) {
      for (const group of groups) {
        const state = counters.get(group.counter);
        if (!state) continue;
        const change = { from: group.cost, to: cost, takenAtMs };
        counters.put(group.counter, hold(state, settle(state, change)));
      }
    },
    counts: () => {
      const { held, forgotten } = counters.counts();
      return { subjects: held, forgotten };
    },
  };
}

/** A key as it is kept, for one of its hashes. */
type StoredKey = KeyRecord & { readonly until: number | undefined };

type HeldWindow = { slot: number; startMs: number; count: number };
type HeldState = {
  windows: HeldWindow[];
  bucket: { level: number; atMs: number; lengthMs: number } | undefined;
};

/**
 * Writes a state over the one that is held: a new object for each request would end among the old ones of a
 * large heap, which the collector then has to walk again and again.
 */
function hold(held: HeldState | undefined, { windows, bucket }: CounterState): HeldState {
  if (!held || held.windows.length !== windows.length) {
    return { windows: windows.map((window) => ({ ...window })), bucket: bucket && { ...bucket } };
  }
  for (const [at, window] of windows.entries()) Object.assign(held.windows[at] ?? {}, window);
  if (held.bucket && bucket) Object.assign(held.bucket, bucket);
  else held.bucket = bucket && { ...bucket };
  return held;
}
