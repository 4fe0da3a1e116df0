import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { auditEvent, HOUR_MS, time } from '../build.ts';
import { openRecords } from './open-records.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('what Redis forgets', () => {
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

  const prune = (before: { readonly eventsMs?: number; readonly usageMs?: number }) =>
    store.prune({ eventsMs: 0, usageMs: 0, nowMs: NOW, ...before });
  /** The names that are left, without the tag and what has no size to speak of. */
  const left = async () => {
    const names = await here.client.keys(`${here.keyspace.events.replace(/events$/, '')}*`);
    const small = [here.keyspace.eventNames, here.keyspace.writer('')];
    return names.filter((name) => !small.some((start) => name.startsWith(start)));
  };
  const hourMs = Math.floor(NOW / HOUR_MS) * HOUR_MS;

  test('of events leaves nothing in any index, in more than one slice', async () => {
    const events = Array.from({ length: 350 }, (_, at) =>
      auditEvent(`e${at}`, {
        time: time(at),
        workspace_id: `w${at % 3}`,
        actor: { kind: 'admin', id: 'admin' },
        object: { kind: 'key', id: `k${at}` },
        reason: 'leaked',
      }),
    );
    await store.commit({ writes: [], events: events.slice(0, 200) });
    for (const event of events.slice(200)) store.recordEvent(event);
    await store.flush();
    await prune({ eventsMs: NOW + 345 });
    const { items } = await store.listEvents({ actor: 'admin' }, { limit: 9 });
    expect(items.map(({ id }) => id)).toEqual(['e349', 'e348', 'e347', 'e346', 'e345']);
    expect(await here.client.zcard(here.keyspace.eventsTold)).toBe(5);
    await prune({ eventsMs: NOW + 350 });
    expect(await left()).toEqual([]);
  });

  test('is also an event whose record is broken or lost', async () => {
    const events = ['a', 'b', 'c'].map((id) => auditEvent(id));
    await store.commit({ writes: [], events });
    await here.client.hset(here.keyspace.events, 'a', '{"id":');
    await here.client.hdel(here.keyspace.events, 'b');
    await expect(store.listEvents({}, { limit: 9 })).rejects.toThrow('event a');
    await prune({ eventsMs: NOW + 1 });
    expect(await here.client.zcard(here.keyspace.eventsByTime)).toBe(0);
    expect(await store.listEvents({}, { limit: 9 })).toEqual({ items: [] });
  });

  test('of usage are hours, and then the key', async () => {
    const hours = [-30, -25, -24, -1, 0];
    const use = (keyId: string, afterHours: number, reason?: string) =>
      store.recordUse({ keyId, nowMs: hourMs + afterHours * HOUR_MS, reason });
    for (const hour of hours) use('k', hour);
    use('k', -24, 'rate_limited');
    use('old', -26);
    await store.flush();
    const starts = async (keyId: string) =>
      (await store.usageOf(keyId, 0)).map(({ startMs }) => (startMs - hourMs) / HOUR_MS);
    for (const first of [-31, -30, -27, -25, -24, -2, 0]) {
      await prune({ usageMs: hourMs + first * HOUR_MS });
      expect(await starts('k'), `from ${first}`).toEqual(hours.filter((hour) => hour >= first));
    }
    expect(await starts('old')).toEqual([]);
    await prune({ usageMs: hourMs + HOUR_MS });
    expect(await left()).toEqual([]);
  });

  test('of many keys is done in slices, and one that is broken holds up no other', async () => {
    for (let at = 0; at < 90; at += 1) store.recordUse({ keyId: `k${at}`, nowMs: NOW });
    await store.flush();
    await here.client.hset(here.keyspace.usage('k7'), 'no day', '0:1');
    await here.client.set(here.keyspace.usage('k8'), 'a text');
    await prune({ usageMs: hourMs + HOUR_MS });
    expect(await here.client.zcard(here.keyspace.usageOldest)).toBe(0);
    expect(await store.usageOf('k9', 0)).toEqual([]);
  });

  test('is not what is younger, though two processes prune at once', async () => {
    const other = openRecords(here);
    const events = Array.from({ length: 300 }, (_, at) => auditEvent(`e${at}`, { time: time(at) }));
    await store.commit({ writes: [], events });
    const before = { eventsMs: NOW + 290, usageMs: 0, nowMs: NOW };
    await Promise.all([store.prune(before), other.prune(before)]);
    expect((await store.listEvents({}, { limit: 200 })).items).toHaveLength(10);
    await other.close();
  });
});
