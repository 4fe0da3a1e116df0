import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { copyStore } from '../../src/app/copy.ts';
import type { LimitGroup } from '../../src/core/limit.ts';
import type { StoreCopy } from '../../src/core/store-copy.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import {
  describeCluster,
  describeRedis,
  redisClusterUrls,
  redisUrl,
  sharedClusterIsUp,
} from '../redis-harness/shared.ts';
import { auditEvent, hashOf, putKey, storedKey, time, write } from './build.ts';
import { group } from './contract-limits.ts';
import { answersOf, contentOf, fill, openFolder, type Place, redisPlace } from './copy-world.ts';
import { leastUser } from './redis/least-user.ts';
import { settingsOf } from './redis/open.ts';

const folder = openFolder();
afterAll(() => folder[Symbol.dispose]());

/** Counters go by the real clock, because Redis forgets them by its own. */
const options = { resume: false, now: Date.now };
const newRedis = () => redisPlace(settingsOf([redisUrl]));

async function between<T>(
  from: Place,
  to: Place,
  work: (from: StoreCopy, to: StoreCopy) => Promise<T>,
): Promise<T> {
  const stores = [await from.copy(), await to.copy()] as const;
  try {
    return await work(...stores);
  } finally {
    for (const store of stores) await store.close();
  }
}

/** Copies, which must go well. */
async function copied(from: Place, to: Place, more: Partial<typeof options> = {}): Promise<Place> {
  const outcome = await between(from, to, (one, other) =>
    copyStore(one, other, { ...options, ...more }),
  );
  expect(outcome).toMatchObject({ differing: [], changed: [] });
  return to;
}

