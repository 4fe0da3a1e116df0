import { describe, expect, test } from 'vitest';
import { describeCluster, describeRedisServer } from '../redis-harness/shared.ts';
import type { CheckQuestion } from './check-client.ts';
import {
  addressOf,
  asked,
  askedByMany,
  countOfAll,
  countsOfMany,
  exactPolicy,
  keyOf,
  PAIRS,
  RAW_KEYS,
} from './redis-exact-policy.ts';
import type { Family } from './redis-four.ts';
import { admittedBy, type Storm, storm, type Verdict } from './redis-storm.ts';
import { startSingle, useCluster, useCounters, useFour } from './redis-suite.ts';

const CHECKS = 10_000;
const LIMIT = 1000;
const BURST = 100;
const MANY = { workspace: 600, key: 200, address: 100 };
const STORM_MS = 120_000;

describe.each([
  ['a single Redis', describeRedisServer, startSingle],
  ['a Cluster', describeCluster, useCluster],
] as const)('four Posterns on %s', (name, describeHere, start) => {
  describeHere(`of ${CHECKS} checks at the same moment`, () => {
    const four = useFour(exactPolicy(LIMIT, BURST, MANY), start);
    const counters = useCounters(four);

    const run = async (
      questions: readonly CheckQuestion[],
      counted: (admitted: readonly Verdict[]) => readonly number[],
    ): Promise<Storm> => {
      const settled = (admitted: readonly Verdict[]) => counters().until(counted(admitted));
      const ended = await storm(four.family, questions, { settled });
      const { counts, late } = ended;
      console.log(`${name}: ${questions.length} checks, ${JSON.stringify(counts)}, ${late} late`);
      return ended;
    };

    test(
      'as many are admitted as fit into one limit, and no other is counted',
      async () => {
        const { counts } = await run(asked('/one', '192.0.2.1', CHECKS), countOfAll);
        expect(counts).toEqual({ allow: LIMIT, rate_limited: CHECKS - LIMIT });
        expect(await counters().counts()).toEqual([LIMIT]);
      },
      STORM_MS,
    );

    test(
      'as many are admitted as fit into a bucket',
      async () => {
        const { counts } = await run(asked('/bucket', '192.0.2.2', CHECKS / 10), countOfAll);
        expect(counts).toEqual({ allow: BURST, rate_limited: CHECKS / 10 - BURST });
        expect(await counters().counts()).toEqual([BURST]);
      },
      STORM_MS,
    );

    test(
      'limits of a workspace, a key and an address are taken all or none',
      async () => {
        const { admitted } = await run(askedByMany(CHECKS), countsOfMany);
        expect(admitted.length).toBeLessThanOrEqual(MANY.workspace);
        const all = [...admitted, ...(await theRest(four.family))];
        await counters().until(countsOfMany(all));
        expect(all.length).toBe(MANY.workspace);
        expect(admittedBy(all, keyOf)[0]).toBeLessThanOrEqual(MANY.key);
        expect(admittedBy(all, addressOf)[0]).toBeLessThanOrEqual(MANY.address);
        expect(await leftAsShown(four.family)).toEqual(leftAfter(all));
        if (start === useCluster) expect(await counters().slots()).toBeGreaterThan(1);
      },
      STORM_MS,
    );
  });
});

/**
 * Who is admitted when all ask once more, until nobody is: on a Cluster a request holds one limit for a moment until
 * the next refuses it, and another may be refused meanwhile.
 */
async function theRest(family: Family): Promise<readonly Verdict[]> {
  const rest: Verdict[] = [];
  for (let isAny = true; isAny; ) {
    const { admitted } = await storm(family, askedByMany(PAIRS), {
      atOnce: 1,
      settled: async () => undefined,
    });
    rest.push(...admitted);
    isAny = admitted.length > 0;
  }
  return rest;
}

/** What is left of the plan and of a key's own limit. */
type Left = readonly (number | undefined)[];

/** As the API of each sibling in turn tells it. */
function leftAsShown(family: Family): Promise<readonly Left[]> {
  const shown = RAW_KEYS.map(async (token, turn) => {
    const { limits } = await family.at(turn).api.make('/v1/auth/verify', { token });
    return (limits as readonly { readonly remaining: number }[]).map(({ remaining }) => remaining);
  });
  return Promise.all(shown);
}

function leftAfter(admitted: readonly Verdict[]): readonly Left[] {
  return RAW_KEYS.map((raw) => {
    const used = admitted.filter(({ question }) => keyOf(question) === raw).length;
    return [MANY.workspace - admitted.length, MANY.key - used];
  });
}
