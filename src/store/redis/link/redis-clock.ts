/** How far two clocks may drift apart: 200 µs in each second, twice what is usual. */
const DRIFT = 0.0002;

/** The clock of one Redis, as this process knows it. */
export type RedisClock = {
  /** Tells that Redis' clock read `redisMs` (whole epoch ms) between two moments of `performance.now()`. */
  readonly observe: (redisMs: number, sentAtMs: number, receivedAtMs: number) => void;
  /** The earliest that Redis' clock can read at a moment of `performance.now()`; undefined before the first answer. */
  readonly earliestMs: (atMs: number) => number | undefined;
  readonly forget: () => void;
};

type Offset = { readonly low: number; readonly high: number; readonly atMs: number };

/**
 * Each answer bounds the offset of the clocks: what Redis said came after the sending and before the receipt. Bounds of
 * several answers are one narrow bound; where they contradict each other a clock was set, and the newest answer stands.
 * So an estimate is never ahead of the clock, and a wrong one lasts until the next answer.
 */
export function createRedisClock(): RedisClock {
  let known: Offset | undefined;
  return {
    observe: (redisMs, sentAtMs, receivedAtMs) => {
      const seen = {
        low: redisMs - receivedAtMs,
        high: redisMs + 1 - sentAtMs,
        atMs: receivedAtMs,
      };
      known = known ? narrow(known, seen) : seen;
    },
    earliestMs: (atMs) => known && atMs + known.low - DRIFT * Math.max(0, atMs - known.atMs),
    forget: () => {
      known = undefined;
    },
  };
}

function narrow(known: Offset, seen: Offset): Offset {
  const drift = DRIFT * Math.max(0, seen.atMs - known.atMs);
  const low = Math.max(known.low - drift, seen.low);
  const high = Math.min(known.high + drift, seen.high);
  return low <= high ? { low, high, atMs: Math.max(known.atMs, seen.atMs) } : seen;
}
