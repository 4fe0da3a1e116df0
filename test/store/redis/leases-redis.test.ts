import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCounters } from '../../../src/store/counters.ts';
import type { Limits } from '../../../src/store/redis/limits/degraded.ts';
import { withLeases } from '../../../src/store/redis/limits/leases.ts';
import { createRedisLimits } from '../../../src/store/redis/limits/limits.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { group, limitContract } from '../contract-limits.ts';
import { openLimitLink } from './limit-link.ts';

const PATIENT_MS = 10_000;

/** One process, whose even clock stands: each counter that is asked for twenty times is hot. */
function leasedByCallersClock(limits: Limits) {
  return withLeases(limits, { steadyMs: () => 0, now: () => NOW, replicas: () => 1 });
}

describe('leases of counters in this process', () => {
  limitContract(async () => {
    const counters = createCounters(1000);
    return leasedByCallersClock({
      takeLimits: async (groups, nowMs) => counters.takeLimits(groups, nowMs),
      settleLimits: async (receipt, cost) => counters.settleLimits(receipt, cost),
      readLimits: async (groups, nowMs) => counters.readLimits(groups, nowMs),
    });
  });
});

describeRedis('leases of counters in Redis', () => {
  const clients: Redis[] = [];
  beforeAll(() => {
    for (let at = 0; at < 4; at += 1)
      clients.push(new Redis(redisUrl, { enableAutoPipelining: true }));
  });
  afterAll(() => {
    for (const client of clients) client.disconnect();
  });

  const connected = () => {
    const [client] = clients;
    if (!client) throw new Error('there is no connection');
    return client;
  };

  describe('hold to the contract', () => {
    limitContract(async () => {
      const { link, keyspace } = openLimitLink(connected());
      const limits = { clock: 'caller', withinMs: PATIENT_MS } as const;
      return leasedByCallersClock(createRedisLimits(link, keyspace, limits));
    });
  });

  test('four processes admit exactly the limit together, and most of it without a trip', async () => {
    const { keyspace } = openLimitLink(connected());
    const asked = group({ per_month: 20_000 }, 'hot');
    let trips = 0;
    const processes = clients.map((client) => {
      const { link } = openLimitLink(client);
      const limits = createRedisLimits(link, keyspace, { withinMs: PATIENT_MS });
      const counted: Limits = {
        ...limits,
        takeLimits: (groups, nowMs) => {
          trips += 1;
          return limits.takeLimits(groups, nowMs);
        },
      };
      return withLeases(counted, {
        steadyMs: () => performance.now(),
        now: Date.now,
        replicas: () => 4,
      });
    });
    let admitted = 0;
    const askOften = async (limits: Limits, times: number) => {
      for (let at = 0; at < times; at += 1) {
        const { refused } = await limits.takeLimits([asked], Date.now());
        if (!refused) admitted += 1;
      }
    };
    await Promise.all(
      processes.flatMap((limits) => Array.from({ length: 8 }, () => askOften(limits, 500))),
    );
    const afterSixteenThousand = { admitted, trips };
    await Promise.all(processes.map((limits) => askOften(limits, 2000)));
    await Promise.all(processes.map((limits) => limits.close()));
    const [exact] = processes;
    if (exact) await askOften(exact, 20_000 - admitted + 10);
    expect(afterSixteenThousand.admitted).toBe(16_000);
    expect(afterSixteenThousand.trips).toBeLessThan(2000);
    expect(admitted).toBe(20_000);
  });
});
