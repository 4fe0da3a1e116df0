import { Cluster } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { LimitGroup, Receipt } from '../../../src/core/limit.ts';
import type { WrittenFigures } from '../../../src/core/policy.ts';
import { createCounterKeys } from '../../../src/store/redis/limits/limit-trips.ts';
import { createRedisLimits, type RedisLimits } from '../../../src/store/redis/limits/limits.ts';
import { NOW } from '../../core/build.ts';
import {
  describeCluster,
  redisClusterUrls,
  sharedClusterIsUp,
} from '../../redis-harness/shared.ts';
import { group } from '../contract-limits.ts';
import { type LimitLink, openLimitLink } from './limit-link.ts';

const PATIENT_MS = 15_000;

/** A limit of one subject among several. */
function limitOf(subject: string, written: WrittenFigures, name = 'plan', cost = 1): LimitGroup {
  return { ...group(written, `${name} ${subject}`, cost), subject };
}

describeCluster('limits of several subjects on a Cluster', () => {
  let client: Cluster;
  let here: LimitLink;
  let limits: RedisLimits;
  let asked: string[];
  beforeAll(async () => {
    await sharedClusterIsUp();
    client = new Cluster([...redisClusterUrls], { enableAutoPipelining: true });
  });
  afterAll(() => client.disconnect());
  beforeEach(() => {
    here = openLimitLink(client);
    limits = createRedisLimits(here.link, here.keyspace, { clock: 'caller', withinMs: PATIENT_MS });
    asked = [];
    here.held = { call: async ({ script }) => void asked.push(script.name) };
  });

  const remaining = async (...groups: readonly LimitGroup[]) =>
    (await limits.readLimits(groups, NOW)).map((usage) => usage.remaining);

  const WORKSPACE = limitOf('w', { per_day: 10, burst: 10 });
  const KEY = limitOf('w', { per_day: 5 }, 'key');
  const ADDRESS = limitOf('a', { per_minute: 3 });

  test('are taken with one script for each subject, and told in their order', async () => {
    const { usages, receipt } = await limits.takeLimits([WORKSPACE, ADDRESS, KEY], NOW);
    expect(asked).toEqual(['take', 'take']);
    expect(usages.map((usage) => [usage.limit, usage.remaining])).toEqual([
      [10, 9],
      [10, 9],
      [3, 2],
      [5, 4],
    ]);
    expect(receipt).toMatchObject({ groups: [WORKSPACE, ADDRESS, KEY], takenAtMs: NOW });
  });

  test('are given back when a later one refuses, and the longest wait is told', async () => {
    const later = limitOf('l', { per_day: 1 });
    await limits.takeLimits([later], NOW);
    for (let at = 0; at < 3; at += 1) await limits.takeLimits([ADDRESS], NOW);
    asked.length = 0;
    const taken = await limits.takeLimits([WORKSPACE, ADDRESS, later], NOW);
    expect(asked.toSorted()).toEqual(['peek', 'settle', 'take', 'take']);
    expect(taken).toMatchObject({ refused: true, receipt: undefined });
    const waits = taken.usages.map(({ retryAtMs }) => retryAtMs !== undefined);
    expect(waits).toEqual([false, false, true, true]);
    expect(taken.usages.map((usage) => usage.remaining)).toEqual([10, 10, 0, 0]);
    expect(await remaining(WORKSPACE, ADDRESS, later)).toEqual([10, 10, 0, 0]);
  });

  test('are given back when a later one fails', async () => {
    await client.set(createCounterKeys(here.keyspace)(ADDRESS), 'x');
    await expect(limits.takeLimits([WORKSPACE, ADDRESS], NOW)).rejects.toThrow(/GARBLED|script/);
    await expect.poll(() => remaining(WORKSPACE)).toEqual([10, 10]);
  });

  test('a refusal stands when the rest cannot be looked at', async () => {
    const [full, sick] = [limitOf('f', { per_day: 0 }), limitOf('s', { per_day: 5 })];
    await client.set(createCounterKeys(here.keyspace)(sick), 'x');
    const taken = await limits.takeLimits([full, sick], NOW);
    expect(taken).toMatchObject({ refused: true, usages: [{ limit: 0 }] });
  });

  test('are settled together, also by a copy of the receipt', async () => {
    const groups = [limitOf('x', { per_day: 10 }, 'x', 5), limitOf('y', { per_day: 10 }, 'y', 5)];
    const { receipt } = await limits.takeLimits(groups, NOW);
    await limits.settleLimits(receipt as Receipt, 2);
    expect(await remaining(...groups)).toEqual([8, 8]);
    const rest = groups.map((one) => ({ ...one, cost: 2 }));
    await limits.settleLimits({ ...(receipt as Receipt), groups: rest }, 0);
    expect(await remaining(...groups)).toEqual([10, 10]);
  });

  test('never admit more than each limit, however many ask at once, and lose nothing', async () => {
    const wide = limitOf('wide', { per_month: 400 });
    const narrow = Array.from({ length: 4 }, (_, at) => limitOf(`n${at}`, { per_month: 60 }));
    const taken = await Promise.all(
      Array.from({ length: 3000 }, (_, at) => {
        const own = narrow[at % 4];
        return limits.takeLimits(own ? [wide, own] : [wide], NOW);
      }),
    );
    const receipts = taken.flatMap(({ receipt }) => (receipt ? [receipt] : []));
    const left = narrow.map(
      (one) => 60 - receipts.filter(({ groups }) => groups.includes(one)).length,
    );
    expect(Math.min(...left)).toBeGreaterThanOrEqual(0);
    expect(await remaining(wide, ...narrow)).toEqual([400 - receipts.length, ...left]);
    expect(receipts.length).toBeGreaterThan(0);
  });
});
