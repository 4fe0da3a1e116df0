import type { LimitGroup, Taken } from '../../../core/limit.ts';
import type { Answer, TakeLimits } from '../../../core/ports.ts';
import { mapAnswer } from './answer.ts';
import type { Limits } from './degraded.ts';
import { type Moment, usagesByGroup } from './lease.ts';
import type { LeaseBook } from './lease-book.ts';
import type { LeaseHolds } from './lease-holds.ts';
import { receiptOf, type Spent } from './lease-receipt.ts';

/** A request that was refused so soon is taken once more when there are units here. */
const AGAIN_MS = 50;

type Parts = {
  readonly limits: Limits;
  readonly book: LeaseBook;
  readonly holds: LeaseHolds;
  readonly moment: (nowMs?: number) => Moment;
};

/** Hears what a trip answered. */
type Watch = (groups: readonly LimitGroup[], taken: Taken, nowMs: number) => void;

/** Takes what is leased at once, and the rest in a trip, all or nothing. */
export function createTaking(parts: Parts, watch: Watch): TakeLimits {
  const { limits, holds, moment } = parts;
  const direct = (groups: readonly LimitGroup[], nowMs: number, isLast: boolean): Answer<Taken> => {
    const againUntilMs = moment(nowMs).steadyMs + AGAIN_MS;
    return mapAnswer(limits.takeLimits(groups, nowMs), (taken) => {
      watch(groups, taken, nowMs);
      if (!taken.refused || isLast) return taken;
      const at = moment(nowMs);
      // A lease may have come meanwhile, with the units that this request did not find.
      return at.steadyMs <= againUntilMs && holds.haveUnits(groups, at)
        ? take(groups, nowMs, true)
        : taken;
    });
  };
  const take = (groups: readonly LimitGroup[], nowMs: number, isLast: boolean): Answer<Taken> => {
    const at = moment(nowMs);
    const leases = groups.map((group) => holds.spend(group, at));
    if (leases.every((lease) => lease === undefined)) return direct(groups, nowMs, isLast);
    const spent: Spent = { groups, leases, at };
    const rest = groups.filter((_, index) => !leases[index]);
    if (rest.length === 0) return leasedTaken(spent, holds);
    return takeRest(parts, spent, () => direct(rest, nowMs, isLast));
  };
  return (groups, nowMs) => take(groups, nowMs, false);
}

function leasedTaken(spent: Spent, holds: LeaseHolds): Taken {
  const usages = spent.groups.flatMap(holds.usagesOf);
  return { usages, refused: false, receipt: receiptOf(spent) };
}

/** Takes what is not leased in a trip; when that is refused or fails, nothing was spent. */
async function takeRest(
  { holds, book }: Parts,
  spent: Spent,
  takeTrip: () => Answer<Taken>,
): Promise<Taken> {
  const { groups, leases } = spent;
  const { taken, cause } = await attempt(takeTrip);
  if (!taken || taken.refused) refund(book, spent);
  if (!taken) throw cause;
  const trip = groups.filter((_, index) => !leases[index]);
  const told = [...(usagesByGroup(trip, taken.usages) ?? [taken.usages])];
  const usages = groups.flatMap((group, index) =>
    leases[index] ? holds.usagesOf(group) : (told.shift() ?? []),
  );
  if (!taken.receipt) return { usages, refused: true };
  return { usages, refused: false, receipt: receiptOf(spent, taken.receipt) };
}

function refund(book: LeaseBook, { groups, leases }: Spent): void {
  for (const [index, lease] of leases.entries()) {
    if (lease) book.refund(lease, groups[index]?.cost ?? 0);
  }
}

async function attempt(
  take: () => Answer<Taken>,
): Promise<{ readonly taken?: Taken; readonly cause?: unknown }> {
  try {
    return { taken: await take() };
  } catch (cause) {
    return { cause };
  }
}
