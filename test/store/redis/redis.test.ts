import { afterAll, beforeAll } from 'vitest';
import { openRedisStore } from '../../../src/store/redis/redis.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { storeContract } from '../contract.ts';
import { leastUser } from './least-user.ts';
import { settingsOf, storeOptions } from './open.ts';

describeRedis('one Redis, as a user who may do no more than Postern needs', () => {
  const { user, create, remove } = leastUser([redisUrl]);
  beforeAll(create);
  afterAll(remove);
  storeContract('redis', (options) =>
    openRedisStore(settingsOf([redisUrl], user), storeOptions(options)),
  );
});
