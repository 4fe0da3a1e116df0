import { afterEach, beforeEach, expect, test } from 'vitest';
import { compileStored } from '../../src/core/key-record.ts';
import { compileWorkspace } from '../../src/core/workspace-record.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import {
  hashOf,
  type OpenStore,
  putKey,
  roleRecord,
  storedKey,
  time,
  userRecord,
  workspaceRecord,
  write,
} from './build.ts';

/** What the gate finds, at once after each change. */
export function gateContract(open: OpenStore): void {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  const secret = (name: string, until?: string) => ({
    hash: hashOf(name),
    key_prefix: 'pst_ab',
    ...(until === undefined ? {} : { until }),
  });

  test('a key is found under each of its hashes, with the end of each', async () => {
    const key = storedKey('k', {
      kind: 'team',
      owner: 't',
      workspace_id: 'w',
      allowed_ips: ['192.0.2.0/24'],
      expires_at: time(5),
      secrets: [secret('new'), secret('old', time(1))],
    });
    await write(store, putKey(key));
    const compiled = compileStored(key);
    expect(compiled).toMatchObject({
      team: 't',
      workspace: 'w',
      createdAtMs: NOW,
      rotatedAtMs: NOW,
    });
    expect(await store.findKey(hashOf('new'))).toEqual({ key: compiled, until: undefined });
    expect(await store.findKey(hashOf('old'))).toEqual({ key: compiled, until: NOW + 1 });
    expect(await store.findKey(hashOf('k'))).toBeUndefined();
  });

  test('every change of a key holds for the next look-up, of new hashes and old ones', async () => {
    const find = async (name: string) => {
      const found = await store.findKey(hashOf(name));
      return found && [found.key.status, found.until];
    };
    expect(await find('one'), 'nobody has it, and that is remembered').toBeUndefined();
    const key = storedKey('k', { secrets: [secret('one')] });
    await write(store, putKey(key));
    expect(await find('one')).toEqual(['active', undefined]);
    await write(store, putKey({ ...key, status: 'disabled' }, 1));
    expect(await find('one')).toEqual(['disabled', undefined]);
    const rotated = storedKey('k', { secrets: [secret('two'), secret('one', time(9))] });
    expect(await find('two')).toBeUndefined();
    await write(store, putKey(rotated, 2));
    expect([await find('one'), await find('two')]).toEqual([
      ['active', NOW + 9],
      ['active', undefined],
    ]);
    await write(store, putKey(storedKey('k', { secrets: [secret('two')] }), 3));
    expect([await find('one'), await find('two')]).toEqual([undefined, ['active', undefined]]);
    await write(store, putKey(storedKey('k', { secrets: [secret('two')], status: 'revoked' }), 4));
    expect(await find('two')).toEqual(['revoked', undefined]);
    await write(store, { kind: 'key', remove: { id: 'k' }, expected: 5 });
    expect(await find('two')).toBeUndefined();
  });

  test('a change that conflicts changes nothing for the gate', async () => {
    await write(store, putKey(storedKey('k')));
    await store.findKey(hashOf('k'));
    const revoked = putKey(storedKey('k', { status: 'revoked' }), 9);
    expect(await store.commit({ writes: [revoked], events: [] })).toBeDefined();
    expect((await store.findKey(hashOf('k')))?.key.status).toBe('active');
  });

  test('a key that went with its owner says so', async () => {
    const gone = { status: 'revoked', revoked_because: 'owner_gone' } as const;
    await write(store, putKey(storedKey('k', gone)));
    expect(await store.findKey(hashOf('k'))).toMatchObject({ key: { lostOwner: true } });
  });

  test('a workspace is found as it stands now', async () => {
    expect(await store.findWorkspace('w')).toBeUndefined();
    const one = workspaceRecord('w', {
      slug: 's',
      overrides: { per_minute: 1 },
      allowed_ips: ['::1'],
    });
    await write(store, { kind: 'workspace', put: one, expected: 0 });
    expect(await store.findWorkspace('w')).toEqual(compileWorkspace(one));
    expect(await store.findWorkspace('w')).toBe(await store.findWorkspace('w'));
    const put = workspaceRecord('w', { status: 'suspended' });
    await write(store, { kind: 'workspace', put, expected: 1 });
    expect(await store.findWorkspace('w')).toMatchObject({
      status: 'suspended',
      overrides: undefined,
    });
    await write(store, { kind: 'workspace', remove: { id: 'w' }, expected: 2 });
    expect(await store.findWorkspace('w')).toBeUndefined();
  });

  test('an owner is found as they stand now, in their own workspace only', async () => {
    const name = { workspace: 'w', id: 'u' };
    expect(await store.findOwner(name)).toBeUndefined();
    const user = userRecord('u', { workspace_id: 'w', roles: ['dev'], scopes: ['a:read'] });
    await write(store, { kind: 'user', put: user, expected: 0 });
    expect(await store.findOwner(name)).toEqual({
      active: true,
      roles: ['dev'],
      scopes: ['a:read'],
    });
    expect(await store.findOwner({ id: 'u' })).toBeUndefined();
    expect(await store.findOwner({ workspace: 'x', id: 'u' })).toBeUndefined();
    const put = userRecord('u', { workspace_id: 'w', status: 'deactivated', scopes: [] });
    await write(store, { kind: 'user', put, expected: 1 });
    expect(await store.findOwner(name)).toEqual({ active: false, roles: [], scopes: [] });
    await write(store, { kind: 'user', remove: name, expected: 2 });
    expect(await store.findOwner(name)).toBeUndefined();
  });

  test('the roles of a workspace are one object until one of them changes', async () => {
    expect(await store.findRoles('w')).toBeUndefined();
    const inW = (id: string, scopes = ['a:read']) => roleRecord(id, { workspace_id: 'w', scopes });
    await write(
      store,
      { kind: 'role', put: inW('r'), expected: 0 },
      { kind: 'role', put: roleRecord('everywhere'), expected: 0 },
    );
    const roles = await store.findRoles('w');
    expect(roles).toEqual(new Map([['r', { inherits: [], scopes: ['a:read'] }]]));
    await write(store, { kind: 'role', put: roleRecord('r', { workspace_id: 'x' }), expected: 0 });
    expect(await store.findRoles('w')).toBe(roles);
    await write(store, { kind: 'role', put: inW('r', ['b:read']), expected: 1 });
    expect((await store.findRoles('w'))?.get('r')?.scopes).toEqual(['b:read']);
    expect([...((await store.findRoles(undefined))?.keys() ?? [])]).toEqual(['everywhere']);
    await write(store, { kind: 'role', remove: { workspace: 'w', id: 'r' }, expected: 2 });
    expect(await store.findRoles('w')).toBeUndefined();
  });
}
