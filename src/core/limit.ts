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
  /** What it counts against, the same text in all counters of one subject of a product: where counters are spread, these stand together. */
  readonly subject: string;
  readonly figures: Figures;
  /** Units taken from each window; a bucket always counts one request. */
  readonly cost: number;
  /** Every unit is taken in the store itself: none are taken ahead to be spent here. */
  readonly isExact?: boolean | undefined;
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

export const NO_LIMITS: Taken = { usages: [], refused: false };

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
