import type { LimitGroup, Taken, Usage } from '../../../core/limit.ts';
import { mapAnswer } from './answer.ts';
import type { Limits } from './degraded.ts';
import { createHeat } from './heat.ts';
import { type Lease, type Moment, usagesByGroup } from './lease.ts';
import { createBook, type LeaseCounts } from './lease-book.ts';
import { createHolds, type LeaseHolds, leastOf } from './lease-holds.ts';
import { settleParts } from './lease-receipt.ts';
import { createTaking } from './lease-taking.ts';

/** Counters whose rate is watched; those longest not asked for are forgotten first. */
const WATCHED = 10_000;
/** How often leases are looked after: what is left of one goes back at most so much after its end. */
const TEND_MS = 250;

export type LeaseOptions = {
  /** A clock that runs evenly, ms. */
  readonly steadyMs: () => number;
  /** The calendar, epoch ms. */
  readonly now: () => number;
  /** Processes that share each limit, at least 1. */
  readonly replicas: () => number;
  /** Tells siblings of a counter that refused: they `recall` it. */
  readonly tellNeed?: ((counter: string) => void) | undefined;
  /** Hears why a lease could not be fetched or given back. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

export type LeasedLimits = Limits & {
  /** A sibling needs units of a counter: what is left of it goes back. */
  readonly recall: (counter: string) => void;
  /** Gives back what is left of leases whose time is over; a timer does it too. */
  readonly tend: () => void;
  readonly counts: () => LeaseCounts;
  /** Gives everything back; what is taken later takes a trip. */
  readonly close: () => Promise<void>;
};

/**
 * The same limits with fewer trips: of a counter that is asked for often, this process takes a share in one trip and
 * spends it by itself, with the answer at hand. Never more than the limit is admitted in a window by all processes
 * together, because a unit is spent only after it was charged and in the window that it was charged in: a lease ends
 * before its smallest window by Redis' clock, of which the process knows how far it has gone on at most since the
 * charge. A Redis whose clock is set, or that loses what it had acknowledged, loosens this by the leases held then.
 *
 * A lease lasts a second at most and is as large as half a second's use, but no larger than this process' part of a
 * quarter of what remains: where little remains, each request takes a trip. What is not spent goes back at the end of
 * the lease, on `close`, and on `recall`. Until then a sibling may be refused although units are left here; a crash
 * loses what was left of one lease and the next of each counter until its windows end.
 *
 * Figures with a bucket are never leased: requests taken together now and let through later are closer to others than
 * the bucket admits, by a whole lease, and `burst + rate * t` would hold no more. Where a request has leased groups and
 * others, the others take the trip, and when they refuse what was spent here is undone.
 *
 * What remains, as it is told: what stood in Redis after the last lease, less two leases for each sibling, and what is
 * left here. That is exact for one process, and not too much as long as no sibling takes more than that within a second.
 */
export function withLeases(limits: Limits, options: LeaseOptions): LeasedLimits {
  const { steadyMs, now, replicas, onFailure } = options;
  const moment = (nowMs = now()): Moment => ({ steadyMs: steadyMs(), nowMs });
  const book = createBook(limits, { moment, onFailure });
  const holds = createHolds({ book, replicas, moment });
  const take = createTaking({ limits, book, holds, moment }, createWatch(holds, options));
  const timer = setInterval(holds.tend, TEND_MS).unref();
  return {
    takeLimits: take,
    settleLimits: (receipt, cost) => settleParts(limits, receipt, cost),
    readLimits(groups, nowMs) {
      const leases = groups.map((group) => holds.liveOf(group, moment(nowMs)));
      return mapAnswer(limits.readLimits(groups, nowMs), (usages) =>
        tellLeft(groups, leases, usages),
      );
    },
    recall: holds.recall,
    tend: holds.tend,
    counts: book.counts,
    close() {
      clearInterval(timer);
      return book.close();
    },
  };
}

/** Hears of each trip: leases what is asked for often, and tells siblings what was refused. */
function createWatch(holds: LeaseHolds, { steadyMs, tellNeed }: LeaseOptions) {
  const heat = createHeat(WATCHED);
  const hear = (group: LimitGroup, usages: readonly Usage[], nowMs: number): void => {
    const atMs = steadyMs();
    const rate = heat.warm(group.counter, group.cost, atMs);
    if (rate === undefined) return;
    const isRefused = usages.some(({ retryAtMs }) => retryAtMs !== undefined);
    if (!isRefused) holds.ask(group, { rate, remaining: leastOf(usages), nowMs });
    else if (heat.isNeedNews(group.counter, atMs)) tellNeed?.(group.counter);
  };
  return (groups: readonly LimitGroup[], taken: Taken, nowMs: number): void => {
    const told = usagesByGroup(groups, taken.usages) ?? [];
    for (const [index, group] of groups.entries()) {
      const usages = told[index];
      const { windows, bucket } = group.figures;
      const isLeasable = !group.isExact && !bucket && windows.length > 0;
      if (isLeasable && usages) hear(group, usages, nowMs);
    }
  };
}

/** What Redis told, with what is left of leases in the windows that they were charged in. */
function tellLeft(
  groups: readonly LimitGroup[],
  leases: readonly (readonly Lease[])[],
  usages: readonly Usage[],
): readonly Usage[] {
  const told = usagesByGroup(groups, usages);
  if (!told) return usages;
  return told.flatMap((ofGroup, index) => {
    const own = leases[index] ?? [];
    const cost = groups[index]?.cost ?? 0;
    return own.length === 0 ? ofGroup : ofGroup.map((usage, at) => withLeft(usage, at, own, cost));
  });
}

function withLeft(usage: Usage, at: number, leases: readonly Lease[], cost: number): Usage {
  const sameWindow = leases.filter(({ windows }) => windows[at]?.resetAtMs === usage.resetAtMs);
  const remaining = sameWindow.reduce((sum, { left }) => sum + left, usage.remaining);
  return { ...usage, remaining, retryAtMs: remaining >= cost ? undefined : usage.retryAtMs };
}
