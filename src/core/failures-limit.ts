import type { FailureBook } from './failures-book.ts';
import type { LimitGroup, Taken, Usage } from './limit.ts';
import type { Policy, Route, RouteLimit } from './policy.ts';

/** Whether a route has limits that count failed authentications. */
export function limitsFailures(route: Route): boolean {
  return route.limits.some(isOnRefused);
}

/**
 * The counters of a route's limits on failures, one unit each. They are shared by all processes and never leased, so
 * that exactly as many failures are told apart from a refusal as the limit says.
 */
export function failureGroups(
  policy: Pick<Policy, 'product'>,
  route: Route,
  address: string,
): readonly LimitGroup[] {
  const subject = `ip\n\n${address}`;
  return route.limits.filter(isOnRefused).map(({ name, figures }) => ({
    counter: `${policy.product}\nroute:${route.name}\n${name}:refused\n${subject}`,
    subject,
    figures,
    cost: 1,
    isExact: true,
  }));
}

/** The windows and buckets that admit nothing more for now, each with the time it does again. */
export function usedUp({ usages }: Taken): readonly Usage[] {
  return usages.flatMap((usage) => {
    if (usage.retryAtMs !== undefined) return [usage];
    const isSpent = usage.burst === undefined && usage.remaining === 0;
    return isSpent ? [{ ...usage, retryAtMs: usage.resetAtMs }] : [];
  });
}

/** Which source a route's limits on failures hold back. */
export type Held = {
  readonly policy: Pick<Policy, 'product'>;
  readonly route: Route;
  /** By `addressSubject`. */
  readonly address: string;
};

/** Keeps in mind what a source has used up, so that no store is asked until it may try again. */
export function holdBack({ holds }: FailureBook, held: Held, usages: readonly Usage[]): void {
  if (usages.length > 0) holds.put(entryOf(held), usages);
}

/** What a source has used up of the limits that the route has now; nothing when it may try. */
export function heldBack({ holds }: FailureBook, held: Held, nowMs: number): readonly Usage[] {
  const entry = entryOf(held);
  const usages = holds.get(entry);
  if (!usages) return [];
  const left = usages.filter(
    (usage) => (usage.retryAtMs ?? 0) > nowMs && isStillLimited(held.route, usage),
  );
  if (left.length === 0) holds.remove(entry);
  else holds.put(entry, left);
  return left;
}

/** Whether a usage is of a limit as the route has it now: a reload may have raised it. */
function isStillLimited(route: Route, { label, policy, burst }: Usage): boolean {
  return route.limits.filter(isOnRefused).some(({ figures: { windows, bucket } }) => {
    const isBucket = bucket?.label === label && bucket.policy === policy && bucket.size === burst;
    return isBucket || windows.some((one) => one.label === label && one.policy === policy);
  });
}

function isOnRefused(limit: RouteLimit): boolean {
  return limit.on === 'refused';
}

function entryOf({ policy, route, address }: Held): string {
  return `${policy.product}\n${route.name}\n${address}`;
}
