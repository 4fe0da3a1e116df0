import { expect, test } from 'vitest';
import { describeRedisServer } from '../redis-harness/shared.ts';
import type { CheckQuestion } from './check-client.ts';
import { sample } from './policy.ts';
import {
  addressOf,
  asked,
  askedByMany,
  countOfAll,
  countsOfMany,
  exactPolicy,
  keyOf,
} from './redis-exact-policy.ts';
import type { Family } from './redis-four.ts';
import { admittedBy, storm, type Verdict } from './redis-storm.ts';
import { useCounters, useFour } from './redis-suite.ts';

const CHECKS = 6000;
const LIMIT = 5000;
const MANY = { workspace: 2400, key: 900, address: 400 };
/** So that counters are hot while there is still something to lease. */
const AT_ONCE = 256;
/** One after the other, so that none is refused for what a sibling holds. */
const SINGLY = 1;
const STORM_MS = 120_000;

describeRedisServer('four Posterns that lease units of their limits', () => {
  const four = useFour({ ...exactPolicy(LIMIT, 10, MANY), limits: { mode: 'leased' } });
  const counters = useCounters(four);

  /** Asks, and waits until all that was leased and not spent is back. */
  const run = async (
    questions: readonly CheckQuestion[],
    counted: (admitted: readonly Verdict[]) => readonly number[],
    { atOnce = AT_ONCE, before = [] as readonly Verdict[] } = {},
  ): Promise<readonly Verdict[]> => {
    const settled = (admitted: readonly Verdict[]) =>
      counters().until(counted([...before, ...admitted]));
    const { admitted, counts, late } = await storm(four.family, questions, { atOnce, settled });
    console.log(`leased: ${questions.length} checks, ${JSON.stringify(counts)}, ${late} late`);
    return [...before, ...admitted];
  };

  test(
    'admit never more than the limit, and at last all of it',
    async () => {
      const questions = asked('/one', '192.0.2.1', CHECKS);
      const tripsBefore = await tripsOf(four.family);
      const admitted = await run(questions, countOfAll);
      const trips = (await tripsOf(four.family)) - tripsBefore;
      console.log(`leased: ${trips} trips for ${CHECKS} checks`);
      expect(admitted.length).toBeLessThanOrEqual(LIMIT);
      expect(trips).toBeLessThan(CHECKS);
      const rest = asked('/one', '192.0.2.1', LIMIT - admitted.length + 10);
      const all = await run(rest, countOfAll, { atOnce: SINGLY, before: admitted });
      expect(all.length).toBe(LIMIT);
    },
    STORM_MS,
  );

  test(
    'charge each of several limits for what was admitted, and nothing else',
    async () => {
      const admitted = await run(askedByMany(CHECKS), countsOfMany);
      expect(admitted.length).toBeGreaterThan(0);
      expect(admitted.length).toBeLessThanOrEqual(MANY.workspace);
      expect(admittedBy(admitted, keyOf)[0]).toBeLessThanOrEqual(MANY.key);
      expect(admittedBy(admitted, addressOf)[0]).toBeLessThanOrEqual(MANY.address);
    },
    STORM_MS,
  );

  test(
    'give back what they hold when they are told to end',
    async () => {
      const settled = async () => undefined;
      const questions = asked('/one', '192.0.2.3', LIMIT / 4);
      const { admitted } = await storm(four.family, questions, { atOnce: AT_ONCE, settled });
      const codes = await Promise.all(four.family.siblings.map(({ postern }) => postern.stop()));
      expect(codes).toEqual([0, 0, 0, 0]);
      expect(await counters().counts()).toEqual(countOfAll(admitted));
    },
    STORM_MS,
  );
});

/** Trips for limits so far. */
async function tripsOf({ siblings }: Family): Promise<number> {
  const name = 'postern_store_trip_duration_seconds_count{operation="take",outcome="ok"}';
  const pages = siblings.map(async ({ postern }) => {
    return sample(await (await fetch(`${postern.opsUrl}/metrics`)).text(), name);
  });
  return (await Promise.all(pages)).reduce((sum, trips) => sum + trips, 0);
}
