import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { putKey, storedKey } from '../build.ts';
import { openRecords } from './open-records.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('kept answers in Redis', () => {
  let here: ScriptLink;
  let store: Store;
  let nowMs = NOW;
  beforeEach(() => {
    nowMs = NOW;
    here = openScriptLink(redisUrl);
    store = openRecords(here, { now: () => nowMs });
  });
  afterEach(async () => {
    await store.close();
    await here.end();
  });

  const answer = (leftMs: number, sealed = Uint8Array.from([1])) => ({
    id: 'a',
    bodyDigest: 'digest',
    sealed,
    expiresAtMs: NOW + leftMs,
  });

  test('hold every byte', async () => {
    const sealed = Uint8Array.from({ length: 256 }, (_, at) => at);
    await store.commit({ writes: [], events: [], answer: answer(1000, sealed) });
    expect(await store.findAnswer('a', NOW)).toEqual(answer(1000, sealed));
  });

  test('are forgotten by Redis itself, a minute after their end', async () => {
    await store.commit({ writes: [], events: [], answer: answer(5000) });
    const leftMs = await here.client.pttl(here.keyspace.answer('a'));
    expect(leftMs).toBeGreaterThan(60_000);
    expect(leftMs).toBeLessThanOrEqual(65_000);
  });

  test('keep their end when they are read', async () => {
    await store.commit({ writes: [], events: [], answer: answer(5000) });
    expect(await store.findAnswer('a', NOW)).toEqual(answer(5000));
    const again = { writes: [], events: [], answer: answer(5000) };
    expect(await store.commit(again)).toMatchObject({ conflict: 'answer' });
    expect(await here.client.pttl(here.keyspace.answer('a'))).toBeGreaterThan(0);
  });

  test('that have ended make room, and leave nothing when they end at once', async () => {
    await store.commit({ writes: [], events: [], answer: answer(10) });
    nowMs = NOW + 10;
    expect(await store.commit({ writes: [], events: [], answer: answer(10) })).toBeUndefined();
    expect(await here.client.exists(here.keyspace.answer('a'))).toBe(0);
  });

  test('of commits at the same time are kept with the one that is done', async () => {
    const commits = Array.from({ length: 10 }, (_, at) => ({
      writes: [putKey(storedKey(`k${at}`))],
      events: [],
      answer: answer(1000, Uint8Array.from([at])),
    }));
    const conflicts = await Promise.all(commits.map((commit) => store.commit(commit)));
    const done = conflicts.indexOf(undefined);
    expect(conflicts.filter((conflict) => conflict?.conflict === 'answer')).toHaveLength(9);
    expect((await store.findAnswer('a', NOW))?.sealed[0]).toBe(done);
    const ids = commits.map((_, at) => `k${at}`);
    expect(await store.existing('key', ids)).toEqual([`k${done}`]);
  });

  test.each(['{}', '[1]', 'no JSON'])('that are broken, as %s, are an error', async (text) => {
    await here.client.set(here.keyspace.answer('a'), text);
    await expect(store.findAnswer('a', NOW)).rejects.toThrow('the answer a in the store is broken');
  });
});
