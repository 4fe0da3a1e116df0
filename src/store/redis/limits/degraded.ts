import type { Receipt, Taken } from '../../../core/limit.ts';
import type { Answer } from '../../../core/ports.ts';
import { take } from '../../../core/take.ts';
import { type Counters, createCounters } from '../../counters.ts';
import type { FailureMode } from '../options.ts';
import { mapAnswer } from './answer.ts';
import { createSharing } from './share.ts';

export type Limits = Omit<Counters, 'counts'>;

export type FailureOptions = {
  readonly mode: FailureMode;
  /** Processes that share each limit, at least 1; asked at each decision. */
  readonly replicas: () => number;
  /** Counters held in this process. */
  readonly maxSubjects: number;
  /** A clock that runs evenly, ms, by which outages are told. */
  readonly now: () => number;
  /** Redis' clock as it is estimated, epoch ms: shares go by it where it is known, so that all processes' windows are the same. */
  readonly redisNowMs?: (() => number | undefined) | undefined;
  /** Hears why the store did not answer. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

/** Limits that answer while the store does not. */
export type DegradableLimits = Counters & {
  /** Whether decisions are made without the store. */
  readonly isDegraded: () => boolean;
  /** Whoever probes the store tells that it answers, so that a spell without requests ends too. */
  readonly answered: () => void;
};

/** A spell without the store ends when it answers and has not failed for this long. */
const CALM_MS = 1000;

/**
 * The answers of `limits`; for each request whose limits cannot be had there, whatever the reason, the mode decides:
 * `local`: by counters of this process at its share of each limit, which is `max(1, floor(limit / N))` for N replicas,
 * and 0 for a limit of 0; `allow`: admitted without figures, but for what no counter would ever admit; `deny`: the
 * failure goes on to the caller.
 *
 * The bound of `local`: in one window of limit L the store admits at most L, and each of N processes at most its share
 * s = max(1, floor(L / N)), however many outages fall into the window, because a process goes on counting from one
 * outage to the next. So **admitted <= L + N * s**, which is at most 2 L where L >= N and L + N else; in a window that
 * lies wholly in an outage, N * s. A bucket of size B and rate r admits without the store at most
 * N * max(1, floor(B / N)) + r * t in any interval t, beside the store's own B + r * t. What makes it more: each time
 * the store loses its counters within the window, L; each restart of a process within it, s; and a subject that was
 * forgotten because there were more than `maxSubjects`, s. A cost above the share is refused for as long as it lasts.
 *
 * Headers: limits and policies are the plan's; what remains is what this process will still admit. A receipt is settled
 * where it was charged; one whose store is away stands as it was charged.
 */
export function withFailureMode(limits: Limits, options: FailureOptions): DegradableLimits {
  const local = createLocal(options);
  const alone = { local: local.limits, allow: ADMITTING, deny: undefined }[options.mode];
  const spell = createSpell(options);
  /** What is decided without the store. */
  const decide = <T>(cause: unknown, by: (alone: Alone) => Answer<T>): Answer<T> => {
    options.onFailure?.(cause);
    if (!alone) throw cause;
    spell.began();
    return by(alone);
  };
  const attempt = <T>(ask: () => Answer<T>, by: (alone: Alone) => Answer<T>): Answer<T> => {
    try {
      const answer = ask();
      if (!(answer instanceof Promise)) return answer;
      return answer.then(spell.heard, (cause: unknown) => decide(cause, by));
    } catch (cause) {
      return decide(cause, by);
    }
  };
  const timeOf = (nowMs: number) => options.redisNowMs?.() ?? nowMs;
  return {
    takeLimits: (groups, nowMs) =>
      attempt(
        () => limits.takeLimits(groups, nowMs),
        (by) => by.takeLimits(groups, timeOf(nowMs)),
      ),
    readLimits: (groups, nowMs) =>
      attempt(
        () => limits.readLimits(groups, nowMs),
        (by) => by.readLimits(groups, timeOf(nowMs)),
      ),
    settleLimits: (receipt, cost) =>
      isLocal(receipt)
        ? local.settle(receipt, cost)
        : settleOrLeave(() => limits.settleLimits(receipt, cost), options),
    counts: local.counts,
    isDegraded: spell.isOn,
    answered: () => spell.heard(undefined),
  };
}

type Alone = Pick<Limits, 'takeLimits' | 'readLimits'>;

/** Marks a receipt that this process charged; a copy with other groups has it too. */
const LOCAL = Symbol('charged in this process');

function isLocal(receipt: Receipt): boolean {
  return LOCAL in receipt;
}

function createLocal({ replicas, maxSubjects }: FailureOptions) {
  const counters = createCounters(maxSubjects);
  const { shareOf, told } = createSharing(replicas);
  const limits: Alone = {
    takeLimits: (groups, nowMs) =>
      mapAnswer(counters.takeLimits(groups.map(shareOf), nowMs), (taken): Taken => {
        const usages = told(taken.usages, groups);
        if (taken.refused) return { usages, refused: true };
        const receipt = { groups, takenAtMs: nowMs, [LOCAL]: true };
        return { usages, refused: false, receipt };
      }),
    readLimits: (groups, nowMs) =>
      mapAnswer(counters.readLimits(groups.map(shareOf), nowMs), (usages) => told(usages, groups)),
  };
  return { limits, settle: counters.settleLimits, counts: counters.counts };
}

/** Admits all but what does not even fit into counters that hold nothing. */
const ADMITTING: Alone = {
  takeLimits(groups, nowMs) {
    const { taken } = take([], groups, nowMs);
    return taken.refused ? taken : { usages: [], refused: false };
  },
  readLimits: () => [],
};

/** What was charged stands when it cannot be corrected: a second try might correct it twice. */
function settleOrLeave(settle: () => Answer<void>, { onFailure }: FailureOptions): Answer<void> {
  try {
    const settled = settle();
    return settled instanceof Promise ? settled.catch((cause) => onFailure?.(cause)) : settled;
  } catch (cause) {
    onFailure?.(cause);
  }
}

/** A time in which decisions are made without the store, all or some of them. */
function createSpell({ now }: FailureOptions) {
  let lastMs: number | undefined;
  return {
    began() {
      lastMs = now();
    },
    heard<T>(answer: T): T {
      if (lastMs !== undefined && now() - lastMs >= CALM_MS) lastMs = undefined;
      return answer;
    },
    isOn: () => lastMs !== undefined,
  };
}
