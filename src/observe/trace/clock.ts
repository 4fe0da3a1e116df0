/** Seconds and nanoseconds since the epoch. */
export type EpochTime = [seconds: number, nanoseconds: number];

/** Milliseconds: `wall` since the epoch, `monotonic` since any moment, and nobody can set it. */
export type Clocks = {
  readonly wall: () => number;
  readonly monotonic: () => number;
};

/** The wall clock tells whole milliseconds: what differs by less is no difference. */
const TOLERANCE_MS = 2;
const MS = 1000;
const NS_IN_MS = 1_000_000;

/**
 * Makes what turns monotonic times into times of the day. All times go through one offset, so that parts of a check
 * never seem to stand outside of it; the offset follows a clock that was set.
 */
export function createEpochClock({ wall, monotonic }: Clocks): (monotonicMs: number) => EpochTime {
  let offsetMs = 0;
  return (monotonicMs) => {
    const driftMs = wall() - monotonic();
    if (Math.abs(driftMs - offsetMs) > TOLERANCE_MS) offsetMs = driftMs;
    return epochTime(monotonicMs + offsetMs);
  };
}

function epochTime(epochMs: number): EpochTime {
  const seconds = Math.floor(epochMs / MS);
  const nanoseconds = Math.floor((epochMs - seconds * MS) * NS_IN_MS);
  return [seconds, nanoseconds];
}
