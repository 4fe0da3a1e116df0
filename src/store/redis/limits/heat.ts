import { createRecentMap } from '../../recent-map.ts';

/** A counter is hot from so many requests on within one frame. */
const HOT_REQUESTS = 20;
const FRAME_MS = 1000;
/** A rate is told over no less than this, or a few requests at once would look like a flood. */
const LEAST_SPAN_MS = 50;
/** A lease is asked for as many units as are spent in this time. */
const SHARE_MS = 500;
/** Of what remains, one instance takes at most its part of a quarter: the last units are taken one by one. */
const QUARTER = 4;
/** Smaller leases save no trips. */
const LEAST_SHARE = 10;

/** Siblings are told at most so often that a counter refused. */
const TOLD_MS = 100;

type Frame = { sinceMs: number; requests: number; units: number; toldAtMs: number };

/** Which counters are asked for often. */
export type Heat = {
  /** Counts a request that took a trip; answers the units a second when its counter is hot. */
  readonly warm: (counter: string, cost: number, steadyMs: number) => number | undefined;
  /** Whether siblings were not told of a counter a moment ago; then they are now. */
  readonly isNeedNews: (counter: string, steadyMs: number) => boolean;
};

/** Watches at most `max` counters; those longest not asked for are forgotten first. */
export function createHeat(max: number): Heat {
  const frames = createRecentMap<Frame>(max);
  return {
    warm(counter, cost, steadyMs) {
      const frame = frames.get(counter) ?? newFrame(steadyMs);
      if (steadyMs - frame.sinceMs >= FRAME_MS) {
        Object.assign(frame, { sinceMs: steadyMs, requests: 0, units: 0 });
      }
      frame.requests += 1;
      frame.units += cost;
      frames.put(counter, frame);
      if (frame.requests < HOT_REQUESTS) return undefined;
      return rateOf(frame.units, steadyMs - frame.sinceMs);
    },
    isNeedNews(counter, steadyMs) {
      const frame = frames.get(counter);
      if (!frame || steadyMs - frame.toldAtMs < TOLD_MS) return false;
      frame.toldAtMs = steadyMs;
      return true;
    },
  };
}

function newFrame(sinceMs: number): Frame {
  return { sinceMs, requests: 0, units: 0, toldAtMs: Number.NEGATIVE_INFINITY };
}

/** Units a second. */
export function rateOf(units: number, spanMs: number): number {
  return (units * 1000) / Math.max(LEAST_SPAN_MS, spanMs);
}

/** The units to lease at a rate (units a second) when so many remain; 0 when single trips serve better. */
export function shareAt(rate: number, remaining: number, replicas: number): number {
  const wanted = Math.ceil((rate * SHARE_MS) / 1000);
  const share = Math.min(wanted, Math.floor(remaining / (QUARTER * Math.max(1, replicas))));
  return share >= LEAST_SHARE ? share : 0;
}
