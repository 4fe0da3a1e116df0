import { afterEach, describe, expect, test } from 'vitest';
import type { LimitGroup, Taken } from '../../../src/core/limit.ts';
import type { LeaseOptions } from '../../../src/store/redis/limits/leases.ts';
import { RedisDown } from '../../../src/store/redis/link/link.ts';
import { group } from '../contract-limits.ts';
import { DAY_START, heard, type Instance, openInstance, openServer, warm } from './leased-build.ts';

const open: Instance[] = [];
afterEach(async () => {
  for (const { wire, limits } of open.splice(0)) {
    const closed = limits.close();
    wire.drain();
    await closed;
  }
});

function start(options: Partial<LeaseOptions> & { readonly apartMs?: number } = {}) {
  const server = openServer();
  const instance = openInstance(server, options);
  open.push(instance);
  const join = (more: Partial<LeaseOptions> = {}) => {
    const other = openInstance(server, { ...options, ...more });
    open.push(other);
    return other;
  };
  return { server, join, ...instance, instance };
}

function atHand(answer: Taken | Promise<Taken>): Taken {
  if (answer instanceof Promise) throw new Error('it took a trip');
  return answer;
}

const hot = group({ per_minute: 10_000 });

describe('a counter that is asked for often', () => {
  test('is leased after some requests, and then answered without a trip', async () => {
    const { instance, limits, server, now } = start();
    expect(await warm(instance, hot)).toBe(20);
    const trips = server.trips.length;
    for (let at = 0; at < 100; at += 1) atHand(limits.takeLimits([hot], now()));
    expect(server.trips.length).toBe(trips);
  });

  test('is not leased when the requests come slowly', async () => {
    const { limits, server, now } = start();
    for (let at = 0; at < 100; at += 1) {
      server.nowMs += 100;
      await limits.takeLimits([hot], now());
      await heard();
    }
    expect(server.trips).toHaveLength(100);
  });

  test('is told like one without leases', async () => {
    const { instance, limits, now } = start();
    const before = await warm(instance, hot);
    const taken = atHand(limits.takeLimits([{ ...hot, cost: 5 }], now()));
    expect(taken).toEqual({
      refused: false,
      usages: [
        {
          label: 'minute',
          policy: '10000/minute',
          limit: 10_000,
          quota: false,
          remaining: 10_000 - before - 5,
          lengthMs: 60_000,
          resetAtMs: DAY_START + 60_000,
          retryAtMs: undefined,
        },
      ],
      receipt: { groups: [{ ...hot, cost: 5 }], takenAtMs: DAY_START },
    });
    expect(await limits.readLimits([hot], now())).toMatchObject([
      { remaining: 10_000 - before - 5, retryAtMs: undefined },
    ]);
  });

  test('keeps back what siblings may take meanwhile', async () => {
    const { instance, limits, now } = start({ replicas: () => 4 });
    const before = await warm(instance, hot);
    const { units } = limits.counts();
    const [usage] = atHand(limits.takeLimits([hot], now())).usages;
    expect(usage?.remaining).toBe(10_000 - before - 1 - 2 * 3 * units);
  });

  test('gets its next lease while it still has units, so that no request waits', async () => {
    const { instance, limits, server, now } = start();
    await warm(instance, hot);
    const trips = server.trips.length;
    for (let at = 0; at < 5000; at += 1) {
      server.nowMs = DAY_START + Math.floor(at / 10);
      atHand(limits.takeLimits([hot], now()));
      if (at % 10 === 0) await heard();
    }
    expect(server.trips.length - trips).toBeLessThan(20);
  });

  test('is taken one by one when little remains, to the last unit', async () => {
    const { limits, now } = start({ replicas: () => 4 });
    const small = group({ per_minute: 300 });
    let admitted = 0;
    for (let at = 0; at < 400; at += 1) {
      if (!(await limits.takeLimits([small], now())).refused) admitted += 1;
      await heard();
    }
    expect(admitted).toBe(300);
    expect(limits.counts()).toEqual({ leases: 0, units: 0, lost: 0 });
  });

  test('gives back what is too little for a dear request, and takes it in a trip', async () => {
    const { instance, limits, server, now } = start();
    const small = group({ per_minute: 200 });
    await warm(instance, small);
    server.hasNoWire = true;
    const { units } = limits.counts();
    const dear = { ...small, cost: server.remaining(small)[0] ?? 0 };
    expect(await limits.takeLimits([{ ...dear, cost: dear.cost + units }], now())).toMatchObject({
      refused: false,
      usages: [{ remaining: 0 }],
    });
  });

  test.each([
    ['a bucket', group({ per_minute: 10_000, burst: 10_000 })],
    ['no figures', group({})],
  ])('is never leased when it has %s', async (_, asked) => {
    const { limits, server, now } = start();
    for (let at = 0; at < 100; at += 1) {
      await limits.takeLimits([asked], now());
      await heard();
    }
    expect(server.trips).toHaveLength(100);
  });

  test('is leased for each set of figures by itself, and a lower limit is kept', async () => {
    const { instance, limits, server, now } = start();
    await warm(instance, hot);
    expect((await limits.takeLimits([group({ per_minute: 20 })], now())).refused).toBe(true);
    expect(server.remaining(hot)).toEqual([9980]);
  });

  test('admits under other figures what was left under these', async () => {
    const { instance, limits, server, now } = start();
    const small = group({ per_minute: 200 });
    await warm(instance, small);
    const { units } = limits.counts();
    const rest = { ...group({ per_minute: 200 }), cost: 180 };
    expect(units).toBeGreaterThan(0);
    expect((await limits.takeLimits([rest], now())).refused).toBe(false);
    expect(server.remaining(small)).toEqual([0]);
  });
});

