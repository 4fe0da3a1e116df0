import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { cutOff, faultsOf, slowDown, wrongType } from './fault-list.ts';
import { HOT_LIMIT } from './fault-policy.ts';
import {
  decidersIn,
  expectMostlyRedis,
  expectPromises,
  IN_FLIGHT,
  outcomesIn,
  whileItStood,
} from './fault-promises.ts';
import { type Fault, type FaultRun, runFault } from './fault-run.ts';
import { manage } from './fault-world.ts';
import { SHORT_STALE_MS, startSingle } from './fault-worlds.ts';

/** Faults stay for this part of the time that the measurements give them. */
const PART = 0.5;
const LOCAL = ['local-1', 'local-2'];
const ALL = [...LOCAL, 'deny', 'allow'];
const PROMISED_MS = 1000;

/** A busy machine takes its time to be well again. */
vi.setConfig({ testTimeout: 45_000 });

let there: Awaited<ReturnType<typeof startSingle>>;
let faults: ReturnType<typeof faultsOf>;

async function put(fault: Fault): Promise<FaultRun> {
  return runFault(there.world, fault);
}

/** The family of a mode, and how each of its members was in the middle of a fault. */
function duringOf({ during, families }: FaultRun, mode: string) {
  const family = families.find((one) => one.family.mode === mode)?.family;
  return family?.members.map(({ name }) => during.get(name)) ?? [];
}

/** Nobody reached Redis: each mode does what it says, keys are remembered, and strangers are refused. */
function expectModes(run: FaultRun): void {
  expect(decidersIn(whileItStood(run, LOCAL))).toEqual({ process: expect.any(Number) });
  expect(decidersIn(whileItStood(run, ['deny']))).toEqual({ refused: expect.any(Number) });
  expect(decidersIn(whileItStood(run, ['allow']))).toEqual({ nobody: expect.any(Number) });
  const remembering = whileItStood(run, ALL).filter(({ by }) => by !== 'local-2');
  expect(outcomesIn(remembering, 'stored')).toEqual(new Set(['allow']));
  expect(outcomesIn(remembering, 'unknown')).toEqual(new Set(['unavailable']));
  expect(outcomesIn(whileItStood(run, ['deny']), 'hot')).toEqual(new Set(['unavailable']));
}

function expectAllDown(run: FaultRun): void {
  for (const [name, { breakers, ...health }] of run.during) {
    expect([name, health]).toEqual([name, { isUp: false, isDegraded: true }]);
    expect(Object.values(breakers), name).not.toContain('closed');
  }
}

beforeAll(async () => {
  there = await startSingle();
  faults = faultsOf(there.redis, PART);
});
afterAll(async () => there?.stop());

describeRedisServer('one Redis under load', () => {
  test('that loses its scripts again and again decides all the same', async () => {
    const run = await put(faults.flush);
    expectPromises(run);
    expectMostlyRedis(run.families.flatMap(({ shots }) => shots));
  });

  test('that pauses its clients for five seconds charges nothing afterwards', async () => {
    const run = await put(faults.pause);
    const figures = expectPromises(run);
    expectModes(run);
    expectAllDown(run);
    // The share of two processes is used up within the pause, and not a request more.
    expect(figures.get('local')?.admitted).toBeGreaterThan(HOT_LIMIT);
    expect(outcomesIn(whileItStood(run, LOCAL), 'hot')).toContain('rate_limited');
  });

  test('that is stopped (SIGSTOP) and goes on finds nothing to charge', async () => {
    const run = await put(faults.stop);
    expectPromises(run, { leftMost: 2 });
    expectModes(run);
    expectAllDown(run);
  });

  test('that is killed (kill -9) is asked again as soon as it is back', async () => {
    const run = await put(faults.kill);
    expectPromises(run, { leftMost: IN_FLIGHT });
    expectModes(run);
    expectAllDown(run);
  });

  test('that has no memory left is still asked who holds a key', async () => {
    const run = await put(faults.memory);
    // Nothing can be given back either where nothing can be written.
    expectPromises(run, { leftMost: IN_FLIGHT });
    expect(decidersIn(whileItStood(run, LOCAL))).toEqual({ process: expect.any(Number) });
    expect(decidersIn(whileItStood(run, ['deny']))).toEqual({ refused: expect.any(Number) });
    expect(decidersIn(whileItStood(run, ['allow']))).toEqual({ nobody: expect.any(Number) });
    expect(outcomesIn(whileItStood(run, ALL), 'unknown')).toContain('unknown_key');
    expect(duringOf(run, 'local')).toMatchObject(
      LOCAL.map(() => ({ isUp: true, isDegraded: true })),
    );
  });

  test('that holds something else in one counter decides about all others', async () => {
    const run = await put(
      wrongType(
        there.redis,
        there.world.families.map((one) => one.namespace),
      ),
    );
    expectPromises(run);
    const shots = whileItStood(run, ALL);
    expectMostlyRedis(shots.filter(({ kind }) => kind !== 'hot'));
    const hot = (name: string) =>
      outcomesIn(
        shots.filter(({ by }) => by === name),
        'hot',
      );
    expect(hot('deny')).toEqual(new Set(['unavailable']));
    expect(hot('allow')).toEqual(new Set(['allow']));
    expect(hot('local-1')).not.toContain('unavailable');
  });
});

describeRedisServer('one Postern of several under load', () => {
  test('that is cut off refuses a revoked key within max_stale; the others do within a second', async () => {
    const family = there.world.families[0];
    const key = family?.keys[0];
    const cut = cutOff(there.road, 'cut', SHORT_STALE_MS + 700);
    let revokedAtMs = 0;
    const run = await put({
      ...cut,
      begin: async (load) => {
        await cut.begin(load);
        if (family?.members[0])
          await manage(family.members[0], `/v1/api-keys/${key?.id}`, { method: 'DELETE' });
        revokedAtMs = performance.now();
      },
    });
    expectPromises(run, { leftMost: IN_FLIGHT });
    const shown = run.families[0]?.shots.filter((shot) => shot.key === key?.id) ?? [];
    const lastAllowed = (name: string) =>
      Math.max(
        ...shown
          .filter((one) => one.by === name && one.outcome === 'allow')
          .map((one) => one.sentAtMs),
      );
    expect(lastAllowed('local-2') - run.beganAtMs).toBeLessThan(SHORT_STALE_MS);
    expect(lastAllowed('local-1') - revokedAtMs).toBeLessThan(PROMISED_MS);
    const after = shown.filter(({ sentAtMs }) => sentAtMs > run.endedAtMs);
    expect(outcomesIn(after, 'stored')).not.toContain('allow');
    expect(after.at(-1)?.outcome).toBe('key_revoked');
    expect(decidersIn(whileItStood(run, ['local-2']))).toEqual({ process: expect.any(Number) });
    expectMostlyRedis(whileItStood(run, ['local-1', 'deny', 'allow']));
  });

  test('whose network has become too slow is given back what was charged too late', async () => {
    const run = await put(slowDown(there.road, 50, PART));
    expectPromises(run);
    expect(decidersIn(whileItStood(run, ['local-2']))).toEqual({ process: expect.any(Number) });
    expectMostlyRedis(whileItStood(run, ['local-1', 'deny', 'allow']));
  });
});
