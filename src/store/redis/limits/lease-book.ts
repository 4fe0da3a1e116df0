import type { LimitGroup, Taken } from '../../../core/limit.ts';
import type { Limits } from './degraded.ts';
import { isLive, type Lease, MARGIN_MS, type Moment, openLease } from './lease.ts';

/** How long nothing is leased of a counter that refused a lease, or that a sibling needs. */
export const PAUSE_MS = 250;

/** The leases of one counter: one is spent, and when it is low the next is fetched. */
export type Hold = {
  readonly group: LimitGroup;
  current: Lease | undefined;
  next: Lease | undefined;
  isAsked: boolean;
  /** By the even clock: nothing is leased before. */
  notBeforeMs: number;
};

/** A lease to be fetched: the cost of the group is the share; `reserve` is not promised to anybody. */
export type Ask = {
  readonly hold: Hold;
  readonly group: LimitGroup;
  readonly askedAt: Moment;
  readonly reserve: number;
};

export type LeaseCounts = {
  /** Leases held, and the units left in them. */
  readonly leases: number;
  readonly units: number;
  /** Units that could not be given back: they stay charged until their windows end. */
  readonly lost: number;
};

/** Fetches leases and gives them back; nothing here is waited for by a request. */
export type LeaseBook = {
  readonly live: ReadonlySet<Lease>;
  readonly fetch: (ask: Ask) => void;
  /** Ends a lease and gives back what is left of it, once; answers the units. */
  readonly end: (lease: Lease) => number;
  /** Undoes the spending of so many units of a lease. */
  readonly refund: (lease: Lease, cost: number) => void;
  readonly counts: () => LeaseCounts;
  /** Gives everything back, also what is on its way; resolves when that is done. */
  readonly close: () => Promise<void>;
};

export type BookOptions = {
  readonly moment: () => Moment;
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

export function createBook(limits: Limits, options: BookOptions): LeaseBook {
  const live = new Set<Lease>();
  const trips = createTrips(options.onFailure);
  const returns = createReturns(limits, trips);
  let isClosed = false;
  const end = (lease: Lease): number => {
    const { left, isOver } = lease;
    lease.isOver = true;
    lease.left = 0;
    live.delete(lease);
    if (!isOver && left > 0) returns.giveBack(lease, lease.group, left);
    return left;
  };
  return {
    live,
    end,
    fetch(ask) {
      if (isClosed) return;
      trips.start(fetching(limits, ask), (taken) => {
        const lease = received(ask, taken);
        if (!lease) return;
        if (isClosed || !isLive(lease, options.moment())) end(lease);
        else hold(ask.hold, lease, live);
      });
    },
    refund(lease, cost) {
      if (lease.isOver) returns.giveBack(lease, { ...lease.group, cost }, cost);
      else lease.left += cost;
    },
    counts: () => ({ leases: live.size, units: unitsIn(live), lost: returns.lost() }),
    async close() {
      isClosed = true;
      for (const lease of live) end(lease);
      await trips.done();
    },
  };
}

function fetching(limits: Limits, { hold, group, askedAt }: Ask): () => Promise<Taken | undefined> {
  hold.isAsked = true;
  hold.notBeforeMs = askedAt.steadyMs + PAUSE_MS;
  return async () => {
    try {
      return await limits.takeLimits([group], askedAt.nowMs);
    } finally {
      hold.isAsked = false;
    }
  };
}

/** The lease that came; the counter waits for its next window where this one was all but over. */
function received({ hold, group, askedAt, reserve }: Ask, taken: Taken | undefined) {
  const lease = taken && openLease(group, taken, { askedAt, reserve });
  if (lease) hold.notBeforeMs = askedAt.steadyMs + lease.lastsMs + MARGIN_MS;
  return lease;
}

function hold(into: Hold, lease: Lease, live: Set<Lease>): void {
  into.notBeforeMs = 0;
  live.add(lease);
  if (into.current) into.next = lease;
  else into.current = lease;
}

function unitsIn(leases: ReadonlySet<Lease>): number {
  let units = 0;
  for (const { left } of leases) units += left;
  return units;
}

type Trips = ReturnType<typeof createTrips>;

/** Gives units back, each once: a correction that failed is not tried again, for it may have been made. */
function createReturns(limits: Limits, trips: Trips) {
  let lost = 0;
  return {
    lost: () => lost,
    giveBack({ receipt }: Lease, group: LimitGroup, units: number): void {
      lost += units;
      trips.start(
        async () => limits.settleLimits({ ...receipt, groups: [group] }, group.cost - units),
        () => {
          lost -= units;
        },
      );
    },
  };
}

/** Trips that no request waits for. */
function createTrips(onFailure: BookOptions['onFailure']) {
  const underway = new Set<Promise<void>>();
  const run = async <T>(trip: () => Promise<T>, done: (answer: T) => void): Promise<void> => {
    try {
      done(await trip());
    } catch (cause) {
      onFailure?.(cause);
    }
  };
  return {
    start<T>(trip: () => Promise<T>, done: (answer: T) => void): void {
      const running = run(trip, done).finally(() => underway.delete(running));
      underway.add(running);
    },
    async done(): Promise<void> {
      while (underway.size > 0) await Promise.all(underway);
    },
  };
}
