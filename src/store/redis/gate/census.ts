/** A process that was not seen for so long counts as gone. */
const ALIVE_MS = 5000;
const TOLD_EVERY_MS = 1000;
/** Just after an outage others may not have told yet: the most of so many counts is believed. */
const COUNTS_KEPT = 10;

/** Counts the processes alive: each tells of itself with a poll now and then. */
export function createCensus(instance: string) {
  let counts: readonly number[] = [];
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return {
    /** What the next poll says: the name of this process, where it is time to tell, and how long it counts. */
    args(): readonly [string, number] {
      const nowMs = performance.now();
      if (nowMs - toldAtMs < TOLD_EVERY_MS) return ['', ALIVE_MS];
      toldAtMs = nowMs;
      return [instance, ALIVE_MS];
    },
    /** Takes the answer of a poll, which counted only where it was told. */
    learn(alive: unknown): void {
      if (typeof alive === 'string') counts = [...counts, Number(alive)].slice(-COUNTS_KEPT);
    },
    count: () => Math.max(1, ...counts),
  };
}
