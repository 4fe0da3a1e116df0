/** Work that is done again and again, one round at a time. */
export type Rounds = {
  /** Brings the next round forward; it comes some milliseconds earlier or later, so that many processes spread. */
  readonly soon: (afterMs: number) => void;
  readonly close: () => void;
};

/** Starts rounds with a first one at once. The work answers in how many milliseconds the next is due, and never rejects. */
export function startRounds(work: () => Promise<number>): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let dueAtMs = Number.POSITIVE_INFINITY;
  let isAtWork = false;
  let isClosed = false;

  const soon = (afterMs: number) => {
    const atMs = performance.now() + afterMs * (0.8 + Math.random() * 0.4);
    if (isClosed || atMs >= dueAtMs) return;
    dueAtMs = atMs;
    clearTimeout(timer);
    if (!isAtWork) timer = setTimeout(round, Math.max(0, atMs - performance.now())).unref();
  };
  const round = async () => {
    isAtWork = true;
    dueAtMs = Number.POSITIVE_INFINITY;
    const nextMs = await work();
    isAtWork = false;
    const earlierMs = dueAtMs - performance.now();
    dueAtMs = Number.POSITIVE_INFINITY;
    soon(Math.min(nextMs, earlierMs));
  };

  soon(0);
  return {
    soon,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