async function serving<T>(place: Place, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await place.serve();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

test('a file is copied into a file', async () => {
  const from = folder.newFile();
  await fill(from);
  const to = await copied(from, folder.newFile(), { now: () => NOW });
  expect(await contentOf(to, NOW)).toEqual(await contentOf(from, NOW));
  expect(await answersOf(to)).toEqual(await answersOf(from));
});

describeRedis('a store that is copied', () => {
  test('holds the same in Redis, and the same again in a file', async () => {
    const from = folder.newFile();
    await fill(from);
    const redis = await copied(from, newRedis(), { now: () => NOW });
    const back = await copied(redis, folder.newFile(), { now: () => NOW });
    const content = await contentOf(from, NOW);
    expect(new Set(content.map(({ kind }) => kind)).size).toBe(10);
    expect(await contentOf(redis, NOW)).toEqual(content);
    expect(await contentOf(back, NOW)).toEqual(content);
    const answers = await answersOf(from);
    expect(answers.lists[0]).toEqual(['revoked', 'rotated', 'first', 'second']);
    expect(await answersOf(redis)).toEqual(answers);
    expect(await answersOf(back)).toEqual(answers);
  });

  test('is one to go on with: keys are numbered on, versions go on, what is unique stays so', async () => {
    const from = folder.newFile();
    await fill(from);
    for (const place of [await copied(from, newRedis()), await copied(from, folder.newFile())]) {
      await serving(place, async (store) => {
        await write(store, putKey(storedKey('later')), putKey(storedKey('second'), 1));
        const page = await store.listKeys({ nowMs: NOW }, { limit: 2 });
        expect(page.items.map(({ record }) => record.id)).toEqual(['later', 'revoked']);
        const taken = putKey(storedKey('other', { secrets: storedKey('second').secrets }));
        expect(await store.commit({ writes: [taken], events: [] })).toMatchObject({
          conflict: 'hash',
        });
        const notice = { keyId: 'first', notice: 'expiring', mark: time(86_400_000) };
        expect(await store.commit({ writes: [], events: [], notice })).toMatchObject({
          conflict: 'notice',
        });
      });
    }
  });

  const id = fc.constantFrom('a', 'b', 'c', 'd', 'é', '0');
  const text = fc.constantFrom('', 'w', 'x');
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), id, text, at: fc.nat(5) }),
    fc.record({ do: fc.constant('remove' as const), id }),
    fc.record({ do: fc.constant('use' as const), id, text, at: fc.nat(60) }),
    fc.record({ do: fc.constant('event' as const), text, at: fc.nat(2), isTold: fc.boolean() }),
    fc.record({ do: fc.constant('notice' as const), id, text }),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  test('holds the same whatever was done to it before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const from = folder.newFile();
        await serving(from, async (store) => {
          for (const [at, one] of steps.entries()) await act(store, one, at);
          await store.flush();
        });
        const redis = await copied(from, newRedis());
        const back = await copied(redis, folder.newFile());
        const content = await contentOf(from, NOW);
        expect(await contentOf(redis, NOW)).toEqual(content);
        expect(await contentOf(back, NOW)).toEqual(content);
        expect(await answersOf(redis)).toEqual(await answersOf(from));
      }),
      { numRuns: 4 },
    );
  }, 60_000);

  const ACTS: {
    readonly [K in Step['do']]: (
      store: Store,
      one: Extract<Step, { readonly do: K }>,
      at: number,
    ) => unknown;
  } = {
    put: async (store, one) => {
      const version = (await store.getKey(one.id))?.version ?? 0;
      const workspace_id = one.text === '' ? undefined : one.text;
      const expires_at = one.at === 0 ? undefined : time(one.at);
      const status = one.at === 5 ? 'disabled' : 'active';
      await write(store, putKey(storedKey(one.id, { workspace_id, expires_at, status }), version));
    },
    remove: async (store, { id }) => {
      const expected = (await store.getKey(id))?.version;
      if (expected === undefined) return;
      await write(store, { kind: 'key', remove: { id }, expected });
    },
    use: (store, { id, text, at }) =>
      store.recordUse({ keyId: id, nowMs: NOW + at * 1_800_000, reason: text || undefined }),
    event: (store, { text, at: ms, isTold }, at) => {
      const event = auditEvent(`e${at % 7}-${at}`, { time: time(ms), workspace_id: text });
      if (isTold) return store.recordEvent(event);
      return store.commit({ writes: [], events: [event] });
    },
    notice: (store, { id, text }) =>
      store.commit({ writes: [], events: [], notice: { keyId: id, notice: 'n', mark: text } }),
  };

  function act(store: Store, one: Step, at: number) {
    const run = ACTS[one.do] as (store: Store, one: Step, at: number) => unknown;
    return run(store, one, at);
  }

  test('into a full one is refused, and says what stands there', async () => {
    const [from, to] = [folder.newFile(), newRedis()];
    await fill(from);
    await serving(to, (store) => write(store, putKey(storedKey('k'))));
    const outcome = await between(from, to, (one, other) => copyStore(one, other, options));
    expect(outcome).toMatchObject({ refused: 'target_not_empty', standing: { key: 1, event: 0 } });
  });

  test.each(['file', 'redis'] as const)(
    'is gone on with after it was cut off (%s)',
    async (kind) => {
      const from = folder.newFile();
      await fill(from);
      const to = kind === 'file' ? folder.newFile() : newRedis();
      const content = await contentOf(from, NOW);
      const kinds = new Set(content.map((item) => item.kind));
      for (const last of kinds) {
        const cut = between(from, to, (one, other) => {
          const restore: StoreCopy['restore'] = async (items, nowMs) => {
            await other.restore(items, nowMs);
            if (items[0]?.kind === last) throw new Error('cut off');
          };
          const isFirst = last === [...kinds][0];
          return copyStore(one, { ...other, restore }, { resume: !isFirst, now: () => NOW });
        });
        await expect(cut).rejects.toThrow('cut off');
      }
      const again = await between(from, to, (one, other) => copyStore(one, other, options));
      expect(again).toEqual({ refused: 'target_unfinished' });
      const onward = await between(to, folder.newFile(), (one, other) =>
        copyStore(one, other, options),
      );
      expect(onward).toEqual({ refused: 'source_unfinished' });
      await copied(from, to, { resume: true, now: () => NOW });
      expect(await contentOf(to, NOW)).toEqual(content);
      expect(await answersOf(to)).toEqual(await answersOf(from));
      const anew = await between(from, to, (one, other) =>
        copyStore(one, other, { ...options, resume: true }),
      );
      expect(anew).toEqual({ refused: 'nothing_to_resume' });
    },
  );

  test.each(['file', 'redis'] as const)(
    'is not gone on with over a key that was changed since (%s)',
    async (kind) => {
      const from = folder.newFile();
      await fill(from);
      const to = kind === 'file' ? folder.newFile() : newRedis();
      const cut = between(from, to, (one, other) => {
        const restore: StoreCopy['restore'] = async (items, nowMs) => {
          await other.restore(items, nowMs);
          if (items[0]?.kind === 'key') throw new Error('cut off');
        };
        return copyStore(one, { ...other, restore }, options);
      });
      await expect(cut).rejects.toThrow('cut off');
      const revoked = storedKey('second', { status: 'revoked' });
      await serving(from, (store) => write(store, putKey(revoked, 1)));
      const resumed = between(from, to, (one, other) =>
        copyStore(one, other, { ...options, resume: true }),
      );
      await expect(resumed.catch((cause) => Promise.reject(cause.cause ?? cause))).rejects.toThrow(
        'begin anew',
      );
    },
  );

  test('that is changed meanwhile is told of, and so is what differs', async () => {
    const [from, to] = [folder.newFile(), newRedis()];
    await fill(from);
    const outcome = await serving(from, async (store) => {
      return await between(from, to, (one, other) => {
        const finishing: StoreCopy['restore'] = async (items, nowMs) => {
          await other.restore(items, nowMs);
          if (items[0]?.kind === 'event') await write(store, putKey(storedKey('late')));
        };
        return copyStore(one, { ...other, restore: finishing }, { ...options, now: () => NOW });
      });
    });
    expect(outcome).toMatchObject({ differing: ['key'], changed: ['key'] });
  });

  test.each(['file', 'redis'] as const)(
    'is known at once to a Postern that has the target open (%s)',
    async (kind) => {
      const from = folder.newFile();
      await fill(from);
      const to = kind === 'file' ? folder.newFile() : newRedis();
      await serving(to, async (store) => {
        expect(await store.findKey(hashOf('second'))).toBeUndefined();
        await copied(from, to);
        await vi.waitFor(async () => {
          expect(await store.findKey(hashOf('second'))).toMatchObject({ key: { id: 'second' } });
        });
      });
    },
  );
});

