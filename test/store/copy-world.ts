import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyFilter } from '../../src/core/record-store.ts';
import { ITEM_KINDS, type StoreCopy, type StoredItem } from '../../src/core/store-copy.ts';
import { openRedisCopy } from '../../src/store/redis/copy/copy.ts';
import type { RedisSettings } from '../../src/store/redis/options.ts';
import { openRedisStore } from '../../src/store/redis/redis.ts';
import { openSqliteCopy } from '../../src/store/sql/copy.ts';
import { openSqliteStore } from '../../src/store/sql/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import {
  auditEvent,
  DAY_MS,
  HOUR_MS,
  hashOf,
  listedKeys,
  putKey,
  roleRecord,
  storedKey,
  teamRecord,
  time,
  userRecord,
  workspaceRecord,
  write,
} from './build.ts';
import { storeOptions } from './redis/open.ts';

/** A store that can be opened to serve, or to be copied. */
export type Place = {
  readonly serve: () => Promise<Store>;
  readonly copy: () => Promise<StoreCopy>;
};

/** Files in a folder of their own. */
export function openFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-copy-'));
  let files = 0;
  return {
    newFile: (): Place => {
      files += 1;
      const path = join(folder, `${files}.db`);
      return {
        serve: () => openSqliteStore(path, { maxSubjects: 1000, now: () => NOW }),
        copy: () => openSqliteCopy(path),
      };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

export function redisPlace(settings: RedisSettings): Place {
  return {
    serve: () => openRedisStore(settings, storeOptions({ now: () => NOW })),
    copy: () => openRedisCopy(settings),
  };
}

/** Everything of a store, sorted where its order says nothing. */
export async function contentOf(place: Place, nowMs: number): Promise<readonly StoredItem[]> {
  const copy = await place.copy();
  try {
    const items: StoredItem[] = [];
    const kinds = ITEM_KINDS.filter((kind) => kind !== 'counter');
    for await (const part of copy.dump(kinds, nowMs)) items.push(...part);
    const isOrdered = ({ kind }: StoredItem) => kind === 'key' || kind === 'event';
    const others = items.filter((item) => !isOrdered(item)).map((item) => JSON.stringify(item));
    return [...others.sort().map((text) => JSON.parse(text)), ...items.filter(isOrdered)];
  } finally {
    await copy.close();
  }
}

/** One of everything, and two where the order counts. */
export async function fill(place: Place): Promise<void> {
  const store = await place.serve();
  const owned = { workspace_id: 'w', environment: 'live', owner: 'u' };
  const first = storedKey('first', { ...owned, kind: 'personal', expires_at: time(DAY_MS) });
  const rotated = storedKey('rotated', {
    rotated_at: time(HOUR_MS),
    key_prefix: 'pst_zz',
    secrets: [
      { hash: hashOf('new'), key_prefix: 'pst_zz' },
      { hash: hashOf('old'), key_prefix: 'pst_ab', until: time(DAY_MS) },
    ],
  });
  await write(
    store,
    { kind: 'workspace', put: workspaceRecord('w', { slug: 'acme', plan: 'p' }), expected: 0 },
    { kind: 'user', put: userRecord('u', { workspace_id: 'w' }), expected: 0 },
    { kind: 'team', put: teamRecord('t', { members: ['u'] }), expected: 0 },
    { kind: 'role', put: roleRecord('r', { workspace_id: 'w' }), expected: 0 },
    // The second came first: an id says nothing about the order.
    putKey(storedKey('second', { metadata: { ü: [1] } })),
    putKey(first),
    putKey(rotated),
    putKey(storedKey('revoked', { status: 'revoked', revoked_because: 'leaked' })),
  );
  await write(store, putKey({ ...first, name: 'anew' }, 1));
  const answer = {
    id: 'a',
    bodyDigest: 'd',
    sealed: new Uint8Array([0, 255]),
    expiresAtMs: NOW + 9e5,
  };
  const notice = { keyId: 'first', notice: 'expiring', mark: time(DAY_MS) };
  const events = [auditEvent('z'), auditEvent('y', { actor: { kind: 'admin', id: 'admin' } })];
  await store.commit({ writes: [], events, answer, notice });
  await store.putSetting('admin_token', 'digest');
  store.recordEvent(auditEvent('told', { event: 'decision.refused', reason: 'rate_limited' }));
  for (const at of [0, 0, 1, 30]) {
    store.recordUse({ keyId: 'first', nowMs: NOW + at * HOUR_MS });
    store.recordUse({ keyId: 'declared', nowMs: NOW + at * HOUR_MS, reason: 'rate_limited' });
  }
  await store.flush();
  await store.close();
}

const FILTERS: readonly Partial<KeyFilter>[] = [
  {},
  { workspace: 'w' },
  { workspace: null },
  { kind: 'personal' },
  { owner: 'u' },
  { environment: 'live' },
  { status: 'active' },
  { status: 'revoked' },
  { status: 'expired', nowMs: NOW + 2 * DAY_MS },
  { prefix: 'pst_' },
  { prefix: 'pst_z' },
  { unusedSinceMs: NOW + HOUR_MS },
];

/** What a store answers to whoever asks it. */
export async function answersOf(place: Place) {
  const store = await place.serve();
  try {
    const page = { limit: 2 };
    const kinds = ['workspace', 'user', 'team', 'role'] as const;
    const span = { by: 'expires_at', fromMs: NOW, toMs: NOW + 2 * DAY_MS } as const;
    const unused = { by: 'unused', beforeMs: NOW + DAY_MS } as const;
    return {
      lists: await Promise.all(FILTERS.map((filter) => listedKeys(store, filter, 1))),
      keys: await Promise.all(['first', 'second', 'nobody'].map((id) => store.getKey(id))),
      byHash: await Promise.all(
        ['new', 'old', 'second'].map((one) => store.getKeyByHash(hashOf(one))),
      ),
      gate: await Promise.all(['new', 'old', 'second'].map((one) => store.findKey(hashOf(one)))),
      workspace: await store.findWorkspace('w'),
      owner: await store.findOwner({ workspace: 'w', id: 'u' }),
      roles: [...((await store.findRoles('w')) ?? [])],
      records: await Promise.all(kinds.map((kind) => store.list(kind, {}, { limit: 9 }))),
      events: (await store.listEvents({}, { limit: 9 })).items,
      newest: (await store.listEvents({}, page)).items,
      ofActor: (await store.listEvents({ actor: 'admin' }, page)).items,
      refused: (await store.listEvents({ event: 'decision.*' }, page)).items,
      usage: await Promise.all(['first', 'declared'].map((id) => store.usageOf(id, 0))),
      due: await store.keysDue(span, 'other', 9),
      toldOf: await store.keysDue(span, 'expiring', 9),
      unused: (await store.keysDue(unused, 'unused', 9)).map(({ record }) => record.id).sort(),
      answer: await store.findAnswer('a', NOW),
      setting: await store.getSetting('admin_token'),
    };
  } finally {
    await store.close();
  }
}
