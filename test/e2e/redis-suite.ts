import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { startRedis } from '../redis-harness/redis.ts';
import { redisClusterUrls, sharedClusterIsUp } from '../redis-harness/shared.ts';
import { type Counters, openCounters } from './redis-counters.ts';
import { type Family, startFour } from './redis-four.ts';

/** A store that four Posterns share. */
export type Place = {
  readonly urls: string | readonly string[];
  readonly stop: () => Promise<unknown>;
};

/** A Redis for one suite. */
export async function startSingle(): Promise<Place> {
  const { url, stop } = await startRedis();
  return { urls: url, stop };
}

/** The Cluster that all suites share. */
export async function useCluster(): Promise<Place> {
  await sharedClusterIsUp();
  return { urls: redisClusterUrls, stop: async () => undefined };
}

/** What the tests of a suite work with; nothing is there before they run. */
export type Suite = {
  readonly family: Family;
  readonly urls: Place['urls'];
  /** Starts the four anew, on what the others left. */
  readonly restart: () => Promise<void>;
};

/** Has four Posterns started with one policy on one store before the tests of a suite, and stopped after them. */
export function useFour(policy: object, start: () => Promise<Place> = startSingle): Suite {
  let place: Place | undefined;
  let family: Family | undefined;
  beforeAll(async () => {
    place = await start();
    family = await startFour({ urls: place.urls, policy });
  });
  afterAll(async () => {
    await family?.stop();
    await place?.stop();
  });
  const suite = {
    get family() {
      return started(family);
    },
    get urls() {
      return started(place).urls;
    },
    async restart() {
      const { urls, family: before } = suite;
      await before.stop();
      family = await startFour({ urls, policy, namespace: before.namespace });
    },
  };
  return suite;
}

/** Has the counters of limits read in each test; answers those of the test that runs. */
export function useCounters(suite: Suite): () => Counters {
  let counters: Counters | undefined;
  beforeEach(async () => {
    counters = await openCounters(suite.urls, suite.family.namespace);
  });
  afterEach(() => counters?.close());
  return () => started(counters);
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('it is there only while tests run');
  return part;
}
