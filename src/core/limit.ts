import { type Deny, deny } from './decision.ts';

/** The windows that a plan may hold; the quota windows answer 402 instead of 429. */
export const WINDOWS = [
  'second',
  'minute',
  'hour',
  'day',
  'month',
  'quota_day',
  'quota_month',
] as const;
export type WindowName = (typeof WINDOWS)[number];

/** One fixed UTC window: never more than `limit` units in it. */
export type Window = {
  /** Place in `WINDOWS`, and so in a counter's state. */
  readonly slot: number;
  readonly limit: number;
  /** `300/minute`, as in `X-RateLimit-Policy`. */
  readonly policy: string;
  /** Name in the IETF fields. */
  readonly label: string;
  readonly quota: boolean;
};

/** A GCRA bucket of `size` requests, refilled at `limit` per `lengthMs`, the smallest window. */
export type Bucket = {
  readonly size: number;
  readonly limit: number;
  readonly lengthMs: number;
  readonly policy: string;
  readonly label: string;
};

/** The compiled figures of a plan, a key's own limit or a route's limit. */
export type Figures = {
  readonly windows: readonly Window[];
  readonly bucket?: Bucket | undefined;
};

/** One counter to take from: `counter` names plan or limit and subject, and never collides. */
export type LimitGroup = {
  readonly counter: string;
  readonly figures: Figures;
  /** Units taken from each window; a bucket always counts one request. */
  readonly cost: number;
};

/** What one counter holds. */
export type CounterState = {
  readonly windows: readonly {
    readonly slot: number;
    readonly startMs: number;
    readonly count: number;
  }[];
  /** The bucket's filling at `atMs`: each request adds `lengthMs`, each millisecond drains its limit. */
  readonly bucket?:
    | { readonly level: number; readonly atMs: number; readonly lengthMs: number }
    | undefined;
};

/** How one window or bucket stands after this request, or, when it is refused, without it. */
export type Usage = {
  readonly label: string;
  readonly policy: string;
  readonly limit: number;
  /** The bucket's size; undefined for a window. */
  readonly burst?: number | undefined;
  readonly quota: boolean;
  readonly remaining: number;
  readonly lengthMs: number;
  /** When the window starts anew, or the bucket is full again; epoch ms. */
  readonly resetAtMs: number;
  /** When this request would fit, epoch ms; undefined when it fits now. */
  readonly retryAtMs?: number | undefined;
};

/** What was charged where, so that a cost known later can be settled. */
export type Receipt = { readonly groups: readonly LimitGroup[]; readonly takenAtMs: number };

/** The outcome of taking all limits of a request; when `refused`, nothing was charged. */
export type Taken = {
  readonly usages: readonly Usage[];
  readonly refused: boolean;
  readonly receipt?: Receipt | undefined;
};

const LENGTHS_MS = [1000, 60_000, 3_600_000, 86_400_000] as const;
const DAY_MS = 86_400_000;
const QUOTA_DAY = WINDOWS.indexOf('quota_day');
const NEVER_MS = 8_640_000_000_000_000;

export const NO_LIMITS: Taken = { usages: [], refused: false };

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
  const usages: Usage[] = [];
  const next: (CounterState | undefined)[] = [];
  for (const [index, group] of groups.entries()) {
    const reading = readings[index];
    if (!reading) continue;
    const cost = refused ? 0 : group.cost;
    for (const [at, standing] of reading.windows.entries()) {
      const window = group.figures.windows[at];
      if (window) usages.push(windowUsage(window, standing, cost));
    }
    const { bucket } = group.figures;
    if (bucket && reading.filling) usages.push(bucketUsage(bucket, reading.filling, refused));
    next.push(refused ? states[index] : charge(states[index], group, reading));
  }
  const receipt: Receipt | undefined = refused ? undefined : { groups, takenAtMs: nowMs };
  return { taken: { usages, refused, receipt }, next };
}

/** Refuses by what was taken: the longest wait says whether it is the rate or the quota. */
export function judgeTaken(taken: Taken): Deny | undefined {
  const usage = bindingUsage(taken);
  if (!taken.refused || !usage) return undefined;
  return deny('limit', usage.quota ? 'quota_exhausted' : 'rate_limited');
}

/** The usage that the client is told: on a refusal the longest wait, else the window with the fewest units left. */
export function bindingUsage(taken: Taken): Usage | undefined {
  let binding: Usage | undefined;
  for (const usage of taken.usages) {
    if (taken.refused ? usage.retryAtMs === undefined : usage.burst !== undefined) continue;
    if (!binding || isTighter(usage, binding)) binding = usage;
  }
  return binding;
}

function isTighter(usage: Usage, binding: Usage): boolean {
  if (usage.retryAtMs !== undefined) return usage.retryAtMs > (binding.retryAtMs ?? 0);
  return usage.remaining < binding.remaining;
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

/** Whether nothing in a counter counts any more, so that forgetting it changes no answer. */
export function isSpent(state: CounterState, nowMs: number): boolean {
  const { bucket } = state;
  if (bucket && bucket.level > 0) return false;
  return state.windows.every((window) => windowAt(window.slot, nowMs).startMs > window.startMs);
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
