import type { CounterState, LimitGroup } from '../core/limit.ts';
import { WINDOWS } from '../core/limit.ts';
import { peek, settle, take } from '../core/take.ts';
import { createRecentMap } from './recent-map.ts';
import type { GateStore } from './store.ts';

/** Windows that outlive a restart, by their place in `WINDOWS`. */
export const LASTING_SLOTS: readonly number[] = (
  ['day', 'month', 'quota_day', 'quota_month'] as const
).map((name) => WINDOWS.indexOf(name));

/** Counters of limits in this process. */
export type Counters = Pick<GateStore, 'takeLimits' | 'settleLimits' | 'readLimits'> & {
  readonly counts: () => { readonly held: number; readonly forgotten: number };
};

/** Where windows of days and months outlive a restart: each counter that changed is told, one unknown is looked up. */
export type Lasting = {
  readonly find: (counter: string) => readonly CounterRow[];
  readonly changed: (counter: string, windows: readonly HeldWindow[]) => void;
};

/** A window of a counter as it stands; one that ends before the day is over is never written. */
export type CounterRow = {
  readonly name: string;
  readonly slot: number;
  readonly startMs: number;
  readonly count: number;
};

export type HeldWindow = { slot: number; startMs: number; count: number };
type HeldState = {
  windows: HeldWindow[];
  bucket: { level: number; atMs: number; lengthMs: number } | undefined;
  /** Whether what outlived a restart is in it. */
  isWhole: boolean;
};

/** Makes counters of at most `maxSubjects` subjects; the longest unused are forgotten first. */
export function createCounters(maxSubjects: number, lasting?: Lasting): Counters {
  const held = createRecentMap<HeldState>(maxSubjects);
  const stateOf = (group: LimitGroup): HeldState | undefined => {
    const state = held.get(group.counter);
    if (!lasting || state?.isWhole === true || !isLasting(group)) return state;
    return completed(state, lasting.find(group.counter));
  };
  const keep = (group: LimitGroup, state: CounterState, before: HeldState | undefined): void => {
    const now = hold(before, state);
    now.isWhole ||= isLasting(group);
    held.put(group.counter, now);
    if (lasting && isLasting(group)) lasting.changed(group.counter, now.windows);
  };
  return {
    takeLimits(groups, nowMs) {
      const states = groups.map(stateOf);
      const { taken, next } = take(states, groups, nowMs);
      for (const [index, group] of groups.entries()) {
        const before = states[index];
        const state = next[index];
        // Who is refused stays among those in use, or waiting would not be what ends a refusal.
        if (taken.refused && before) held.put(group.counter, before);
        else if (state) keep(group, state, before);
      }
      return taken;
    },
    settleLimits({ groups, takenAtMs }, cost) {
      for (const group of groups) {
        const state = stateOf(group);
        if (state) keep(group, settle(state, { from: group.cost, to: cost, takenAtMs }), state);
      }
    },
    readLimits: (groups, nowMs) => peek(groups.map(stateOf), groups, nowMs),
    counts: held.counts,
  };
}

function isLasting({ figures }: LimitGroup): boolean {
  return figures.windows.some(({ slot }) => LASTING_SLOTS.includes(slot));
}

/** A state with the windows that were found beside those that it holds. */
function completed(
  state: HeldState | undefined,
  found: readonly CounterRow[],
): HeldState | undefined {
  if (!state && found.length === 0) return undefined;
  const windows = state?.windows ?? [];
  const missing = found.filter(({ slot }) => !windows.some((window) => window.slot === slot));
  return {
    windows: [...windows, ...missing.map(({ slot, startMs, count }) => ({ slot, startMs, count }))],
    bucket: state?.bucket,
    isWhole: true,
  };
}

/**
 * Writes a state over the one that is held: a new object for each request would end among the old ones of a
 * large heap, which the collector then has to walk again and again.
 */
function hold(held: HeldState | undefined, { windows, bucket }: CounterState): HeldState {
  if (!held || held.windows.length !== windows.length) {
    return {
      windows: windows.map(({ slot, startMs, count }) => ({ slot, startMs, count })),
      bucket: bucket && { ...bucket },
      isWhole: held?.isWhole ?? false,
    };
  }
  for (const [at, window] of windows.entries()) Object.assign(held.windows[at] ?? {}, window);
  if (held.bucket && bucket) Object.assign(held.bucket, bucket);
  else held.bucket = bucket && { ...bucket };
  return held;
}
