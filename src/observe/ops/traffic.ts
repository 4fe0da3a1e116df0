import { BUCKETS_SECONDS } from '../metrics/makers.ts';
import type { Window } from './history.ts';

/** What happened in a window. */
export type Traffic = {
  readonly since: Date;
  readonly requests: number;
  readonly allowed: number;
  readonly refused: number;
  /** Preflights that Postern answered itself. */
  readonly replies: number;
  /** Refusals by reason, the most frequent first. */
  readonly reasons: readonly (readonly [reason: string, count: number])[];
  /** Milliseconds from the message to the answer; null when there was none. */
  readonly latencyMs: { readonly p50: Quantile; readonly p90: Quantile; readonly p99: Quantile };
};

type Quantile = number | null;

/** Counts a window. */
export function trafficOf({ from, to }: Window): Traffic {
  const allowed = to.checks.allowed - from.checks.allowed;
  const replies = to.checks.replied - from.checks.replied;
  const reasons = [...to.checks.refused]
    .map(([reason, count]) => [reason, count - (from.checks.refused.get(reason) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .sort(([one, many], [other, few]) => few - many || one.localeCompare(other));
  const refused = reasons.reduce((sum, [, count]) => sum + count, 0);
  const within = to.checks.within.map((count, at) => count - (from.checks.within[at] ?? 0));
  const quantile = (part: number) => quantileMs(within, part);
  return {
    since: new Date(from.atMs),
    requests: allowed + refused + replies,
    ...{ allowed, refused, replies, reasons },
    latencyMs: { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) },
  };
}

/**
 * A quantile of cumulative counts by `BUCKETS_SECONDS` and, last, of all; linear within a bucket, as Prometheus'
 * `histogram_quantile` has it. Beyond the last bound nothing is known: then it is that bound.
 */
export function quantileMs(within: readonly number[], part: number): Quantile {
  const total = within.at(-1) ?? 0;
  if (total === 0) return null;
  const rank = part * total;
  const at = within.findIndex((count) => count >= rank);
  const upper = BUCKETS_SECONDS[at] ?? BUCKETS_SECONDS.at(-1) ?? 0;
  if (at >= BUCKETS_SECONDS.length) return rounded(upper);
  const lower = BUCKETS_SECONDS[at - 1] ?? 0;
  const below = within[at - 1] ?? 0;
  const inside = (within[at] ?? 0) - below;
  return rounded(lower + ((upper - lower) * (rank - below)) / inside);
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000_000) / 1000;
}

/** Traffic for programs. */
export function writeTraffic(traffic: Traffic): object {
  const { latencyMs, reasons, ...rest } = traffic;
  return { ...rest, reasons: Object.fromEntries(reasons), latency_ms: latencyMs };
}
