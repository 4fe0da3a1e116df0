import type { KeyHash } from '../core/api-key.ts';
import type { CounterState } from '../core/limit.ts';
import type { FindKey, FindWorkspace, FoundKey, SettleLimits, TakeLimits } from '../core/ports.ts';
import { settle, take } from '../core/take.ts';
import { createRecentMap } from './recent-map.ts';

/** Keys and counters in this process: nothing to install, and nothing outlives a restart. */
export type MemoryStore = {
  readonly findKey: FindKey;
  readonly findWorkspace: FindWorkspace;
  readonly takeLimits: TakeLimits;
  readonly settleLimits: SettleLimits;
  readonly putKey: (hash: KeyHash, found: FoundKey) => void;
  /** Subjects counted now, and subjects forgotten because there were too many. */
  readonly counts: () => { readonly subjects: number; readonly forgotten: number };
};

/** Opens a store of at most `maxSubjects` counters; the longest unused are forgotten first. */
export function openMemoryStore(options: { readonly maxSubjects: number }): MemoryStore {
  const keys = new Map<KeyHash, FoundKey>();
  const counters = createRecentMap<CounterState>(options.maxSubjects);
  return {
    findKey: (hash) => keys.get(hash),
    findWorkspace: () => undefined,
    putKey: (hash, found) => keys.set(hash, found),
    takeLimits(groups, nowMs) {
      const states = groups.map((group) => counters.get(group.counter));
      const { taken, next } = take(states, groups, nowMs);
      for (const [index, group] of groups.entries()) {
        const state = next[index];
        if (state) counters.put(group.counter, state);
      }
      return taken;
    },
    settleLimits({ groups, takenAtMs }, cost) {
      for (const group of groups) {
        const state = counters.get(group.counter);
        if (state)
          counters.put(group.counter, settle(state, { from: group.cost, to: cost, takenAtMs }));
      }
    },
    counts: () => {
      const { held, forgotten } = counters.counts();
      return { subjects: held, forgotten };
    },
  };
}
