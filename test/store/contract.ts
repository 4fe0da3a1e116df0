import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Commit } from '../../src/core/record-store.ts';
import type { RecordOf } from '../../src/core/records.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import {
  auditEvent,
  hashOf,
  type OpenStore,
  putKey,
  roleRecord,
  storedKey,
  teamRecord,
  time,
  userRecord,
  workspaceRecord,
  write,
} from './build.ts';
import { gateContract } from './contract-gate.ts';
import { lifeContract } from './contract-life.ts';
import { boundedLimitContract, limitContract } from './contract-limits.ts';
import { listContract } from './contract-lists.ts';

/** What every store holds to, whatever it keeps its records in. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name}: records`, () => recordContract(open));
  describe(`${name}: lists`, () => listContract(open));
  describe(`${name}: the gate`, () => gateContract(open));
  describe(`${name}: limits`, () => limitContract(open));
  describe(`${name}: life`, () => lifeContract(open));
}

/** What every store holds to that counts in its own process. */
export function countingStoreContract(name: string, open: OpenStore): void {
  storeContract(name, open);
  describe(`${name}: the number of counters`, () => boundedLimitContract(open));
}

function recordContract(open: OpenStore): void {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  const commit = (writes: Commit['writes'], more: Partial<Commit> = {}) =>
    store.commit({ writes, events: [], ...more });

  const RECORDS: { readonly [K in keyof RecordOf]: RecordOf[K] } = {
    key: storedKey('k', { workspace_id: 'w', metadata: { a: [1, 'ü'] }, expires_at: time(1) }),
    workspace: workspaceRecord('w', { slug: 'acme', overrides: { per_minute: 5 } }),
    user: userRecord('u', { workspace_id: 'w', email: 'u@example.com' }),
    team: teamRecord('t', { workspace_id: 'w', members: ['u'] }),
    role: roleRecord('r', { workspace_id: 'w', inherits: ['viewer'] }),
  };

  test.each(Object.keys(RECORDS) as (keyof RecordOf)[])(
    'a %s comes back as it was put, and each change raises its version by one',
    async (kind) => {
      const record = RECORDS[kind];
      const name = { workspace: 'w', id: record.id };
      expect(await store.get(kind, name)).toBeUndefined();
      await write(store, { kind, put: record, expected: 0 } as never);
      expect(await store.get(kind, name)).toEqual({ record, version: 1 });
      const changed = { ...record, updated_at: time(1000) };
      await write(store, { kind, put: changed, expected: 1 } as never);
      expect(await store.get(kind, name)).toEqual({ record: changed, version: 2 });
      await write(store, { kind, remove: name, expected: 2 } as never);
      expect(await store.get(kind, name)).toBeUndefined();
    },
  );

  test('users, teams and roles of one id in several workspaces are several', async () => {
    const inW = userRecord('u', { workspace_id: 'w' });
    const inNone = userRecord('u', { scopes: ['b:read'] });
    await write(
      store,
      { kind: 'user', put: inW, expected: 0 },
      { kind: 'user', put: inNone, expected: 0 },
    );
    expect((await store.get('user', { workspace: 'w', id: 'u' }))?.record).toEqual(inW);
    expect((await store.get('user', { id: 'u' }))?.record).toEqual(inNone);
    expect(await store.get('user', { workspace: 'x', id: 'u' })).toBeUndefined();
  });

  test('a key is found by its id in whatever workspace, and by each of its hashes', async () => {
    const secrets = [hashOf('new'), hashOf('old')].map((hash) => ({ hash, key_prefix: 'pst_ab' }));
    const key = storedKey('k', { workspace_id: 'w', secrets });
    await write(store, putKey(key));
    const listed = { record: key, version: 1, lastUsedAtMs: undefined };
    expect((await store.get('key', { workspace: 'x', id: 'k' }))?.record).toEqual(key);
    expect(await store.getKey('k')).toEqual(listed);
    for (const { hash } of secrets) expect(await store.getKeyByHash(hash)).toEqual(listed);
    expect(await store.getKey('l')).toBeUndefined();
    expect(await store.getKeyByHash(hashOf('k'))).toBeUndefined();
  });

  test.each([
    ['put', 0, 1],
    ['put', 2, 0],
    ['remove', 2, 0],
    ['require', 2, 0],
    ['require', 0, 1],
  ] as const)('a %s that expects version %i conflicts as write %i', async (step, expected, at) => {
    const key = storedKey('k');
    await write(store, putKey(key));
    const works = { kind: 'user', put: userRecord('u'), expected: 0 } as const;
    const value = step === 'put' ? key : { id: 'k' };
    const fails = { kind: 'key', [step]: value, expected } as never;
    const writes = at === 1 ? [works, fails] : [fails, works];
    expect(await commit(writes)).toEqual({ conflict: 'version', at });
    expect(await store.get('user', { id: 'u' }), 'nothing of it happened').toBeUndefined();
  });

  test('a commit is all or nothing: records, events, answer and notice', async () => {
    await write(store, putKey(storedKey('k')));
    const notice = { keyId: 'k', notice: 'expiring', mark: '1' };
    const answer = { id: 'a', bodyDigest: 'd', sealed: new Uint8Array(1), expiresAtMs: NOW + 1 };
    const more = { events: [auditEvent('e')], notice, answer };
    const wrong = putKey(storedKey('k'), 7);
    expect(await commit([putKey(storedKey('l')), wrong], more)).toMatchObject({ at: 1 });
    expect(await store.getKey('l')).toBeUndefined();
    expect((await store.listEvents({}, { limit: 9 })).items).toEqual([]);
    expect(await store.findAnswer('a', NOW)).toBeUndefined();
    expect(await commit([], more), 'so it may be told again').toBeUndefined();
  });

  test('a write sees the writes before it in the same commit', async () => {
    const key = storedKey('k');
    const steps = [
      putKey(key),
      putKey({ ...key, name: 'other' }, 1),
      { kind: 'key', require: { id: 'k' }, expected: 2 },
    ] as const;
    expect(await commit(steps)).toBeUndefined();
    expect(await store.get('key', { id: 'k' })).toMatchObject({ version: 2 });
  });

  test('require holds a commit to a record that it does not change', async () => {
    await write(store, { kind: 'user', put: userRecord('u'), expected: 0 });
    const needsUser = { kind: 'user', require: { id: 'u' }, expected: 1 } as const;
    expect(await commit([needsUser, putKey(storedKey('k'))])).toBeUndefined();
    await write(store, { kind: 'user', remove: { id: 'u' }, expected: 1 });
    expect(await commit([needsUser, putKey(storedKey('l'))])).toEqual({
      conflict: 'version',
      at: 0,
    });
    const none = { kind: 'user', require: { id: 'u' }, expected: 0 } as const;
    expect(await commit([none, putKey(storedKey('l'))])).toBeUndefined();
  });

  test('no hash is that of two keys, nor twice that of one', async () => {
    await write(store, putKey(storedKey('k')));
    const { secrets } = storedKey('k');
    expect(await commit([putKey(storedKey('l', { secrets }))])).toEqual({
      conflict: 'hash',
      at: 0,
    });
    const twice = storedKey('l', {
      secrets: [...storedKey('l').secrets, ...storedKey('l').secrets],
    });
    expect(await commit([putKey(twice)])).toEqual({ conflict: 'hash', at: 0 });
    expect(await commit([putKey(storedKey('k', { name: 'again' }), 1)])).toBeUndefined();
    await write(store, { kind: 'key', remove: { id: 'k' }, expected: 2 });
    expect(await commit([putKey(storedKey('l', { secrets }))])).toBeUndefined();
  });

  test('no slug is that of two workspaces', async () => {
    const put = (id: string, slug: string | undefined, expected: number) =>
      commit([{ kind: 'workspace', put: workspaceRecord(id, { slug }), expected }]);
    expect(await put('w', 'acme', 0)).toBeUndefined();
    expect(await put('x', 'acme', 0)).toEqual({ conflict: 'slug', at: 0 });
    expect(await put('w', 'acme', 1)).toBeUndefined();
    expect(await put('w', undefined, 2)).toBeUndefined();
    expect(await put('x', 'acme', 0)).toBeUndefined();
    expect(await put('y', undefined, 0)).toBeUndefined();
  });

  test('of two commits at the same time that expect one version, one succeeds', async () => {
    await write(store, putKey(storedKey('k')));
    const conflicts = await Promise.all(
      Array.from({ length: 20 }, (_, at) => commit([putKey(storedKey('k', { name: `${at}` }), 1)])),
    );
    expect(conflicts.filter((conflict) => conflict === undefined)).toHaveLength(1);
    expect(await store.get('key', { id: 'k' })).toMatchObject({ version: 2 });
  });

  test('names are only text: quotes, wildcards and the names of prototypes find nothing else', async () => {
    for (const id of ["' OR 1=1 --", '%', '_', '__proto__', 'k\0', '']) {
      expect(await store.get('key', { id })).toBeUndefined();
      expect(await store.get('user', { workspace: id, id })).toBeUndefined();
      expect(await store.existing('key', [id])).toEqual([]);
    }
    const odd = userRecord('__proto__', { workspace_id: "w'%" });
    await write(store, { kind: 'user', put: odd, expected: 0 });
    const found = await store.get('user', { workspace: "w'%", id: '__proto__' });
    expect(found?.record).toEqual(odd);
  });

  test('existing tells which ids stand in the store', async () => {
    await write(store, putKey(storedKey('k')), putKey(storedKey('l')), {
      kind: 'workspace',
      put: workspaceRecord('w'),
      expected: 0,
    });
    expect([...(await store.existing('key', ['l', 'x', 'k', 'w']))].sort()).toEqual(['k', 'l']);
    expect(await store.existing('workspace', ['k', 'w'])).toEqual(['w']);
    expect(await store.existing('key', [])).toEqual([]);
  });

  test('settings are kept by name', async () => {
    expect(await store.getSetting('admin')).toBeUndefined();
    await store.putSetting('admin', 'one');
    await store.putSetting('admin', 'two');
    expect(await store.getSetting('admin')).toBe('two');
  });

  test('a closed store refuses everything, and closing twice is closing', async () => {
    await store.close();
    await store.close();
    await expect(store.getKey('k')).rejects.toThrow('closed');
    await expect(commit([putKey(storedKey('k'))])).rejects.toThrow('closed');
    await expect(async () => store.findKey(hashOf('k'))).rejects.toThrow();
    store.recordUse({ keyId: 'k', nowMs: NOW });
  });
}
