import type { LimitGroup, Usage } from '../../../core/limit.ts';
import { rateOf, shareAt } from './heat.ts';
import { elapsedMs, isLive, isLow, type Lease, type Moment } from './lease.ts';
import { type Hold, type LeaseBook, PAUSE_MS } from './lease-book.ts';

/** Each sibling is thought to take at most so many leases like ours while ours lasts. */
const SIBLING_LEASES = 2;
const NO_LIMIT = Number.POSITIVE_INFINITY;

export type HoldOptions = {
  readonly book: LeaseBook;
  /** Processes that share each limit. */
  readonly replicas: () => number;
  /** This moment, with the time that a caller gives, or the calendar's. */
  readonly moment: (nowMs?: number) => Moment;
};

/** Units a second, what remains of the limit, and the caller's time (epoch ms). */
export type Worth = { readonly rate: number; readonly remaining: number; readonly nowMs: number };

/** The leases of this process, by counter. */
export type LeaseHolds = {
  /** Spends a group's cost; undefined when no lease has as much. What is left of one that has less goes back first. */
  readonly spend: (group: LimitGroup, at: Moment) => Lease | undefined;
  /** The usages of a group that is leased. */
  readonly usagesOf: (group: LimitGroup) => readonly Usage[];
  /** Leases units of a group where that is worth it. */
  readonly ask: (group: LimitGroup, worth: Worth) => void;
  /** The leases of a group that can be spent. */
  readonly liveOf: (group: LimitGroup, at: Moment) => readonly Lease[];
  /** Gives back what is left of a counter, whatever its figures, and leases none of it for a moment. */
  readonly recall: (counter: string) => void;
  /** Whether a group is leased; what other figures have leased of its counter goes back, and counts too. */
  readonly haveUnits: (groups: readonly LimitGroup[], at: Moment) => boolean;
  /** Gives back what is left of leases whose time is over. */
  readonly tend: () => void;
};

export function createHolds({ book, replicas, moment }: HoldOptions): LeaseHolds {
  const holds = createHoldMap();
  const ask = (hold: Hold, { rate, remaining, nowMs }: Worth): void => {
    if (hold.isAsked || hold.next) return;
    const askedAt = moment(nowMs);
    const count = replicas();
    const cost = shareAt(rate, remaining, count);
    if (cost === 0 || askedAt.steadyMs < hold.notBeforeMs) return;
    const reserve = SIBLING_LEASES * Math.max(0, count - 1) * cost;
    book.fetch({ hold, group: { ...hold.group, cost }, askedAt, reserve });
  };
  const giveBack = (hold: Hold, { steadyMs }: Moment): number => {
    hold.notBeforeMs = steadyMs + PAUSE_MS;
    return leasesOf(hold).reduce((units, lease) => units + book.end(lease), 0);
  };
  return {
    spend(group, at) {
      const hold = holds.find(group);
      const lease = hold && leaseWith(hold, group.cost, { at, book });
      if (!lease) return undefined;
      lease.left -= group.cost;
      if (!hold.isAsked && !hold.next && isLow(lease, at)) {
        const rate = rateOf(lease.group.cost - lease.left, elapsedMs(lease, at));
        ask(hold, { rate, remaining: leastOf(lease.windows), nowMs: at.nowMs });
      }
      return lease;
    },
    usagesOf: (group) => usagesOf(holds.find(group)),
    ask: (group, worth) => ask(holds.of(group), worth),
    liveOf: (group, at) => leasesOf(holds.find(group)).filter((lease) => isLive(lease, at)),
    haveUnits(groups, at) {
      const found = groups.map((group) => {
        const own = holds.find(group);
        if (leasesOf(own).some((lease) => isLive(lease, at) && lease.left >= group.cost))
          return true;
        const others = holds.ofCounter(group.counter).filter((hold) => hold !== own);
        return others.map((hold) => giveBack(hold, at)).some((units) => units > 0);
      });
      return found.includes(true);
    },
    recall(counter) {
      const at = moment();
      for (const hold of holds.ofCounter(counter)) giveBack(hold, at);
    },
    tend() {
      const at = moment();
      for (const lease of book.live) if (!isLive(lease, at)) book.end(lease);
      holds.forgetIdle(at.steadyMs);
    },
  };
}

/** What remains in the tightest window. */
export function leastOf(usages: readonly Usage[]): number {
  return usages.reduce((least, usage) => Math.min(least, usage.remaining), NO_LIMIT);
}

/** The lease to spend from; those before it that are over, or have less than the cost, are ended. */
function leaseWith(
  hold: Hold,
  cost: number,
  { at, book }: { readonly at: Moment; readonly book: LeaseBook },
): Lease | undefined {
  while (hold.current) {
    if (isLive(hold.current, at) && hold.current.left >= cost) return hold.current;
    book.end(hold.current);
    advance(hold);
  }
  return undefined;
}

function advance(hold: Hold): void {
  hold.current = hold.next;
  hold.next = undefined;
}

function leasesOf(hold: Hold | undefined): readonly Lease[] {
  return [hold?.current, hold?.next].filter((lease) => lease !== undefined);
}

/** As the last trip told, with what is left here. */
function usagesOf(hold: Hold | undefined): readonly Usage[] {
  const latest = hold?.next ?? hold?.current;
  if (!latest) return [];
  const left = (hold?.current?.left ?? 0) + (hold?.next?.left ?? 0);
  return latest.windows.map((usage) => ({ ...usage, remaining: usage.remaining + left }));
}

/** Holds by counter and figures: those of one kind of credential are not those of another. */
function createHoldMap() {
  const byCounter = new Map<string, readonly Hold[]>();
  const ofCounter = (counter: string) => byCounter.get(counter) ?? [];
  const find = ({ counter, figures }: LimitGroup) =>
    byCounter.get(counter)?.find(({ group }) => group.figures === figures);
  return {
    ofCounter,
    find,
    of(group: LimitGroup): Hold {
      const found = find(group);
      if (found) return found;
      const made = newHold(group);
      byCounter.set(group.counter, [...ofCounter(group.counter), made]);
      return made;
    },
    forgetIdle(steadyMs: number): void {
      for (const [counter, holds] of byCounter) {
        const kept = holds.filter((hold) => !isIdle(hold, steadyMs));
        if (kept.length === 0) byCounter.delete(counter);
        else if (kept.length < holds.length) byCounter.set(counter, kept);
      }
    },
  };
}

function isIdle(hold: Hold, steadyMs: number): boolean {
  while (hold.current?.isOver) advance(hold);
  return !hold.current && !hold.isAsked && steadyMs >= hold.notBeforeMs;
}

function newHold(group: LimitGroup): Hold {
  return { group, current: undefined, next: undefined, isAsked: false, notBeforeMs: 0 };
}
