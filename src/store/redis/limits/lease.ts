import type { LimitGroup, Receipt, Taken, Usage } from '../../../core/limit.ts';

/** How long an instance keeps units at most. */
const LEASE_MS = 1000;
/** How far Redis' clock may run from ours within a lease, as while it is slewed. */
export const MARGIN_MS = 20;
/** A lease is renewed when a part of so many is left, or of its time. */
const RENEWED_AT = 4;

/** A moment by two clocks: one that runs evenly, ms, and that of the calendar, epoch ms. */
export type Moment = { readonly steadyMs: number; readonly nowMs: number };

/** Units of one counter that were charged in one trip and are spent in this process. */
export type Lease = {
  /** The counter; its cost is what was charged. */
  readonly group: LimitGroup;
  readonly receipt: Receipt;
  /** The counter's windows after the charge, each with what remains for later leases. */
  readonly windows: readonly Usage[];
  /** Before the charge: Redis' clock has not gone on by more since `receipt.takenAtMs` than ours since then. */
  readonly askedAt: Moment;
  readonly lastsMs: number;
  left: number;
  /** What is left has been given back; whatever is returned later goes to Redis. */
  isOver: boolean;
};

/**
 * The lease of a group that was taken. It ends before the first of its windows does, because a unit charged in one
 * window must not be spent in the next. `reserve` is what siblings may take meanwhile: it is promised to nobody.
 */
export function openLease(
  group: LimitGroup,
  { usages, receipt }: Taken,
  { askedAt, reserve }: { readonly askedAt: Moment; readonly reserve: number },
): Lease | undefined {
  if (!receipt) return undefined;
  const windows = usages.map((usage) => ({
    ...usage,
    remaining: Math.max(0, usage.remaining - reserve),
  }));
  const endMs = Math.min(...usages.map(({ resetAtMs }) => resetAtMs));
  const lastsMs = Math.min(LEASE_MS, endMs - receipt.takenAtMs - MARGIN_MS);
  return { group, receipt, windows, askedAt, lastsMs, left: group.cost, isOver: false };
}

/** Time since a lease was asked for, by the clock that went further: the even one may stand still with its machine. */
export function elapsedMs({ askedAt }: Lease, at: Moment): number {
  return Math.max(at.steadyMs - askedAt.steadyMs, at.nowMs - askedAt.nowMs);
}

/** Whether units of it may be spent: its windows run still. */
export function isLive(lease: Lease, at: Moment): boolean {
  return !lease.isOver && elapsedMs(lease, at) < lease.lastsMs;
}

/** Whether the next lease should be asked for. */
export function isLow(lease: Lease, at: Moment): boolean {
  if (lease.left * RENEWED_AT < lease.group.cost) return true;
  return (lease.lastsMs - elapsedMs(lease, at)) * RENEWED_AT < lease.lastsMs;
}

/** Redis' clock at most, epoch ms; within the windows of a lease that is live. */
export function latestRedisMs(lease: Lease, at: Moment): number {
  return Math.floor(lease.receipt.takenAtMs + elapsedMs(lease, at));
}

/** The usages of each group; undefined when they are not all there, as when a refusal is all that is known. */
export function usagesByGroup(
  groups: readonly LimitGroup[],
  usages: readonly Usage[],
): readonly (readonly Usage[])[] | undefined {
  let from = 0;
  const told = groups.map(({ figures }) => {
    const start = from;
    from += figures.windows.length + (figures.bucket ? 1 : 0);
    return usages.slice(start, from);
  });
  return from === usages.length ? told : undefined;
}
