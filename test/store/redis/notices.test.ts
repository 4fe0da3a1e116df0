import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KeySpan } from '../../../src/core/record-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { DAY_MS, putKey, storedKey, time, write } from '../build.ts';
import { openRecords } from './open-records.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('notices in Redis', () => {
  let here: ScriptLink;
  let store: Store;
  beforeEach(() => {
    here = openScriptLink(redisUrl);
    store = openRecords(here);
  });
  afterEach(async () => {
    await store.close();
    await here.end();
  });

  const ENDING: KeySpan = { by: 'expires_at', fromMs: 0, toMs: NOW + DAY_MS };
  const UNUSED: KeySpan = { by: 'unused', beforeMs: NOW };
  const due = async (span: KeySpan, limit = 2000) =>
    (await store.keysDue(span, 'n', limit)).map(({ record }) => record.id);
  const tell = (keyId: string, mark: string, notice = 'n') =>
    store.commit({ writes: [], events: [], notice: { keyId, notice, mark } });
  const idsOf = (count: number) =>
    Array.from({ length: count }, (_, at) => `${at % 2 ? 'k' : 'K'}${at}`);

  test('of more keys than one slice, that end at one moment, are each due once', async () => {
    const ids = idsOf(1001);
    await write(store, ...ids.map((id) => putKey(storedKey(id, { expires_at: time() }))));
    expect((await due(ENDING)).toSorted()).toEqual(ids.toSorted());
    expect(await due(ENDING, 900)).toHaveLength(900);
    expect(await due({ ...ENDING, toMs: NOW })).toEqual([]);
    expect(await due({ ...ENDING, fromMs: NOW + 1 })).toEqual([]);
  });

  test('are told by the text of a time, also one that is written in another way', async () => {
    const expires_at = '2026-08-15T14:30:30+02:00';
    await write(store, putKey(storedKey('k', { expires_at })));
    expect(await due(ENDING)).toEqual(['k']);
    expect(await tell('k', expires_at)).toBeUndefined();
    expect(await due(ENDING)).toEqual([]);
  });

  test('of an unused key tell the one that was never used from the one used at its creation', async () => {
    const old = { created_at: time(-DAY_MS) };
    await write(store, putKey(storedKey('k', old)));
    await tell('k', '');
    expect(await due(UNUSED)).toEqual([]);
    store.recordUse({ keyId: 'k', nowMs: NOW - DAY_MS });
    await store.flush();
    expect(await due(UNUSED)).toEqual(['k']);
    await tell('k', String(NOW - DAY_MS));
    expect(await due(UNUSED)).toEqual([]);
  });

  test('are due with what is kept of the key, and never of one that is not active', async () => {
    const old = { created_at: time(-DAY_MS) };
    await write(
      store,
      putKey(storedKey('used', old)),
      putKey(storedKey('never', old)),
      putKey(storedKey('disabled', { ...old, status: 'disabled' })),
      putKey(storedKey('revoked', { ...old, status: 'revoked' })),
    );
    store.recordUse({ keyId: 'used', nowMs: NOW - 1 });
    store.recordUse({ keyId: 'declared', nowMs: NOW - 1 });
    await store.flush();
    expect(await store.keysDue(UNUSED, 'n', 9)).toEqual([
      { record: storedKey('never', old), version: 1 },
      { record: storedKey('used', old), version: 1, lastUsedAtMs: NOW - 1 },
    ]);
  });

  test('of names that run into their marks are several', async () => {
    await write(store, putKey(storedKey('k')));
    expect(await tell('k', 'b', 'a')).toBeUndefined();
    expect(await tell('k', '', 'ab')).toBeUndefined();
    expect(await tell('k', 'a:b', '')).toBeUndefined();
    expect(await tell('k', 'b', 'a')).toEqual({ conflict: 'notice', at: 0 });
  });

  test('that two processes give at once are given by one', async () => {
    await write(store, putKey(storedKey('k')));
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => tell('k', '1')));
    expect(outcomes.filter((conflict) => conflict === undefined)).toHaveLength(1);
  });

  test('do not survive the key', async () => {
    await write(store, putKey(storedKey('k', { expires_at: time() })));
    await tell('k', time());
    await write(store, { kind: 'key', remove: { id: 'k' }, expected: 1 });
    await write(store, putKey(storedKey('k', { expires_at: time() })));
    expect(await due(ENDING)).toEqual(['k']);
  });
});