describeRedis('counters', () => {
  const limit = (subject: string): LimitGroup => ({
    ...group({ per_minute: 100, per_day: 100, quota: { requests: 50, per: 'month' } }),
    counter: `shop\nplan:free\n${subject}`,
    subject,
  });
  const SUBJECTS = ['key\n\nk', 'username\nlive\njwt:idp\nw\nann', 'ip\n\n192.0.2.1'].map(limit);
  const taken = (place: Place) =>
    serving(place, async (store) => {
      const nowMs = Date.now();
      for (const one of SUBJECTS) await store.takeLimits([one], nowMs);
      await store.takeLimits(SUBJECTS.slice(0, 1), nowMs);
      await store.flush();
    });
  const remaining = (place: Place) =>
    serving(place, async (store) => {
      const usages = await store.readLimits(SUBJECTS, Date.now());
      return usages.filter(({ policy }) => !policy.includes('minute')).map((one) => one.remaining);
    });
  const LEFT = [98, 48, 99, 49, 99, 49];

  test('of days and months go on in Redis, and from there in another', async () => {
    const from = folder.newFile();
    await taken(from);
    expect(await remaining(from)).toEqual(LEFT);
    const redis = await copied(from, newRedis());
    expect(await remaining(redis)).toEqual(LEFT);
    const another = await copied(redis, newRedis());
    expect(await remaining(another)).toEqual(LEFT);
  });

  test('begin anew in a file, because Redis keeps them without their names', async () => {
    const [redis, file] = [newRedis(), folder.newFile()];
    await taken(redis);
    const outcome = await between(redis, file, (one, other) => copyStore(one, other, options));
    expect(outcome).toMatchObject({
      differing: [],
      lost: 3,
      from: { counter: 3 },
      to: { counter: 0 },
    });
  });

  test('whose windows are over do not go along', async () => {
    const from = folder.newFile();
    await taken(from);
    const later = { now: () => Date.now() + 40 * 86_400_000 };
    const outcome = await between(from, newRedis(), (one, other) =>
      copyStore(one, other, { ...options, ...later }),
    );
    expect(outcome).toMatchObject({ from: { counter: 0 }, to: { counter: 0 } });
  });

  describeCluster('a Cluster', () => {
    beforeAll(sharedClusterIsUp);
    const newCluster = () => redisPlace(settingsOf(redisClusterUrls, { cluster: true }));

    test('takes over all of one Redis, with its counters, and gives all of it back', async () => {
      const from = newRedis();
      await fill(from);
      await taken(from);
      const cluster = await copied(from, newCluster(), { now: () => NOW });
      expect(await contentOf(cluster, NOW)).toEqual(await contentOf(from, NOW));
      expect(await answersOf(cluster)).toEqual(await answersOf(from));
      expect(await remaining(cluster)).toEqual(LEFT);
      const back = await copied(cluster, newRedis(), { now: () => NOW });
      expect(await contentOf(back, NOW)).toEqual(await contentOf(from, NOW));
      expect(await remaining(back)).toEqual(LEFT);
    });
  });
});

describeRedis('a user who may do no more than a copy needs', () => {
  const { user, create, remove } = leastUser([redisUrl], ['scan', 'scard', 'smembers']);
  beforeAll(create);
  afterAll(remove);

  test('can copy into Redis and out of it', async () => {
    const from = folder.newFile();
    await fill(from);
    const redis = await copied(from, redisPlace(settingsOf([redisUrl], user)), { now: () => NOW });
    await copied(redis, folder.newFile(), { now: () => NOW });
  });
});
