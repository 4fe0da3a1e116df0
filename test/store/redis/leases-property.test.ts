import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LimitGroup, type Taken, WINDOWS } from '../../../src/core/limit.ts';
import { windowAt } from '../../../src/core/take.ts';
import { RedisDown } from '../../../src/store/redis/link/link.ts';
import { group } from '../contract-limits.ts';
import { heard, type Instance, openInstance, openServer, type Server } from './leased-build.ts';

const LIMITS = { per_second: 150, per_minute: 600, per_day: 1_000_000 } as const;
const COUNTERS = [group(LIMITS, 'one'), group(LIMITS, 'two')];
const CHECKED = [
  { slot: WINDOWS.indexOf('second'), limit: LIMITS.per_second },
  { slot: WINDOWS.indexOf('minute'), limit: LIMITS.per_minute },
];

const step = fc.record({
  kind: fc.constantFrom(
    ...(['take', 'burst', 'burst', 'run', 'deliver', 'pass', 'tend', 'settle'] as const),
    ...(['take', 'drain', 'drain', 'pass', 'recall', 'fail', 'mend'] as const),
  ),
  who: fc.nat({ max: 2 }),
  times: fc.integer({ min: 1, max: 40 }),
  cost: fc.integer({ min: 1, max: 4 }),
  of: fc.constantFrom('one', 'two', 'both'),
  passMs: fc.constantFrom(1, 7, 40, 200, 480, 900, 1000, 20_000, 60_000),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

type Admitted = { readonly counter: string; readonly atMs: number; cost: number };
type Request = { readonly admitted: readonly Admitted[]; readonly taken: Taken; settledTo: number };

/** Plays steps on instances over one server, and keeps what was let through, and when by the server's clock. */
function createGame(server: Server, instances: readonly Instance[]) {
  const ledger: Admitted[] = [];
  const requests: (Request & { readonly by: Instance })[] = [];
  const runAtMs = new Map<LimitGroup, number>();
  server.onTaken = (groups) => {
    for (const one of groups) runAtMs.set(one, server.nowMs);
  };

  function take(by: Instance, groups: readonly LimitGroup[]): void {
    const askedAtMs = server.nowMs;
    const note = (taken: Taken) => {
      if (taken.refused) return;
      const admitted = groups.map((one) => ({
        counter: one.counter,
        cost: one.cost,
        atMs: runAtMs.get(one) ?? askedAtMs,
      }));
      ledger.push(...admitted);
      requests.push({ by, admitted, taken, settledTo: groups[0]?.cost ?? 0 });
    };
    const answer = by.limits.takeLimits(groups, by.now());
    if (answer instanceof Promise) answer.then(note, () => {});
    else note(answer);
  }

  /** Settles the latest request to fewer units; what failed is as it was. */
  function settle(cost: number): void {
    const request = requests.pop();
    if (!request?.taken.receipt || cost > request.settledTo) return;
    const { admitted, by } = request;
    const note = (units: number) => {
      for (const one of admitted) one.cost = units;
    };
    const before = request.settledTo;
    note(cost);
    const settled = by.limits.settleLimits(request.taken.receipt, cost);
    if (settled instanceof Promise) settled.catch(() => note(before));
  }

  function play({ kind, who, times, cost, of, passMs }: Step): void {
    const by = instances[who % instances.length];
    if (!by) return;
    const chosen = COUNTERS.filter(({ counter }) => of === 'both' || of === counter);
    const again = (act: () => void) => {
      for (let at = 0; at < times; at += 1) act();
    };
    const takeOne = () =>
      take(
        by,
        chosen.map((one) => ({ ...one, cost })),
      );
    const acts = {
      take: () => again(takeOne),
      burst: () => {
        again(takeOne);
        by.wire.drain();
      },
      run: () => again(by.wire.runNext),
      deliver: () => again(by.wire.deliverNext),
      drain: by.wire.drain,
      pass: () => {
        server.nowMs += passMs;
      },
      tend: by.limits.tend,
      recall: () => by.limits.recall(of),
      settle: () => settle(cost - 1),
      fail: () => {
        server.cause = new RedisDown('it is away');
      },
      mend: () => {
        server.cause = undefined;
      },
    };
    acts[kind]();
  }

  return { ledger, play };
}

/** The most units beyond a limit that were let through in one of its windows. */
function excess(ledger: readonly Admitted[]): number {
  const sums = new Map<string, number>();
  let most = 0;
  for (const { slot, limit } of CHECKED) {
    for (const { counter, atMs, cost } of ledger) {
      const name = `${counter} ${slot} ${windowAt(slot, atMs).startMs}`;
      sums.set(name, (sums.get(name) ?? 0) + cost);
      most = Math.max(most, (sums.get(name) ?? 0) - limit);
    }
  }
  return most;
}

/** The most units that were let through in a window that runs, and stand charged nowhere. */
function uncharged(server: Server, ledger: readonly Admitted[]): number {
  let most = 0;
  for (const one of COUNTERS) {
    for (const [at, { slot, limit }] of CHECKED.entries()) {
      const { startMs } = windowAt(slot, server.nowMs);
      const charged = limit - (server.remaining(one)[at] ?? 0);
      const own = ledger.filter(({ counter, atMs }) => counter === one.counter && atMs >= startMs);
      most = Math.max(most, own.reduce((sum, { cost }) => sum + cost, 0) - charged);
    }
  }
  return most;
}

async function finish(server: Server, instances: readonly Instance[]): Promise<void> {
  server.cause = undefined;
  for (const { wire } of instances) wire.drain();
  await heard();
  const closed = instances.map(({ limits }) => limits.close());
  for (const { wire } of instances) wire.drain();
  await heard();
  for (const { wire } of instances) wire.drain();
  await Promise.all(closed);
  await heard();
}

let leases = 0;

test('however trips and instances interleave, no window admits more than its limit, and what is unspent comes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 120 }),
      fc.constantFrom(1, 3),
      async (steps, replicas) => {
        const server = openServer();
        server.hasNoWire = false;
        const instances = [0, -7_000_000, 4321].map((apartMs) =>
          openInstance(server, { apartMs, replicas: () => replicas }),
        );
        const { ledger, play } = createGame(server, instances);
        for (const one of steps) {
          play(one);
          await heard();
          expect(uncharged(server, ledger)).toBe(0);
          leases += instances.filter(({ limits }) => limits.counts().leases > 0).length;
        }
        await finish(server, instances);

        expect(excess(ledger)).toBe(0);
        const lost = instances.reduce((sum, { limits }) => sum + limits.counts().lost, 0);
        const charged = COUNTERS.map((one) => LIMITS.per_day - (server.remaining(one)[2] ?? 0));
        const admitted = ledger.reduce((sum, { cost }) => sum + cost, 0);
        expect(charged.reduce((sum, units) => sum + units, 0)).toBe(admitted + lost);
      },
    ),
    { numRuns: 300 },
  );
  expect(leases).toBeGreaterThan(100);
});
