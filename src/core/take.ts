import {
  type Bucket,
  type CounterState,
  type LimitGroup,
  type Receipt,
  type Taken,
  type Usage,
  WINDOWS,
  type Window,
} from './limit.ts';

const LENGTHS_MS = [1000, 60_000, 3_600_000, 86_400_000] as const;
const DAY_MS = 86_400_000;
const QUOTA_DAY = WINDOWS.indexOf('quota_day');
const NEVER_MS = 8_640_000_000_000_000;

/** Start and end of the UTC window that a moment lies in, epoch ms. */
export function windowAt(slot: number, nowMs: number): { startMs: number; endMs: number } {
  const lengthMs = slot === QUOTA_DAY ? DAY_MS : LENGTHS_MS[slot];
  if (lengthMs !== undefined) {
    const startMs = Math.floor(nowMs / lengthMs) * lengthMs;
    return { startMs, endMs: startMs + lengthMs };
  }
  const now = new Date(nowMs);
  const year = now.getUTCFullYear();
  const month = now.getUTCMonth();
  return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1) };
}

type Standing = {
  readonly startMs: number;
  readonly endMs: number;
  readonly count: number;
  readonly fits: boolean;
};
type Filling = { readonly level: number; readonly atMs: number; readonly fits: boolean };
type Reading = { readonly windows: readonly Standing[]; readonly filling: Filling | undefined };

/**
 * Takes all groups, all or nothing: a pure function of states, limits and time, and the reference for
 * every store. `states` and `next` are in the order of the groups; when refused, `next` is `states`.
 */
export function take(
  states: readonly (CounterState | undefined)[],
  groups: readonly LimitGroup[],
  nowMs: number,
): { readonly taken: Taken; readonly next: readonly (CounterState | undefined)[] } {
  const readings = groups.map((group, index) => read(states[index], group, nowMs));
  const refused = !readings.every(
    ({ windows, filling }) => windows.every((one) => one.fits) && filling?.fits !== false,
  );
  const usages = groups.flatMap((group, index) => usagesOf(group, readings[index], refused));
  const next = groups.map((group, index) => {
    const reading = readings[index];
    return refused || !reading ? states[index] : charge(states[index], group, reading);
  });
  const receipt: Receipt | undefined = refused ? undefined : { groups, takenAtMs: nowMs };
  return { taken: { usages, refused, receipt }, next };
}

/** How groups stand before a request: what `take` would tell, with nothing taken. `states` are in their order. */
export function peek(
  states: readonly (CounterState | undefined)[],
  groups: readonly LimitGroup[],
  nowMs: number,
): readonly Usage[] {
  return groups.flatMap((group, index) => usagesOf(group, read(states[index], group, nowMs), true));
}

/** Corrects a charge of `from` units taken at `takenAtMs` to `to` units, in the windows that still run. */
export function settle(
  state: CounterState,
  change: { readonly from: number; readonly to: number; readonly takenAtMs: number },
): CounterState {
  const windows = state.windows.map((window) => {
    if (windowAt(window.slot, change.takenAtMs).startMs !== window.startMs) return window;
    return { ...window, count: Math.max(0, window.count + change.to - change.from) };
  });
  const { bucket } = state;
  if (change.to > 0 || !bucket) return { ...state, windows };
  return { windows, bucket: { ...bucket, level: Math.max(0, bucket.level - bucket.lengthMs) } };
}

function read(state: CounterState | undefined, group: LimitGroup, nowMs: number): Reading {
  const windows = group.figures.windows.map((window): Standing => {
    const held = state?.windows.find((one) => one.slot === window.slot);
    const current = windowAt(window.slot, nowMs);
    // A clock that was set back must not open the window again.
    const at =
      held && held.startMs > current.startMs ? windowAt(window.slot, held.startMs) : current;
    const count = held?.startMs === at.startMs ? held.count : 0;
    return { ...at, count, fits: count + group.cost <= window.limit };
  });
  const { bucket } = group.figures;
  return { windows, filling: bucket && fillingOf(bucket, state?.bucket, nowMs) };
}

function fillingOf(bucket: Bucket, held: CounterState['bucket'], nowMs: number): Filling {
  const atMs = Math.max(nowMs, held?.atMs ?? 0);
  const before = held ? Math.ceil((held.level * bucket.lengthMs) / held.lengthMs) : 0;
  const level = held ? Math.max(0, before - (atMs - held.atMs) * bucket.limit) : 0;
  return { level, atMs, fits: level + bucket.lengthMs <= bucket.size * bucket.lengthMs };
}

function usagesOf(group: LimitGroup, reading: Reading | undefined, refused: boolean): Usage[] {
  const { windows, bucket } = group.figures;
  const cost = refused ? 0 : group.cost;
  const usages = windows.flatMap((window, at) => {
    const standing = reading?.windows[at];
    return standing ? [windowUsage(window, standing, cost)] : [];
  });
  if (bucket && reading?.filling) usages.push(bucketUsage(bucket, reading.filling, refused));
  return usages;
}

function windowUsage(window: Window, standing: Standing, cost: number): Usage {
  const { startMs, endMs, count, fits } = standing;
  return {
    label: window.label,
    policy: window.policy,
    limit: window.limit,
    quota: window.quota,
    remaining: Math.max(0, window.limit - count - cost),
    lengthMs: endMs - startMs,
    resetAtMs: endMs,
    retryAtMs: fits ? undefined : endMs,
  };
}

function bucketUsage(bucket: Bucket, filling: Filling, refused: boolean): Usage {
  const capacity = bucket.size * bucket.lengthMs;
  const level = refused ? filling.level : filling.level + bucket.lengthMs;
  const excess = filling.level + bucket.lengthMs - capacity;
  const waitMs = bucket.limit === 0 ? NEVER_MS : Math.ceil(excess / bucket.limit);
  return {
    label: bucket.label,
    policy: bucket.policy,
    limit: bucket.limit,
    burst: bucket.size,
    quota: false,
    remaining: Math.max(0, Math.floor((capacity - level) / bucket.lengthMs)),
    lengthMs: Math.ceil(capacity / Math.max(bucket.limit, 1)),
    resetAtMs: filling.atMs + Math.ceil(level / Math.max(bucket.limit, 1)),
    retryAtMs: filling.fits ? undefined : Math.min(filling.atMs + waitMs, NEVER_MS),
  };
}

function charge(
  state: CounterState | undefined,
  group: LimitGroup,
  reading: Reading,
): CounterState {
  const { windows, bucket } = group.figures;
  const charged = windows.map((window, at) => ({
    slot: window.slot,
    startMs: reading.windows[at]?.startMs ?? 0,
    count: (reading.windows[at]?.count ?? 0) + group.cost,
  }));
  for (const held of state?.windows ?? []) {
    if (!windows.some((window) => window.slot === held.slot)) charged.push(held);
  }
  if (!bucket || !reading.filling) return { windows: charged, bucket: state?.bucket };
  const { level, atMs } = reading.filling;
  const { lengthMs } = bucket;
  return { windows: charged, bucket: { level: level + lengthMs, atMs, lengthMs } };
}
