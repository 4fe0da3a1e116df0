import { afterAll, afterEach, expect, test } from 'vitest';
import { copyStore } from '../../src/app/copy.ts';
import type { StoreCopy } from '../../src/core/store-copy.ts';
import { NOW } from '../core/build.ts';
import { type RedisServer, startRedis } from '../redis-harness/redis.ts';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { answersOf, contentOf, fill, openFolder, redisPlace } from './copy-world.ts';
import { settingsOf } from './redis/open.ts';

const folder = openFolder();
afterAll(() => folder[Symbol.dispose]());
const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(): Promise<RedisServer> {
  const server = await startRedis({ persistence: 'aof' });
  endings.push(server.stop);
  return server;
}

/** The same store, with something done before it hands out each part but the first. */
function interrupted(copy: StoreCopy, interrupt: () => Promise<void>): StoreCopy {
  return {
    ...copy,
    async *dump(kinds, nowMs) {
      let isFirst = true;
      for await (const part of copy.dump(kinds, nowMs)) {
        if (!isFirst) await interrupt();
        isFirst = false;
        yield part;
      }
    },
  };
}

describeRedisServer('a copy', () => {
  test.each(['into', 'out of'] as const)(
    '%s Redis goes on after it was killed and started again, and loses nothing',
    async (way) => {
      const [file, server] = [folder.newFile(), await start()];
      const redis = redisPlace(settingsOf([server.url]));
      await fill(way === 'into' ? file : redis);
      const [one, other] = way === 'into' ? [file, redis] : [redis, file];
      const [from, to] = [await one.copy(), await other.copy()];
      endings.push(from.close, to.close);
      let kills = 0;
      const killed = interrupted(from, async () => {
        if (kills === 3) return;
        kills += 1;
        await server.kill();
        await server.restart();
      });
      const outcome = await copyStore(killed, to, { resume: false, now: () => NOW });
      expect(outcome).toMatchObject({ differing: [], changed: [] });
      expect(kills).toBe(3);
      expect(await contentOf(other, NOW)).toEqual(await contentOf(one, NOW));
      expect(await answersOf(other)).toEqual(await answersOf(one));
    },
    60_000,
  );

  test('into a Redis that stays away fails, and goes on with --resume', async () => {
    const [file, server] = [folder.newFile(), await start()];
    await fill(file);
    const redis = redisPlace(settingsOf([server.url]));
    const [from, to] = [await file.copy(), await redis.copy()];
    endings.push(from.close, to.close);
    const killed = interrupted(from, async () => {
      if (server.isRunning()) await server.kill();
    });
    const cut = copyStore(killed, to, { resume: false, now: () => NOW });
    await expect(cut).rejects.toThrow('Redis');
    await server.restart();
    const again = await redis.copy();
    endings.push(again.close);
    const outcome = await copyStore(from, again, { resume: true, now: () => NOW });
    expect(outcome).toMatchObject({ differing: [], changed: [] });
    expect(await contentOf(redis, NOW)).toEqual(await contentOf(file, NOW));
  }, 60_000);
});
