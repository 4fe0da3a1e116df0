import type { LimitGroup, Receipt } from '../../../core/limit.ts';
import type { Limits } from './degraded.ts';
import { type Lease, latestRedisMs, type Moment } from './lease.ts';

/** What was spent of leases for the groups of a request; undefined where a group has none. */
export type Spent = {
  readonly groups: readonly LimitGroup[];
  readonly leases: readonly (Lease | undefined)[];
  readonly at: Moment;
};

/** What was spent for a receipt of several groups, and the receipt of those that took a trip; a copy has it too. */
const PARTS = Symbol('the parts of a charge');
type PartedReceipt = Receipt & {
  readonly [PARTS]?: { readonly spent: Spent; readonly trip?: Receipt | undefined };
};

/** The receipt of what was spent; `trip` is that of the groups that have no lease. */
export function receiptOf(spent: Spent, trip?: Receipt): Receipt {
  const { groups } = spent;
  const spentAtMs = earliest(spent);
  if (!trip && groups.length === 1) return { groups, takenAtMs: spentAtMs };
  const takenAtMs = Math.min(spentAtMs, trip?.takenAtMs ?? spentAtMs);
  const receipt: PartedReceipt = { groups, takenAtMs, [PARTS]: { spent, trip } };
  return receipt;
}

/** Of what Redis' clock may be by each lease the least. */
function earliest({ leases, at }: Spent): number {
  let takenAtMs = Number.POSITIVE_INFINITY;
  for (const lease of leases) {
    if (lease) takenAtMs = Math.min(takenAtMs, latestRedisMs(lease, at));
  }
  return takenAtMs;
}

/**
 * What a lease was charged for stands in Redis like any other charge, and is corrected there: each group by the clock
 * of the server that charged it, or the correction could meet another window.
 */
export async function settleParts(
  limits: Limits,
  receipt: PartedReceipt,
  cost: number,
): Promise<void> {
  const parts = receipt[PARTS];
  if (!parts) return await limits.settleLimits(receipt, cost);
  const { spent, trip } = parts;
  const leaseOf = ({ counter }: LimitGroup) =>
    spent.leases[spent.groups.findIndex((group) => group.counter === counter)];
  const byTrip = receipt.groups.filter((group) => !leaseOf(group));
  const settled = receipt.groups.flatMap((group) => {
    const lease = leaseOf(group);
    const takenAtMs = lease && latestRedisMs(lease, spent.at);
    return takenAtMs === undefined ? [] : [{ groups: [group], takenAtMs }];
  });
  if (trip && byTrip.length > 0) settled.push({ ...trip, groups: byTrip });
  await Promise.all(settled.map((part) => settleParts(limits, part, cost)));
}
