import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LimitGroup } from '../../../src/core/limit.ts';
import { RedisDown } from '../../../src/store/redis/link/link.ts';
import { NOW } from '../../core/build.ts';
import { type SentinelGroup, startSentinel } from '../../redis-harness/sentinel.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { group } from '../contract-limits.ts';
import { settingsOf } from './open.ts';
import { openParts, type Parts } from './parts.ts';

describeRedisServer('a Redis behind sentinels', () => {
  let sentinels: SentinelGroup;
  let parts: Parts;
  beforeAll(async () => {
    sentinels = await startSentinel({ replicas: 1 });
    const settings = settingsOf(sentinels.urls, { sentinel: sentinels.name });
    parts = await openParts(settings);
  });
  afterAll(async () => {
    await parts?.link.close();
    await sentinels?.stop();
  });

  /** Takes until a master answers; until then it is the server's fault. */
  async function takeUntilServed(one: LimitGroup): Promise<void> {
    await waitFor('a master serves', async () => {
      const failure = await parts.limits.takeLimits([one], NOW).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      if (failure) expect(failure).toBeInstanceOf(RedisDown);
      return failure === undefined;
    });
  }

  const keysOf = async () => Number(await (await sentinels.master()).cli('DBSIZE'));

  test('is found by them', async () => {
    await takeUntilServed(group({ per_day: 9 }, 'first'));
    expect(await keysOf()).toBeGreaterThan(0);
    expect(parts.link.nodes()).toMatchObject([{ breaker: 'closed' }]);
  });

  test('is followed to its new place when a replica took over', async () => {
    const old = await sentinels.master();
    const next = await sentinels.failOver();
    // The sentinels would do so some ten seconds later.
    await old.cli('REPLICAOF', '127.0.0.1', next.port);
    await takeUntilServed(group({ per_day: 9 }, 'second'));
    expect(await next.cli('KEYS', '*')).toEqual(
      expect.arrayContaining([expect.stringContaining('test-')]),
    );
  });

  test('is followed when its master was killed', async () => {
    const old = await sentinels.master();
    await old.kill();
    await waitFor('another master', async () => (await sentinels.master()) !== old);
    await takeUntilServed(group({ per_day: 9 }, 'third'));
  });
});