describe('a lease ends', () => {
  test.each([
    ['before its window does', DAY_START + 59_500, 479, 480],
    ['after a second at most', DAY_START + 10_000, 999, 1000],
  ])('%s', async (_, askedAtMs, livesMs, endsMs) => {
    const { instance, limits, server, now } = start();
    server.nowMs = askedAtMs;
    await warm(instance, hot);
    server.nowMs = askedAtMs + livesMs;
    atHand(limits.takeLimits([hot], now()));
    await heard();
    limits.tend();
    server.nowMs = askedAtMs + endsMs;
    const leasedBefore = server.trips.length;
    limits.tend();
    expect(server.trips.slice(leasedBefore)).toMatchObject([{ kind: 'settle' }]);
  });

  test('when only the calendar went on, as with a machine that slept', async () => {
    const server = openServer();
    const instance = openInstance(server, { steadyMs: () => 0 });
    open.push(instance);
    await warm(instance, hot);
    expect(instance.limits.takeLimits([hot], instance.now() + 1000)).toBeInstanceOf(Promise);
  });

  test.each([
    ['at its end', ({ limits }: Instance) => limits.tend(), 1500],
    ['on close', ({ limits }: Instance) => void limits.close(), 0],
    ['when a sibling needs it', ({ limits }: Instance) => limits.recall(hot.counter), 0],
  ])('and what is left goes back %s', async (_, end, afterMs) => {
    const { instance, limits, server, now } = start();
    const before = await warm(instance, hot);
    atHand(limits.takeLimits([hot], now()));
    server.nowMs += afterMs;
    end(instance);
    await heard();
    expect(server.remaining(hot)).toEqual([10_000 - before - 1]);
    expect(limits.counts()).toEqual({ leases: 0, units: 0, lost: 0 });
  });

  test('by a timer too', async () => {
    const { instance, limits, server } = start();
    await warm(instance, hot);
    server.nowMs += 1500;
    await expect.poll(() => limits.counts().leases).toBe(0);
  });

  test('and what could not be given back is counted, and not given back again', async () => {
    const { instance, limits, server } = start();
    await warm(instance, hot);
    const { units } = limits.counts();
    server.cause = new RedisDown('it is away');
    await limits.close();
    server.cause = undefined;
    await limits.close();
    expect(limits.counts()).toEqual({ leases: 0, units: 0, lost: units });
    expect(server.trips.filter(({ kind }) => kind === 'settle')).toHaveLength(1);
  });

  test('at once when its answer came after its window', async () => {
    const { limits, server, wire, now } = start();
    server.nowMs = DAY_START + 59_000;
    for (let at = 0; at < 19; at += 1) await limits.takeLimits([hot], now());
    server.hasNoWire = false;
    const last = limits.takeLimits([hot], now());
    wire.runNext();
    wire.deliverNext();
    await last;
    wire.runNext();
    server.nowMs = DAY_START + 60_000;
    wire.deliverNext();
    await heard();
    expect(limits.counts().leases).toBe(0);
    wire.drain();
    expect(server.trips.at(-1)?.kind).toBe('settle');
  });

  test('and none is fetched after the close', async () => {
    const { instance, limits, server, now } = start();
    await warm(instance, hot);
    await limits.close();
    for (let at = 0; at < 100; at += 1) await limits.takeLimits([hot], now());
    await heard();
    expect(limits.counts().leases).toBe(0);
    expect(server.remaining(hot)).toEqual([10_000 - 120]);
  });
});

