import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KeySpan } from '../../src/core/record-store.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import {
  auditEvent,
  DAY_MS,
  HOUR_MS,
  type OpenStore,
  putKey,
  storedKey,
  time,
  write,
} from './build.ts';

/** Answers, notices, uses, and what is forgotten. */
export function lifeContract(open: OpenStore): void {
  let store: Store;
  let nowMs = NOW;
  beforeEach(async () => {
    nowMs = NOW;
    store = await open({ now: () => nowMs });
  });
  afterEach(() => store.close());

  const answer = (body: string, endsMs = NOW + 10) => ({
    id: 'a',
    bodyDigest: body,
    sealed: Uint8Array.from([0, 255, 1]),
    expiresAtMs: endsMs,
  });
  const keep = (kept: ReturnType<typeof answer>) =>
    store.commit({ writes: [], events: [], answer: kept });

  test('an answer is kept once, until its end, and then anew', async () => {
    expect(await keep(answer('one'))).toBeUndefined();
    const found = await store.findAnswer('a', NOW + 9);
    expect(found && { ...found, sealed: [...found.sealed] }).toEqual({
      ...answer('one'),
      sealed: [0, 255, 1],
    });
    expect(await keep(answer('two'))).toEqual({ conflict: 'answer', at: 0 });
    expect(await store.findAnswer('a', NOW + 10)).toBeUndefined();
    expect(await store.findAnswer('b', NOW)).toBeUndefined();
    nowMs = NOW + 10;
    expect(await keep(answer('two', NOW + 20))).toBeUndefined();
    expect(await store.findAnswer('a', NOW + 10)).toMatchObject({ bodyDigest: 'two' });
  });

  test('a notice is given once for each mark, and only of keys that are there', async () => {
    await write(store, putKey(storedKey('k')));
    const give = (keyId: string, mark: string, notice = 'expiring') =>
      store.commit({ writes: [], events: [], notice: { keyId, notice, mark } });
    expect(await give('k', '1')).toBeUndefined();
    expect(await give('k', '1')).toEqual({ conflict: 'notice', at: 0 });
    expect(await give('k', '2')).toBeUndefined();
    expect(await give('k', '1', 'expired')).toBeUndefined();
    expect(await give('k', '1')).toEqual({ conflict: 'notice', at: 0 });
    expect(await give('nobody', '1')).toEqual({ conflict: 'notice', at: 0 });
  });

  describe('keys that are due', () => {
    const due = async (span: KeySpan, limit = 9) =>
      (await store.keysDue(span, 'told', limit)).map(({ record }) => record.id).sort();
    const tell = (keyId: string, mark: string) =>
      store.commit({ writes: [], events: [], notice: { keyId, notice: 'told', mark } });

    test.each([
      ['expires_at', 'expires_at'],
      ['created_at', 'created_at'],
      ['rotated_at', 'rotated_at'],
    ] as const)(
      'by %s: active ones from the begin of the span to before its end',
      async (by, field) => {
        const at = (id: string, afterMs: number, more = {}) =>
          putKey(storedKey(id, { [field]: time(afterMs), ...more }));
        await write(
          store,
          at('before', -1),
          at('first', 0),
          at('last', 9),
          at('after', 10),
          at('disabled', 5, { status: 'disabled' }),
          at('revoked', 5, { status: 'revoked' }),
        );
        const span = { by, fromMs: NOW, toMs: NOW + 10 } as const;
        expect(await due(span)).toEqual(['first', 'last']);
        expect(await due(span, 1)).toEqual(['first']);
        await tell('first', time(0));
        expect(await due(span)).toEqual(['last']);
        expect(await store.keysDue(span, 'another', 9)).toHaveLength(2);
        await write(store, at2('first', field, 3));
        expect(await due(span), 'with another end it is due again').toEqual(['first', 'last']);
      },
    );

    const at2 = (id: string, field: string, afterMs: number) =>
      putKey(storedKey(id, { [field]: time(afterMs) }), 1);

    test('by their last use, else their creation', async () => {
      const old = { created_at: time(-9 * DAY_MS) };
      await write(
        store,
        putKey(storedKey('never', old)),
        putKey(storedKey('lately', old)),
        putKey(storedKey('before', old)),
        putKey(storedKey('new')),
        putKey(storedKey('gone', { ...old, status: 'revoked' })),
      );
      store.recordUse({ keyId: 'lately', nowMs: NOW - DAY_MS });
      store.recordUse({ keyId: 'before', nowMs: NOW - DAY_MS - 1 });
      await store.flush();
      const span = { by: 'unused', beforeMs: NOW - DAY_MS } as const;
      expect(await due(span)).toEqual(['before', 'never']);
      await tell('never', '');
      await tell('before', String(NOW - DAY_MS - 1));
      expect(await due(span)).toEqual([]);
      store.recordUse({ keyId: 'before', nowMs: NOW - DAY_MS });
      await store.flush();
      expect(await due({ by: 'unused', beforeMs: NOW })).toEqual(['before', 'lately']);
    });

    test('are found behind thousands that were told of', async () => {
      const ids = Array.from({ length: 2100 }, (_, at) => `k${String(at).padStart(5, '0')}`);
      await write(store, ...ids.map((id) => putKey(storedKey(id, { expires_at: time() }))));
      await Promise.all(ids.slice(0, -2).map((id) => tell(id, time())));
      const span = { by: 'expires_at', fromMs: 0, toMs: NOW + 1 } as const;
      expect(await due(span)).toEqual(ids.slice(-2));
    });
  });

  describe('uses', () => {
    test('are seen at once, written or not, and once', async () => {
      await write(store, putKey(storedKey('k')));
      const seen = async () => {
        const [listed] = (await store.listKeys({ nowMs: NOW }, { limit: 1 })).items;
        return [
          (await store.getKey('k'))?.lastUsedAtMs,
          listed?.lastUsedAtMs,
          (await store.usageOf('k', 0)).map(({ requests, refusals }) => [requests, refusals]),
        ];
      };
      store.recordUse({ keyId: 'k', nowMs: NOW });
      const unused = await store.listKeys({ nowMs: NOW, unusedSinceMs: NOW }, { limit: 1 });
      expect(unused.items).toEqual([]);
      const once = [NOW, NOW, [[1, {}]]];
      expect(await seen()).toEqual(once);
      await store.flush();
      expect(await seen()).toEqual(once);
      store.recordUse({ keyId: 'k', nowMs: NOW + 1, reason: 'rate_limited' });
      expect(await seen()).toEqual([NOW + 1, NOW + 1, [[2, { rate_limited: 1 }]]]);
      expect(await store.usageOf('k', NOW + 3_600_000)).toEqual([]);
    });

    test('of a key that is itself refused are counted, and are no last use', async () => {
      await write(store, putKey(storedKey('k')));
      const reason = 'key_revoked';
      store.recordUse({ keyId: 'k', nowMs: NOW, reason, isKeyRefused: true });
      await store.flush();
      expect((await store.getKey('k'))?.lastUsedAtMs).toBeUndefined();
      expect((await store.usageOf('k', 0))[0]?.refusals).toEqual({ key_revoked: 1 });
    });

    test('give the last use, and counts by hour and reason', async () => {
      await write(store, putKey(storedKey('k')));
      const hour = Math.floor(NOW / HOUR_MS) * HOUR_MS;
      const use = (atMs: number, reason?: string, keyId = 'k') =>
        store.recordUse({ keyId, nowMs: atMs, reason });
      use(hour);
      use(hour + 7);
      use(hour + 5, 'rate_limited');
      use(hour + HOUR_MS, 'rate_limited');
      use(hour, undefined, 'declared');
      await store.flush();
      use(hour + 3, 'rate_limited');
      use(hour + 4, 'ip_not_allowed');
      await store.flush();
      expect((await store.getKey('k'))?.lastUsedAtMs, 'the last, in whatever order').toBe(
        hour + HOUR_MS,
      );
      const first = {
        startMs: hour,
        requests: 5,
        refusals: { rate_limited: 2, ip_not_allowed: 1 },
      };
      const second = { startMs: hour + HOUR_MS, requests: 1, refusals: { rate_limited: 1 } };
      expect(await store.usageOf('k', 0)).toEqual([first, second]);
      expect(await store.usageOf('k', hour + HOUR_MS)).toEqual([second]);
      expect(await store.usageOf('declared', 0)).toEqual([
        { startMs: hour, requests: 1, refusals: {} },
      ]);
      expect(await store.usageOf('nobody', 0)).toEqual([]);
    });

    test('of ten thousand keys are all written', async () => {
      await write(store, putKey(storedKey('k9999')));
      for (let at = 0; at < 10_000; at += 1) store.recordUse({ keyId: `k${at}`, nowMs: NOW });
      await store.flush();
      const [first, last] = [await store.usageOf('k0', 0), await store.usageOf('k9999', 0)];
      expect([first, last]).toMatchObject([[{ requests: 1 }], [{ requests: 1 }]]);
      expect((await store.getKey('k9999'))?.lastUsedAtMs).toBe(NOW);
    });

    test('change no version, and do not survive the key', async () => {
      await write(store, putKey(storedKey('k')));
      store.recordUse({ keyId: 'k', nowMs: NOW });
      await store.flush();
      await write(store, { kind: 'key', remove: { id: 'k' }, expected: 1 });
      expect(await store.usageOf('k', 0)).toEqual([]);
      await write(store, putKey(storedKey('k')));
      expect((await store.getKey('k'))?.lastUsedAtMs).toBeUndefined();
    });
  });

  test('more events than fit the buffer are dropped, and counted', async () => {
    for (let at = 0; at < 10_001; at += 1) store.recordEvent(auditEvent(`e${at}`));
    expect(store.counts().dropped).toBe(1);
    await store.flush();
    const { items } = await store.listEvents({}, { limit: 1 });
    expect(items).toEqual([auditEvent('e9999')]);
  });

  test('pruning forgets what is past its time, and nothing else', async () => {
    await write(store, putKey(storedKey('k')));
    const events = [
      auditEvent('old', { time: time(-DAY_MS - 1) }),
      auditEvent('new', { time: time(-DAY_MS) }),
    ];
    await store.commit({ writes: [], events, answer: answer('one', NOW) });
    await store.commit({ writes: [], events: [], answer: { ...answer('two', NOW + 1), id: 'b' } });
    const hour = Math.floor(NOW / HOUR_MS) * HOUR_MS;
    for (const atMs of [hour - 1, hour]) store.recordUse({ keyId: 'k', nowMs: atMs });
    await store.flush();
    await store.prune({ eventsMs: NOW - DAY_MS, usageMs: hour, nowMs: NOW });
    const kept = await store.listEvents({}, { limit: 9 });
    expect(kept.items.map(({ id }) => id)).toEqual(['new']);
    expect(await store.findAnswer('a', NOW - 1)).toBeUndefined();
    expect(await store.findAnswer('b', NOW)).toBeDefined();
    expect(await store.usageOf('k', 0)).toMatchObject([{ startMs: hour, requests: 1 }]);
    expect((await store.getKey('k'))?.lastUsedAtMs).toBe(hour);
  });
}
