import { hash } from 'node:crypto';
import type { CounterState, LimitGroup, Taken } from '../../../core/limit.ts';
import { take } from '../../../core/take.ts';
import { createRecentMap } from '../../recent-map.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Call, RedisDown, type RedisLink, type Timed } from '../link/link.ts';
import { readScript } from '../script.ts';
import { type Counted, readClock, readCounted, writeGroup } from './limit-codec.ts';

/** Whose clock limits go by: Redis' own, or the times that callers give (for tests). */
export type LimitClock = 'redis' | 'caller';

/** How counters stood at a moment (epoch ms), in the order of their groups. */
export type Standing = {
  readonly groups: readonly LimitGroup[];
  readonly states: readonly (CounterState | undefined)[];
  readonly atMs: number;
};

/** What a trip took of its groups, and how they stood before. */
export type Taking = Standing & { readonly taken: Taken };

/** Groups that were charged their cost at a moment (epoch ms). */
export type Charge = { readonly groups: readonly LimitGroup[]; readonly takenAtMs: number };

/** One trip to Redis for each of these; all groups of one lie in one slot. They reject when Redis did not answer as asked. */
export type LimitTrips = {
  /** Takes all or nothing. What is charged after the caller gave up is given back. */
  readonly take: (
    groups: readonly LimitGroup[],
    nowMs: number,
    withinMs: number,
  ) => Promise<Taking>;
  readonly peek: (
    groups: readonly LimitGroup[],
    nowMs: number,
    withinMs: number,
  ) => Promise<Standing>;
  readonly settle: (charge: Charge, cost: number) => Promise<void>;
  /** Gives a whole charge back, except for what has drained from a bucket meanwhile. Never rejects: it costs a request. */
  readonly giveBack: (charge: Charge, withinMs: number) => Promise<void>;
};

const TAKE = readScript('take', 'window');
const PEEK = readScript('peek', 'window');
const SETTLE = readScript('settle', 'window');

/** The end of `withinMs`, by the clock of Redis: a script that was held up longer changes nothing. */
const TIMED: Timed = { deadlineArg: 0, timeOf: readClock };
const SETTLE_WITHIN_MS = 1000;
const PROBE_WITHIN_MS = 50;

const PROBE: LimitGroup = {
  counter: 'probe',
  subject: 'probe',
  figures: {
    windows: [
      { slot: 0, limit: Number.MAX_SAFE_INTEGER, policy: '', label: 'probe', quota: false },
    ],
  },
  cost: 1,
};

/** The very script that takes limits, on a counter that nobody has: a server that answers it can serve checks. */
export function probeCall(keyspace: Keyspace, number: number): Call {
  const keys = [keyspace.probe(number)];
  return {
    script: TAKE,
    keys,
    args: ['', '', writeGroup(PROBE)],
    withinMs: PROBE_WITHIN_MS,
    timed: TIMED,
  };
}

export function createLimitTrips(
  link: RedisLink,
  keyspace: Keyspace,
  clock: LimitClock,
): LimitTrips {
  const keyOf = createCounterKeys(keyspace);
  const momentOf = (nowMs: number): string => (clock === 'caller' ? String(nowMs) : '');
  const atMsOf = ({ clockMs }: Counted, nowMs: number) => (clock === 'caller' ? nowMs : clockMs);
  const standingOf = (reply: unknown, groups: readonly LimitGroup[], nowMs: number) => {
    const counted = readCounted(reply);
    if (counted.outcome === 'late') throw new RedisDown('the limits came too late to be taken');
    const { outcome, states } = counted;
    return { outcome, groups, states, atMs: atMsOf(counted, nowMs) };
  };
  const runSettle = async (charge: Charge, { to, drains, withinMs }: Settling): Promise<void> => {
    const { groups, takenAtMs } = charge;
    const charged = groups.flatMap(({ cost, figures }) => [
      cost,
      drains ? (figures.bucket?.limit ?? 0) : 0,
    ]);
    const args = [takenAtMs, to, momentOf(takenAtMs), ...charged];
    await link.runAside({ script: SETTLE, keys: groups.map(keyOf), args, withinMs });
  };
  const giveBack = (charge: Charge, withinMs: number) =>
    runSettle(charge, { to: 0, drains: true, withinMs }).catch(() => undefined);

  return {
    take: async (groups, nowMs, withinMs) => {
      const onLate = (reply: unknown) => {
        const late = readCounted(reply);
        if (late.outcome !== 'taken') return;
        void giveBack({ groups, takenAtMs: atMsOf(late, nowMs) }, SETTLE_WITHIN_MS);
      };
      const args = ['', momentOf(nowMs), ...groups.map(writeGroup)];
      const keys = groups.map(keyOf);
      const reply = await link.run({ script: TAKE, keys, args, withinMs, timed: TIMED, onLate });
      const { outcome, ...standing } = standingOf(reply, groups, nowMs);
      const { taken } = take(standing.states, groups, standing.atMs);
      if (taken.refused === (outcome === 'refused')) return { ...standing, taken };
      if (outcome === 'taken') void giveBack({ groups, takenAtMs: standing.atMs }, withinMs);
      throw new Error('the script of limits and the core judged differently');
    },
    peek: async (groups, nowMs, withinMs) => {
      const reply = await link.run({ script: PEEK, keys: groups.map(keyOf), args: [], withinMs });
      return standingOf(reply, groups, nowMs);
    },
    settle: (charge, to) => runSettle(charge, { to, drains: false, withinMs: SETTLE_WITHIN_MS }),
    giveBack,
  };
}

type Settling = { readonly to: number; readonly drains: boolean; readonly withinMs: number };

const KEYS_HELD_MAX = 50_000;
/** Of a SHA-256 in base64url: 132 bits. */
const DIGEST_CHARS = 22;

/** The key of each group's counter; those in use are remembered, because digests cost more than the rest of a trip. */
export function createCounterKeys(
  keyspace: Keyspace,
): (group: Pick<LimitGroup, 'counter' | 'subject'>) => string {
  const known = createRecentMap<{ readonly subject: string; readonly key: string }>(KEYS_HELD_MAX);
  return ({ counter, subject }) => {
    const held = known.get(counter);
    if (held?.subject === subject) return held.key;
    const key = keyspace.counter(digestOf(subject), digestOf(counter));
    known.put(counter, { subject, key });
    return key;
  };
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, DIGEST_CHARS);
}
