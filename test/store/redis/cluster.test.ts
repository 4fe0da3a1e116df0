import { afterAll, beforeAll } from 'vitest';
import { openRedisStore } from '../../../src/store/redis/redis.ts';
import {
  describeCluster,
  redisClusterUrls,
  sharedClusterIsUp,
} from '../../redis-harness/shared.ts';
import { storeContract } from '../contract.ts';
import { leastUser } from './least-user.ts';
import { settingsOf, storeOptions } from './open.ts';

describeCluster('a Redis Cluster, as a user who may do no more than Postern needs', () => {
  const { user, create, remove } = leastUser(redisClusterUrls);
  beforeAll(async () => {
    await sharedClusterIsUp();
    await create();
  });
  afterAll(remove);
  storeContract('redis cluster', (options) =>
    openRedisStore(settingsOf(redisClusterUrls, { cluster: true, ...user }), storeOptions(options)),
  );
});
