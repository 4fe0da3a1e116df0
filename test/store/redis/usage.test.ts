import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SummedUse } from '../../../src/store/batch.ts';
import { type Call, RedisDown, type RedisLink } from '../../../src/store/redis/link/link.ts';
import { createRedisRest } from '../../../src/store/redis/records/rest.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { HOUR_MS, putKey, storedKey, write } from '../build.ts';
import { openRecords } from './open-records.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

const HOUR = Math.floor(NOW / HOUR_MS);

const use = (keyId: string, count = 1, more: Partial<SummedUse> = {}): SummedUse => ({
  keyId,
  lastMs: NOW,
  counts: [{ hour: HOUR, reason: '', count }],
  ...more,
});

describeRedis('uses of keys in Redis', () => {
  let here: ScriptLink;
  let told: unknown[];
  beforeEach(() => {
    here = openScriptLink(redisUrl);
    told = [];
  });
  afterEach(() => here.end());

  const restOver = (link: RedisLink) =>
    createRedisRest(link, here.keyspace, { onFailure: (cause) => told.push(cause) });
  const countOf = async (keyId: string) =>
    (await restOver(here.link).usageOf(keyId, 0)).reduce((sum, { requests }) => sum + requests, 0);
  const fill = async (...ids: readonly string[]) => {
    const store = openRecords(here);
    await write(store, ...ids.map((id) => putKey(storedKey(id))));
    return store;
  };

  test('stand by hour and reason, through midnight, in the order of time', async () => {
    const rest = restOver(here.link);
    const midnight = Math.ceil(HOUR / 24) * 24;
    const counts = [
      [midnight, '', 4],
      [midnight - 1, 'rate_limited', 2],
      [midnight + 23, 'a reason', 3],
      [midnight - 24, '', 1],
      [midnight, 'rate_limited', 1],
    ] as const;
    for (const [hour, reason, count] of counts) {
      await rest.write({ uses: [use('k', 0, { counts: [{ hour, reason, count }] })], events: [] });
    }
    const at = (hour: number) => hour * HOUR_MS;
    const hours = [
      { startMs: at(midnight - 24), requests: 1, refusals: {} },
      { startMs: at(midnight - 1), requests: 2, refusals: { rate_limited: 2 } },
      { startMs: at(midnight), requests: 5, refusals: { rate_limited: 1 } },
      { startMs: at(midnight + 23), requests: 3, refusals: { 'a reason': 3 } },
    ];
    expect(await rest.usageOf('k', 0)).toEqual(hours);
    expect(await rest.usageOf('k', at(midnight))).toEqual(hours.slice(2));
    expect(await rest.usageOf('k', at(midnight) + 1)).toEqual(hours.slice(2));
  });

  test('of a key that is not there, declared or removed, make no key and no last use', async () => {
    const store = await fill('k');
    await write(store, { kind: 'key', remove: { id: 'k' }, expected: 1 });
    await restOver(here.link).write({ uses: [use('k'), use('declared')], events: [] });
    expect(await store.getKey('k')).toBeUndefined();
    expect(await store.existing('key', ['k', 'declared'])).toEqual([]);
    expect(await here.client.zcard(here.keyspace.keysSeen)).toBe(0);
    expect(await countOf('declared')).toBe(1);
  });

  test('that come out of order leave the latest as the last, also before the creation', async () => {
    const store = await fill('k');
    const rest = restOver(here.link);
    for (const lastMs of [NOW - 5, NOW - 9, 0, NOW - 2, NOW - 3]) {
      await rest.write({ uses: [use('k', 1, { lastMs })], events: [] });
    }
    expect((await store.getKey('k'))?.lastUsedAtMs).toBe(NOW - 2);
    expect(await here.client.zscore(here.keyspace.keysSeen, 'k')).toBe(String(NOW - 2));
    const changed = storedKey('k', { name: 'changed' });
    await write(store, putKey(changed, 1));
    expect((await store.getKey('k'))?.lastUsedAtMs, 'an update keeps it').toBe(NOW - 2);
  });

  test('that cannot be written are told of, and hold up no others', async () => {
    await here.client.set(here.keyspace.usage('wrong'), 'a text');
    await here.client.hset(here.keyspace.usage('odd'), `${Math.floor(HOUR / 24)} `, 'no hours');
    const rest = restOver(here.link);
    await rest.write({ uses: [use('a'), use('wrong'), use('odd'), use('b')], events: [] });
    expect([await countOf('a'), await countOf('b'), await countOf('odd')]).toEqual([1, 1, 1]);
    expect(told.map(String)).toEqual([expect.stringContaining('WRONGTYPE')]);
  });

  describe('where the answer does not come, are counted once', () => {
    /** A link that loses one answer, after the script has run, before it, or that runs it at the very end. */
    const losing = (when: 'after' | 'before' | 'late') => {
      let isLost = false;
      let runLate = async (): Promise<unknown> => undefined;
      const runAside = async (call: Call) => {
        if (isLost || call.script.name !== 'write-batch') return here.link.runAside(call);
        isLost = true;
        if (when === 'after') await here.link.runAside(call);
        if (when === 'late') runLate = () => here.link.runAside(call);
        throw new RedisDown('no answer');
      };
      return { link: { ...here.link, runAside }, runLate: () => runLate() };
    };

    test.each(['after', 'before', 'late'] as const)('and it ran %s', async (when) => {
      const { link, runLate } = losing(when);
      const rest = restOver(link);
      await rest.write({ uses: [use('a', 5)], events: [] }).then(
        () => expect.fail('it must reject'),
        (cause) => expect(cause).toBeInstanceOf(RedisDown),
      );
      await rest.write({ uses: [use('b', 1)], events: [] });
      await runLate();
      expect([await countOf('a'), await countOf('b')]).toEqual([0, 1]);
      await rest.write({ uses: [use('a', 7)], events: [] });
      await runLate();
      expect([await countOf('a'), await countOf('b')]).toEqual([7, 1]);
      expect(told).toEqual([]);
    });

    test('by the store, which writes them again with those that came since', async () => {
      const { link } = losing('after');
      const store = openRecords({ link, keyspace: here.keyspace });
      store.recordUse({ keyId: 'k', nowMs: NOW });
      await expect(store.flush()).rejects.toThrow('no answer');
      store.recordUse({ keyId: 'k', nowMs: NOW + 1 });
      await store.flush();
      expect(await countOf('k')).toBe(2);
      await store.close();
    });
  });

  test('of several processes add up', async () => {
    const rests = Array.from({ length: 4 }, () => restOver(here.link));
    await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        rests[at % 4]?.write({ uses: [use('k', 3)], events: [] }),
      ),
    );
    expect(await countOf('k')).toBe(120);
  });
});
