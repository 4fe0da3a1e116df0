import type { CheckReading } from '../metrics/check.ts';

/** What was counted until a moment (epoch ms). */
export type Snapshot = { readonly atMs: number; readonly checks: CheckReading };

/** What was counted between two moments. */
export type Window = { readonly from: Snapshot; readonly to: Snapshot };

/** Windows that end now. One reaches less far than its name says while the process is younger than that. */
export type Windows = {
  readonly sinceStart: Window;
  readonly lastHour: Window;
  readonly lastDay: Window;
  /** The last hour by minutes, the oldest first. */
  readonly minutes: readonly Window[];
};

export type History = {
  /** Keeps how it stands now; to be called every minute. */
  readonly note: () => Promise<void>;
  readonly windows: () => Promise<Windows>;
};

export const NOTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** One more than an hour of minutes, because the last one stands up to a minute back; of five minutes likewise. */
const MINUTES_MAX = 62;
const FIVES_MAX = 290;
const FIVE = 5;

/**
 * Remembers counters as they stood: each minute of an hour, and each fifth of a day, which is all it ever holds.
 * Nobody who counts does anything for it.
 */
export function createHistory(options: {
  readonly read: () => Promise<CheckReading>;
  readonly now: () => number;
  readonly startedMs: number;
}): History {
  const { read, now, startedMs } = options;
  const start: Snapshot = { atMs: startedMs, checks: NOTHING };
  const minutes = [start];
  const fives = [start];
  let notes = 0;
  const snapshot = async () => ({ atMs: now(), checks: await read() });
  return {
    note: async () => {
      const one = await snapshot();
      notes += 1;
      keep(minutes, one, MINUTES_MAX);
      if (notes % FIVE === 0) keep(fives, one, FIVES_MAX);
    },
    windows: async () => {
      const to = await snapshot();
      const from = findFrom(minutes, to.atMs - HOUR_MS) ?? start;
      const later = minutes.slice(minutes.indexOf(from) + 1);
      return {
        sinceStart: { from: start, to },
        lastHour: { from, to },
        lastDay: { from: findFrom(fives, to.atMs - DAY_MS) ?? start, to },
        minutes: pairs([from, ...later, to]),
      };
    },
  };
}

const NOTHING: CheckReading = { allowed: 0, replied: 0, refused: new Map(), within: [] };

function keep(snapshots: Snapshot[], one: Snapshot, max: number): void {
  snapshots.push(one);
  if (snapshots.length > max) snapshots.shift();
}

/** The newest snapshot from which a window reaches as far as `atMs`, else the oldest. */
function findFrom(snapshots: readonly Snapshot[], atMs: number): Snapshot | undefined {
  return snapshots.findLast((one) => one.atMs <= atMs) ?? snapshots[0];
}

function pairs(snapshots: readonly Snapshot[]): readonly Window[] {
  return snapshots.slice(1).map((to, at) => ({ from: snapshots[at] ?? to, to }));
}