describe('a request with several groups', () => {
  const cold = group({ per_minute: 3 }, 'cold');
  const unspent = (one: LimitGroup, other: LimitGroup) => [one, other];

  test('takes a trip only for those that are not leased', async () => {
    const { instance, limits, server, now } = start();
    const before = await warm(instance, hot);
    const trips = server.trips.length;
    const taken = await limits.takeLimits(unspent(cold, hot), now());
    expect(server.trips.slice(trips)).toMatchObject([{ groups: [{ counter: 'cold' }] }]);
    expect(taken).toMatchObject({
      refused: false,
      usages: [
        { policy: '3/minute', remaining: 2 },
        { policy: '10000/minute', remaining: 10_000 - before - 1 },
      ],
      receipt: { groups: [cold, hot], takenAtMs: DAY_START },
    });
  });

  test('spends nothing when one of them refuses', async () => {
    const { instance, limits, now } = start();
    const before = await warm(instance, hot);
    for (let at = 0; at < 3; at += 1) await limits.takeLimits([hot, cold], now());
    const { units } = limits.counts();
    const refused = await limits.takeLimits([{ ...hot, cost: 5 }, cold], now());
    expect(refused).toMatchObject({
      refused: true,
      usages: [{ remaining: 10_000 - before - 3 }, { remaining: 0, retryAtMs: expect.any(Number) }],
    });
    expect(refused.receipt).toBeUndefined();
    expect(limits.counts().units).toBe(units);
  });

  test('spends nothing when the trip fails', async () => {
    const { instance, limits, server, now } = start();
    await warm(instance, hot);
    const { units } = limits.counts();
    const down = new RedisDown('it is away');
    server.cause = down;
    await expect(limits.takeLimits([hot, cold], now())).rejects.toBe(down);
    expect(limits.counts().units).toBe(units);
  });

  test('gives back in Redis what its lease can no longer take', async () => {
    const { instance, limits, server, wire, now } = start();
    const before = await warm(instance, hot);
    for (let at = 0; at < 3; at += 1) await limits.takeLimits([cold], now());
    server.hasNoWire = false;
    const taking = limits.takeLimits([{ ...hot, cost: 5 }, cold], now());
    limits.recall(hot.counter);
    wire.drain();
    expect((await taking).refused).toBe(true);
    wire.drain();
    await heard();
    expect(server.remaining(hot)).toEqual([10_000 - before]);
  });
});

describe('a receipt of what was leased', () => {
  test.each([
    ['while the lease runs', 0],
    ['after it ended', 2000],
  ])('is settled %s', async (_, afterMs) => {
    const { instance, limits, server, now } = start();
    const before = await warm(instance, hot);
    const dear = { ...hot, cost: 20 };
    const { receipt } = atHand(limits.takeLimits([dear], now()));
    if (!receipt) throw new Error('it was refused');
    server.nowMs += afterMs;
    limits.tend();
    await limits.settleLimits(receipt, 3);
    await limits.settleLimits({ ...receipt, groups: [{ ...dear, cost: 3 }] }, 30);
    await limits.close();
    expect(server.remaining(hot)).toEqual([10_000 - before - 30]);
  });
});

describe('a receipt of several groups', () => {
  const written = { per_second: 1000, per_day: 100_000 };
  const [one, two] = [group(written, 'one'), group(written, 'two')];

  test.each([
    ['all leased', [one, two]],
    ['one of them leased', [one]],
  ])('is settled in the windows that it was charged in: %s', async (_, leased) => {
    const { limits, server, now } = start();
    server.nowMs += 100;
    for (const asked of leased) {
      for (let at = 0; at < 25; at += 1) await limits.takeLimits([asked], now());
      await heard();
    }
    expect(limits.counts().leases).toBeGreaterThanOrEqual(leased.length);
    server.nowMs += 100;
    const asked = [one, two].map((each) => ({ ...each, cost: 20 }));
    const { receipt } = await limits.takeLimits(asked, now());
    if (!receipt) throw new Error('it was refused');
    server.nowMs = DAY_START + 1000;
    limits.tend();
    await limits.takeLimits(asked, now());
    const before = [one, two].map((each) => server.remaining(each));
    await limits.settleLimits(receipt, 3);
    const after = [one, two].map((each) => server.remaining(each));
    expect(after).toEqual(before.map(([second, day]) => [second, (day ?? 0) + 17]));
  });
});

describe('siblings', () => {
  test('are told of a counter that refused, and no more often than ten times a second', async () => {
    const told: string[] = [];
    const { limits, server, now } = start({ tellNeed: (counter) => told.push(counter) });
    const small = group({ per_minute: 3 }, 'small');
    for (let at = 0; at < 500; at += 1) {
      server.nowMs = DAY_START + at;
      await limits.takeLimits([small], now());
    }
    expect(told).toEqual(['small', 'small', 'small', 'small', 'small']);
  });

  test('get what one of them held, as soon as it hears of the need', async () => {
    const { instance, limits, join, server, now } = start();
    const small = group({ per_minute: 200 });
    await warm(instance, small);
    const other = join({ tellNeed: limits.recall });
    const { units } = limits.counts();
    let admitted = 0;
    for (let at = 0; at < 300; at += 1) {
      server.nowMs = DAY_START + 50 + at;
      if (!(await other.limits.takeLimits([small], now())).refused) admitted += 1;
      await heard();
    }
    expect(units).toBeGreaterThan(0);
    expect(admitted).toBe(180);
  });
});
