import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe } from 'vitest';
import { createRedisLimits } from '../../../src/store/redis/limits/limits.ts';
import {
  describeCluster,
  describeRedis,
  redisClusterUrls,
  redisUrl,
  sharedClusterIsUp,
} from '../../redis-harness/shared.ts';
import { limitContract } from '../contract-limits.ts';
import { openLimitLink } from './limit-link.ts';

const PATIENT_MS = 10_000;

function limitsOf(client: Redis | Cluster) {
  const { link, keyspace } = openLimitLink(client);
  const limits = createRedisLimits(link, keyspace, { clock: 'caller', withinMs: PATIENT_MS });
  return { ...limits, close: async () => undefined };
}

describeRedis('limits in Redis', () => {
  let client: Redis;
  beforeAll(() => {
    client = new Redis(redisUrl, { enableAutoPipelining: true });
  });
  afterAll(() => client.disconnect());

  describe('hold to the contract', () => limitContract(async () => limitsOf(client)));
});

describeCluster('limits in a Cluster', () => {
  let client: Cluster;
  beforeAll(async () => {
    await sharedClusterIsUp();
    client = new Cluster([...redisClusterUrls], { enableAutoPipelining: true });
  });
  afterAll(() => client.disconnect());

  describe('hold to the contract', () => limitContract(async () => limitsOf(client)));
});
