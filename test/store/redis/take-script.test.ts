import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Receipt } from '../../../src/core/limit.ts';
import {
  createCounterKeys,
  createLimitTrips,
  probeCall,
} from '../../../src/store/redis/limits/limit-trips.ts';
import { createRedisLimits, type RedisLimits } from '../../../src/store/redis/limits/limits.ts';
import { RedisDown } from '../../../src/store/redis/link/link.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { DAY_MS } from '../build.ts';
import { group } from '../contract-limits.ts';
import { type LimitLink, openLimitLink } from './limit-link.ts';

const PATIENT_MS = 15_000;

describeRedis('limits in Redis', () => {
  let client: Redis;
  let here: LimitLink;
  let limits: RedisLimits;
  beforeAll(() => {
    client = new Redis(redisUrl, { enableAutoPipelining: true });
  });
  afterAll(() => client.disconnect());
  beforeEach(() => {
    here = openLimitLink(client);
    limits = limitsWithin(PATIENT_MS);
  });

  const limitsWithin = (withinMs: number, clock: 'redis' | 'caller' = 'redis') =>
    createRedisLimits(here.link, here.keyspace, { withinMs, clock });
  const keyOf = (counter: string) => createCounterKeys(here.keyspace)(group({}, counter));
  const remaining = async (...groups: readonly ReturnType<typeof group>[]) =>
    (await limits.readLimits(groups, NOW)).map((usage) => usage.remaining);

  test('of ten thousand takes at once exactly the limit is admitted', async () => {
    const month = group({ per_month: 1234 });
    const taken = await Promise.all(
      Array.from({ length: 10_000 }, () => limits.takeLimits([month], NOW)),
    );
    expect(taken.filter(({ refused }) => !refused)).toHaveLength(1234);
  });

  test('three groups are taken together or not at all, however many ask at once', async () => {
    const all = [
      group({ per_month: 1000 }, 'plan'),
      group({ quota: { requests: 300, per: 'month' } }, 'key'),
      group({ per_month: 250 }, 'route'),
    ];
    const asked = [all, all.slice(0, 2), all.slice(1), [...all].reverse()];
    const taken = await Promise.all(
      Array.from({ length: 4000 }, (_, at) => limits.takeLimits(asked[at % 4] ?? all, NOW)),
    );
    const admitted = (counter: string) =>
      taken.filter(({ receipt }) => receipt?.groups.some((one) => one.counter === counter)).length;
    const left = await remaining(...all);
    expect(left).toEqual([1000 - admitted('plan'), 300 - admitted('key'), 250 - admitted('route')]);
    expect(admitted('key')).toBe(300);
  });

  test('a take that is held up until after its deadline changes nothing', async () => {
    const ten = group({ per_month: 10 });
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let ended = 0;
    const answer = async () => {
      ended += 1;
    };
    here.held = { call: () => gate, answer };
    await expect(limitsWithin(5).takeLimits([ten], NOW)).rejects.toThrow(RedisDown);
    const overMs = Date.now() + 5;
    await waitFor('the deadline is over', () => Date.now() > overMs);
    release();
    await waitFor('the script has run', () => ended === 1);
    here.held = {};
    expect(await remaining(ten)).toEqual([10]);
    expect(await client.exists(keyOf('c'))).toBe(0);
  });

  test('what was charged in time, but answered after the caller gave up, is given back', async () => {
    const ten = group({ per_month: 10, burst: 10 }, 'c', 3);
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    here.held = { answer: () => gate };
    await expect(limitsWithin(1000).takeLimits([ten], NOW)).rejects.toThrow(RedisDown);
    here.held = {};
    expect(await remaining(ten)).toEqual([7, 9]);
    release();
    await waitFor('it is given back', async () => (await remaining(ten))[0] === 10);
    expect(await remaining(ten)).toEqual([10, 10]);
  });

  test('of a bucket only that is given back which cannot have drained since', async () => {
    const five = group({ per_month: 5, burst: 5 });
    const trips = createLimitTrips(here.link, here.keyspace, 'redis');
    const left = async () => (await limits.readLimits([five], NOW)).at(-1)?.remaining;
    const { atMs } = await trips.take([five], NOW, PATIENT_MS);
    await trips.giveBack({ groups: [five], takenAtMs: atMs - 7 * DAY_MS }, PATIENT_MS);
    expect(await left()).toBe(4);
    await trips.giveBack({ groups: [five], takenAtMs: atMs }, PATIENT_MS);
    expect(await left()).toBe(5);
  });

  test('a script cache that is lost in the middle loses no take', async () => {
    const month = group({ per_month: 300 });
    const takes = Array.from({ length: 600 }, async (_, at) => {
      if (at % 100 === 50) await client.script('FLUSH');
      return limits.takeLimits([month], NOW);
    });
    const taken = await Promise.all(takes);
    expect(taken.filter(({ refused }) => !refused)).toHaveLength(300);
  });

  test.each([
    ['a list', (key: string) => client.rpush(key, 'x')],
    ['a word', (key: string) => client.set(key, 'x')],
    ['an end without a beginning', (key: string) => client.set(key, '1],[1,2,3')],
    ['too few numbers', (key: string) => client.set(key, '1,2')],
    ['no window of any', (key: string) => client.set(key, '7,0,0')],
    ['a text among numbers', (key: string) => client.set(key, '0,"0",0')],
    ['less than nothing', (key: string) => client.set(key, '0,0,-5')],
    ['what is no number', (key: string) => client.set(key, '0,0,nan')],
    ['a bucket of no length', (key: string) => client.set(key, '0,0,0,1,1,0,1')],
    ['a window between two', (key: string) => client.set(key, `1,${NOW + DAY_MS + 1},0`)],
  ])('a counter that holds %s fails its own subject only', async (_, spoil) => {
    limits = limitsWithin(PATIENT_MS, 'caller');
    const [sick, well] = [group({ per_minute: 5 }, 'sick'), group({ per_minute: 5 }, 'well')];
    await spoil(keyOf('sick'));
    const kept = await client.dump(keyOf('sick'));
    await expect(limits.takeLimits([sick], NOW)).rejects.toThrow(/GARBLED|WRONGTYPE|user_script/);
    await expect(limits.takeLimits([well, sick], NOW)).rejects.toThrow();
    expect(await client.dump(keyOf('sick'))).toBe(kept);
    expect(await client.exists(keyOf('well'))).toBe(0);
    expect(await limits.takeLimits([well], NOW)).toMatchObject({ refused: false });
  });

  test('a counter that is given twice is charged twice, and never above its limit', async () => {
    const five = group({ per_month: 5 });
    const asked = [];
    for (let at = 0; at < 3; at += 1)
      asked.push((await limits.takeLimits([five, five], NOW)).refused);
    expect(asked).toEqual([false, false, true]);
    expect(await remaining(five)).toEqual([1]);
  });

  test.each([
    ['a limit of none', group({ per_minute: 0 }), true],
    ['a cost above the limit', group({ per_minute: 5 }, 'c', 6), true],
    ['the whole limit at once', group({ per_month: 5 }, 'c', 5), false],
    ['the largest whole number', group({ per_month: Number.MAX_SAFE_INTEGER }), false],
    ['no figures at all', group({}), false],
  ])('%s', async (_, one, isRefused) => {
    expect((await limits.takeLimits([one], NOW)).refused).toBe(isRefused);
    expect(await client.exists(keyOf('c'))).toBe(
      isRefused || one.figures.windows.length === 0 ? 0 : 1,
    );
  });

  test('without groups nothing is asked', async () => {
    here.held = { call: () => Promise.reject(new Error('it was asked')) };
    expect(await limits.takeLimits([], NOW)).toMatchObject({ refused: false, usages: [] });
    expect(await limits.readLimits([], NOW)).toEqual([]);
  });

  test('a counter lives as long as its last window or its bucket, and a minute more', async () => {
    const time = async () => {
      const [seconds = 0, micros = 0] = (await client.time()).map(Number);
      return seconds * 1000 + micros / 1000;
    };
    const fromMs = await time();
    const { usages } = await limits.takeLimits([group({ per_second: 9, per_day: 9 })], NOW);
    const expected = Math.max(...usages.map((usage) => usage.resetAtMs)) + 60_000;
    const livesMs = await client.pttl(keyOf('c'));
    expect(livesMs + fromMs).toBeLessThanOrEqual(expected + 1);
    expect(livesMs + (await time())).toBeGreaterThanOrEqual(expected - 1);
    await limits.takeLimits([group({ per_second: 1000, burst: 1000 }, 'b', 1)], NOW);
    expect(await client.pttl(keyOf('b'))).toBeLessThanOrEqual(61_000);
  });

  test('what is settled lives no longer and no shorter', async () => {
    const five = group({ per_minute: 5 });
    const { receipt } = await limits.takeLimits([five], NOW);
    const before = await client.pexpiretime(keyOf('c'));
    await limits.settleLimits(receipt as Receipt, 4);
    expect(await client.pexpiretime(keyOf('c'))).toBe(before);
  });

  test('a name in Redis tells nothing of its subject', async () => {
    const secret = { ...group({ per_minute: 5 }, 'shop\nplan:free\nuser{1}'), subject: '{1}' };
    await limits.takeLimits([secret], NOW);
    const [cursor, names] = await client.scan(
      0,
      'MATCH',
      `${here.keyspace.counter('*', '*')}`,
      'COUNT',
      1e6,
    );
    expect(cursor).toBe('0');
    expect(names).toEqual([expect.stringMatching(/^[\w-]+:\{[\w-]{22}\}:[\w-]{22}$/)]);
  });

  test('the probe is the very script, and is answered with the clock', async () => {
    const call = probeCall(here.keyspace, 7);
    const reply = await here.link.run({ ...call, withinMs: PATIENT_MS });
    expect(call.keys).toEqual([here.keyspace.probe(7)]);
    expect(Math.abs((call.timed?.timeOf(reply) ?? 0) - Date.now())).toBeLessThan(PATIENT_MS);
  });
});
