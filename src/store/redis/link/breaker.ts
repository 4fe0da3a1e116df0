import type { NodeHealth } from '../../store.ts';

/** So many calls in a row that were not answered open the breaker. */
const FAILURES = 5;

export type BreakerState = NodeHealth['breaker'];

/** Whether a node is asked at all. It begins open: nobody has seen the node yet. */
export type Breaker = {
  readonly state: () => BreakerState;
  /** Since when it is closed, or not, epoch ms. */
  readonly sinceMs: () => number;
  /** A call was answered. */
  readonly passed: () => void;
  /** A call was not answered: too many in a row open the breaker. Answers whether this one did. */
  readonly failed: () => boolean;
  /** The connection is gone. Answers whether the breaker was closed until here. */
  readonly open: () => boolean;
  /** An open node is tried. */
  readonly probing: () => void;
  /** What that came to: only this closes the breaker. Answers whether it did. */
  readonly probed: (serves: boolean) => boolean;
  /** Resolves once the breaker is closed. */
  readonly closed: () => Promise<void>;
};

export function createBreaker(now: () => number): Breaker {
  let state: BreakerState = 'open';
  let sinceMs = now();
  let failures = 0;
  let waiting: (() => void)[] = [];

  const turn = (next: BreakerState): boolean => {
    state = next;
    sinceMs = now();
    failures = 0;
    return true;
  };
  const close = (): boolean => {
    for (const resolve of waiting) resolve();
    waiting = [];
    return turn('closed');
  };
  return {
    state: () => state,
    sinceMs: () => sinceMs,
    passed: () => {
      failures = 0;
    },
    failed: () => {
      failures += 1;
      return state === 'closed' && failures >= FAILURES && turn('open');
    },
    open: () => {
      const wasClosed = state === 'closed';
      if (state !== 'open') turn('open');
      return wasClosed;
    },
    probing: () => {
      if (state === 'open') state = 'half_open';
    },
    probed: (serves) => {
      if (state !== 'half_open') return false;
      if (serves) return close();
      state = 'open';
      return false;
    },
    closed: () =>
      state === 'closed' ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve)),
  };
}
