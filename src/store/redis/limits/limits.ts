import type { LimitGroup, Receipt, Taken, Usage } from '../../../core/limit.ts';
import { peek, take } from '../../../core/take.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import {
  type Charge,
  createLimitTrips,
  type LimitClock,
  type LimitTrips,
  type Standing,
} from './limit-trips.ts';

/** Limits in Redis, as `core/take.ts` has them. All of these reject when Redis cannot answer, or not in time. */
export type RedisLimits = {
  /**
   * Takes all groups, all or nothing. On a single Redis in one script. On a Cluster one subject after the other, in the
   * order of the groups: when a later one refuses or fails, the earlier ones are given back. Nothing is ever admitted
   * that does not fit; a crash in between leaves one request charged that was not admitted.
   */
  readonly takeLimits: (groups: readonly LimitGroup[], nowMs: number) => Promise<Taken>;
  /** Corrects a charge in the windows that ran when it was made. */
  readonly settleLimits: (receipt: Receipt, cost: number) => Promise<void>;
  readonly readLimits: (groups: readonly LimitGroup[], nowMs: number) => Promise<readonly Usage[]>;
};

const TRIP_MS = 50;
/** All trips of one request together take less than two that are slow; a request with one has that time for it. */
const TRIPS = 1.8;
/** Nobody waits for what is given back after a failure. */
const GIVE_BACK_MS = 1000;

/** When each subject was charged: the masters of a Cluster have a clock each. A copy of the receipt has it too. */
const TIMES = Symbol('the times of a charge');
type TimedReceipt = Receipt & { readonly [TIMES]?: ReadonlyMap<string | undefined, number> };

export type RedisLimitOptions = {
  /** Whose clock limits go by: that of Redis unless told. */
  readonly clock?: LimitClock | undefined;
  /** How long one trip of several may take, ms, and one alone nearly twice; 50 unless told. */
  readonly withinMs?: number | undefined;
};

/** Makes limits that are counted in Redis. */
export function createRedisLimits(
  link: RedisLink,
  keyspace: Keyspace,
  { clock = 'redis', withinMs = TRIP_MS }: RedisLimitOptions = {},
): RedisLimits {
  const trips = createLimitTrips(link, keyspace, clock);
  const partsOf = (groups: readonly LimitGroup[]) =>
    link.isCluster ? bySubject(groups) : [groups];
  return {
    takeLimits: async (groups, nowMs) => {
      if (groups.length === 0) return take([], groups, nowMs).taken;
      const parts = partsOf(groups);
      if (parts.length === 1) return (await trips.take(groups, nowMs, withinMs * TRIPS)).taken;
      const { refused, standings } = await takeInTurn(trips, parts, { nowMs, withinMs });
      const usages = usagesOf(groups, standings, refused);
      if (refused) return { usages, refused, receipt: undefined };
      const receipt: TimedReceipt = {
        groups,
        takenAtMs: standings[0]?.atMs ?? nowMs,
        [TIMES]: new Map(standings.map((one) => [one.groups[0]?.subject, one.atMs])),
      };
      return { usages, refused, receipt };
    },
    settleLimits: async (receipt, cost) => {
      const { groups } = receipt;
      if (cost > 0 && groups.every((group) => group.cost === cost)) return;
      const settled = partsOf(groups).map((part) =>
        trips.settle({ groups: part, takenAtMs: timeOf(receipt, part) }, cost),
      );
      for (const end of await Promise.allSettled(settled))
        if (end.status === 'rejected') throw end.reason;
    },
    readLimits: async (groups, nowMs) => {
      if (groups.length === 0) return [];
      const standings = partsOf(groups).map((part) => trips.peek(part, nowMs, withinMs));
      return usagesOf(groups, await Promise.all(standings), true);
    },
  };
}

function timeOf(receipt: TimedReceipt, part: readonly LimitGroup[]): number {
  return receipt[TIMES]?.get(part[0]?.subject) ?? receipt.takenAtMs;
}

type InTurn = { readonly refused: boolean; readonly standings: readonly Standing[] };

/** Takes part after part; on a refusal the rest is only looked at, so that the longest wait is known. */
async function takeInTurn(
  trips: LimitTrips,
  parts: readonly (readonly LimitGroup[])[],
  { nowMs, withinMs }: { readonly nowMs: number; readonly withinMs: number },
): Promise<InTurn> {
  const endMs = performance.now() + withinMs * TRIPS;
  const leftMs = () => Math.max(1, Math.min(withinMs, endMs - performance.now()));
  const takings: Standing[] = [];
  for (const [index, part] of parts.entries()) {
    const taking = await trips.take(part, nowMs, leftMs()).catch((cause: unknown) => {
      void giveBackAll(trips, takings, GIVE_BACK_MS);
      throw cause;
    });
    if (taking.taken.refused) {
      const rest = parts.slice(index + 1).map((later) => trips.peek(later, nowMs, leftMs()));
      const back = giveBackAll(trips, takings, leftMs());
      const peeked = await Promise.allSettled(rest);
      await back;
      const known = peeked.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
      return { refused: true, standings: [...takings, taking, ...known] };
    }
    takings.push(taking);
  }
  return { refused: false, standings: takings };
}

async function giveBackAll(
  trips: LimitTrips,
  takings: readonly Standing[],
  withinMs: number,
): Promise<void> {
  await Promise.all(takings.map((taking) => trips.giveBack(chargeOf(taking), withinMs)));
}

function chargeOf({ groups, atMs }: Standing): Charge {
  return { groups, takenAtMs: atMs };
}

/** The usages of groups in their order; one whose standing is unknown has none. */
function usagesOf(
  groups: readonly LimitGroup[],
  standings: readonly Standing[],
  refused: boolean,
): readonly Usage[] {
  const usages = new Map<LimitGroup, readonly Usage[]>();
  for (const { groups: own, states, atMs } of standings) {
    for (const [index, group] of own.entries()) {
      const state = [states[index]];
      const told = refused ? peek(state, [group], atMs) : take(state, [group], atMs).taken.usages;
      usages.set(group, told);
    }
  }
  return groups.flatMap((group) => usages.get(group) ?? []);
}

function bySubject(groups: readonly LimitGroup[]): readonly (readonly LimitGroup[])[] {
  const first = groups[0];
  if (groups.every(({ subject }) => subject === first?.subject)) return [groups];
  return [...Map.groupBy(groups, ({ subject }) => subject).values()];
}
