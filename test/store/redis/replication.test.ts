import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRedisStore } from '../../../src/store/redis/redis.ts';
import type { Store } from '../../../src/store/store.ts';
import { type RedisServer, startRedis } from '../../redis-harness/redis.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { putKey, storedKey } from '../build.ts';
import { settingsOf, storeOptions } from './open.ts';

const COMMITS = 12;
/** Redis waits for a second on the connection of the records, once; not for each commit. */
const ONE_WAIT_MS = 2500;

describeRedisServer('commits to a master whose replica stands still', () => {
  let master: RedisServer;
  let replica: RedisServer;
  let store: Store;
  const failures: string[] = [];

  beforeAll(async () => {
    master = await startRedis();
    replica = await startRedis({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await waitFor('the replica follows', async () =>
      String(await master.cli('INFO', 'replication')).includes('state=online'),
    );
    const onFailure = (cause: unknown) => failures.push(String(cause));
    store = await openRedisStore(settingsOf([master.url]), storeOptions({ onFailure }));
  });
  afterAll(async () => {
    await store.close();
    replica.resume();
    await Promise.all([replica.stop(), master.stop()]);
  });

  const commit = (id: string) => store.commit({ writes: [putKey(storedKey(id))], events: [] });

  test('wait for it together, tell that once, and hold up no read', async () => {
    await commit('before');
    expect(failures).toEqual([]);
    await replica.pause();
    const startMs = performance.now();
    const ids = Array.from({ length: COMMITS }, (_, at) => `k${at}`);
    const commits = ids.map(commit);
    await commits[0];
    expect(await store.existing('key', ids)).toEqual(ids);
    expect(await Promise.all(commits)).toEqual(ids.map(() => undefined));
    expect(performance.now() - startMs).toBeLessThan(ONE_WAIT_MS);
    expect(failures).toEqual([
      'Error: no replica of Redis confirmed a commit: a failover now may lose it',
    ]);
  });

  test('wait for it again once it goes on', async () => {
    let turn = 0;
    await waitFor('it was heard to be back, and gone again', async () => {
      turn += 1;
      replica.resume();
      await commit(`well-${turn}`);
      await replica.pause();
      await commit(`still-${turn}`);
      return failures.length > 1;
    });
  });
});
