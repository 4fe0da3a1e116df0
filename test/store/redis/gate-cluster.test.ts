import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  describeCluster,
  redisClusterUrls,
  sharedClusterIsUp,
} from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { putKey, roleRecord, storedKey } from '../build.ts';
import { openWorld, remember, statusOf, untilRefused } from './gate-world.ts';

describeCluster('look-ups of records in a Redis Cluster', () => {
  let world: ReturnType<typeof openWorld>;
  beforeAll(sharedClusterIsUp);
  beforeEach(() => {
    world = openWorld(redisClusterUrls, true);
  });
  afterEach(() => world.end());

  test.each([
    ['by messages', true],
    ['by polls alone', false],
  ])('a revocation elsewhere holds within a second, %s', async (_how, hearsMessages) => {
    const [here, there] = [await world.start(), await world.start({ hearsMessages })];
    await here.commit(putKey(storedKey('k')));
    await remember(there, 'k');
    await there.caughtUp();
    expect(await statusOf(there, 'k')).toBe('active');
    await here.commit(putKey(storedKey('k', { status: 'revoked' }), 1));
    await untilRefused(there, 'k');
  });

  test('roles are found, and processes count each other', async () => {
    const [here, there] = [await world.start(), await world.start()];
    const put = roleRecord('r', { workspace_id: 'w' });
    await here.commit({ kind: 'role', put, expected: 0 });
    expect([...((await there.gate.findRoles('w')) ?? []).keys()]).toEqual(['r']);
    await waitFor('both are counted', () => here.gate.instances() === 2);
  });
});
