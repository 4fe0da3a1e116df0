import { describe, expect, test } from 'vitest';
import { mintKey } from '../../src/core/api-key.ts';
import { tellOfKeys } from '../../src/core/key-events.ts';
import type { AuditEvent, StoredKey } from '../../src/core/records.ts';
import { openMemoryStore } from '../../src/store/sql/memory.ts';
import { NOW, sha256 } from './build.ts';

const DAY_MS = 86_400_000;
const RULES = { maxAgeMs: 100 * DAY_MS, rotateEveryMs: 50 * DAY_MS, warnMs: 10 * DAY_MS };
const at = (days: number) => new Date(NOW + days * DAY_MS).toISOString();

function storedKey(more: Partial<StoredKey>): StoredKey {
  const raw = mintKey('pst_', new Uint8Array(64).fill(9));
  return {
    id: 'k',
    name: 'a key',
    kind: 'service',
    prefix: 'pst_',
    key_prefix: 'pst_99',
    scopes: [],
    roles: [],
    hide_credentials: false,
    status: 'active',
    created_at: at(0),
    created_by: 'admin',
    updated_at: at(0),
    rotated_at: at(0),
    secrets: [{ hash: sha256(raw), key_prefix: 'pst_99' }],
    ...more,
  };
}

/** Tells of one key as often as there are moments; the answer is what was told at each. */
async function told(
  key: Partial<StoredKey>,
  momentsMs: readonly number[],
  rules: Parameters<typeof tellOfKeys>[0]['rules'] = RULES,
): Promise<readonly (readonly string[])[]> {
  const store = openMemoryStore({ maxSubjects: 10 });
  await store.commit({
    writes: [{ kind: 'key', put: storedKey(key), expected: 0 }],
    events: [],
  });
  const heard: string[][] = [];
  for (const nowMs of momentsMs) {
    const events: AuditEvent[] = [];
    const makeId = () => `e${heard.length}-${events.length}`;
    await tellOfKeys({ store, rules, nowMs, makeId, tell: (event) => void events.push(event) });
    heard.push(events.map(({ event, reason }) => `${event} ${reason}`));
  }
  return heard;
}

const none: readonly string[] = [];

describe('each step in the life of a key is told once', () => {
  test.each([
    ['an end that is far', { expires_at: at(11) }, [0], [none]],
    ['an end that is near', { expires_at: at(9) }, [0, 1], [['key.expiring expires_at'], none]],
    [
      'an end that comes',
      { expires_at: at(2) },
      [0, 2, 3],
      [['key.expiring expires_at'], ['key.expired expires_at'], none],
    ],
    ['an end that was there before', { expires_at: at(-1) }, [0], [['key.expired expires_at']]],
    [
      'an age that is near and comes',
      { created_at: at(-95) },
      [0, 5],
      [['key.expiring created_at'], ['key.expired created_at']],
    ],
    [
      'a secret that has to be rotated',
      { rotated_at: at(-45) },
      [0, 5],
      [['key.expiring rotated_at'], ['key.expired rotated_at']],
    ],
    ['a key that is disabled', { expires_at: at(1), status: 'disabled' }, [0], [none]],
    ['a key that is revoked', { expires_at: at(1), status: 'revoked' }, [0], [none]],
  ] as const)('%s', async (_, key, days, expected) => {
    const moments = days.map((day) => NOW + day * DAY_MS);
    expect(await told(key, moments)).toEqual(expected);
  });

  test('a key that nobody uses is stale, once for each last use', async () => {
    const rules = { warnMs: 0, staleMs: 30 * DAY_MS };
    const moments = [NOW, NOW + 30 * DAY_MS, NOW + 31 * DAY_MS];
    expect(await told({}, moments, rules)).toEqual([none, ['key.stale unused'], none]);
  });

  test('a new end is told of anew', async () => {
    const store = openMemoryStore({ maxSubjects: 10 });
    const put = (expires_at: string, expected: number) =>
      store.commit({
        writes: [{ kind: 'key', put: storedKey({ expires_at }), expected }],
        events: [],
      });
    const events: AuditEvent[] = [];
    const tell = () =>
      tellOfKeys({
        store,
        rules: RULES,
        nowMs: NOW,
        makeId: () => `e${events.length}`,
        tell: (event) => void events.push(event),
      });
    await put(at(1), 0);
    await tell();
    await put(at(2), 1);
    await tell();
    expect(events.map(({ facts }) => facts?.['ends_at'])).toEqual([at(1), at(2)]);
  });
});

test('an event names the key, its end and no secret', async () => {
  const store = openMemoryStore({ maxSubjects: 10 });
  const key = storedKey({ expires_at: at(1), workspace_id: 'w' });
  await store.commit({ writes: [{ kind: 'key', put: key, expected: 0 }], events: [] });
  const events: AuditEvent[] = [];
  await tellOfKeys({
    store,
    rules: { warnMs: 2 * DAY_MS },
    nowMs: NOW,
    makeId: () => 'e1',
    tell: (event) => void events.push(event),
  });
  expect(events).toEqual([
    {
      id: 'e1',
      time: at(0),
      event: 'key.expiring',
      workspace_id: 'w',
      object: { kind: 'key', id: 'k' },
      reason: 'expires_at',
      facts: { name: 'a key', key_prefix: 'pst_99', ends_at: at(1) },
    },
  ]);
  const page = await store.listEvents({}, { limit: 10 });
  expect(page.items.map(({ id }) => id)).toEqual(['e1']);
});
