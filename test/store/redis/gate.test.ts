import { afterEach, beforeEach, expect, test } from 'vitest';
import { compileStored } from '../../../src/core/key-record.ts';
import { compileWorkspace } from '../../../src/core/workspace-record.ts';
import { apply } from '../../../src/store/redis/records/apply.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import {
  hashOf,
  putKey,
  roleRecord,
  storedKey,
  time,
  userRecord,
  workspaceRecord,
} from '../build.ts';
import { openWorld, operate, remember, statusOf, untilRefused } from './gate-world.ts';

describeRedis('look-ups of records in Redis', () => {
  let world: ReturnType<typeof openWorld>;
  beforeEach(() => {
    world = openWorld([redisUrl]);
  });
  afterEach(() => world.end());

  const revoked = (id: string) => putKey(storedKey(id, { status: 'revoked' }), 1);

  test('a key is found by each of its hashes, and is at hand from the third time on', async () => {
    const { gate, commit, ran } = await world.start();
    const secrets = [
      { hash: hashOf('new'), key_prefix: 'pst_ab' },
      { hash: hashOf('old'), key_prefix: 'pst_ab', until: time(5) },
    ];
    const key = storedKey('k', { secrets });
    await commit(putKey(key));
    const compiled = compileStored(key);
    expect(await gate.findKey(hashOf('new'))).toEqual({ key: compiled, until: undefined });
    expect(await gate.findKey(hashOf('old'))).toEqual({ key: compiled, until: NOW + 5 });
    expect(await gate.findKey(hashOf('nobody'))).toBeUndefined();
    const second = await gate.findKey(hashOf('new'));
    ran();
    expect(gate.findKey(hashOf('new'))).toBe(second);
    expect(ran()['find']).toBeUndefined();
  });

  test('a thousand checks of one unknown name are one read', async () => {
    const { gate, ran } = await world.start();
    await Promise.all(Array.from({ length: 1000 }, () => gate.findWorkspace('w')));
    expect(ran()['find']).toBe(1);
  });

  test('a workspace, an owner and roles are the same object until they change', async () => {
    const { gate, commit } = await world.start();
    const workspace = workspaceRecord('w', { allowed_ips: ['::1'] });
    await commit(
      { kind: 'workspace', put: workspace, expected: 0 },
      { kind: 'user', put: userRecord('u', { workspace_id: 'w', roles: ['dev'] }), expected: 0 },
      { kind: 'role', put: roleRecord('r', { workspace_id: 'w' }), expected: 0 },
      { kind: 'role', put: roleRecord('r', { workspace_id: 'wx' }), expected: 0 },
    );
    const [found, owner, roles] = [
      await gate.findWorkspace('w'),
      await gate.findOwner({ workspace: 'w', id: 'u' }),
      await gate.findRoles('w'),
    ];
    expect(found).toEqual(compileWorkspace(workspace));
    expect(owner).toEqual({ active: true, roles: ['dev'], scopes: ['a:read'] });
    expect(roles).toEqual(new Map([['r', { inherits: [], scopes: ['a:read'] }]]));
    await commit(putKey(storedKey('k')), {
      kind: 'role',
      put: roleRecord('other', { workspace_id: 'x' }),
      expected: 0,
    });
    expect([await gate.findWorkspace('w'), await gate.findRoles('w')]).toEqual([found, roles]);
    expect(await gate.findWorkspace('w')).toBe(found);
    expect(await gate.findRoles('w')).toBe(roles);
  });

  test.each(['w\0w', '\0', '', 'w\0r', '\ud800', '%00'])(
    'no record is found by the name %j that none has',
    async (name) => {
      const { gate, commit } = await world.start();
      await commit(
        { kind: 'workspace', put: workspaceRecord('w'), expected: 0 },
        { kind: 'workspace', put: workspaceRecord('\ufffd'), expected: 0 },
        { kind: 'user', put: userRecord('u', { workspace_id: '\ufffd' }), expected: 0 },
        { kind: 'role', put: roleRecord('r', { workspace_id: '\ufffd' }), expected: 0 },
      );
      expect(await gate.findWorkspace(name)).toBeUndefined();
      expect(await gate.findOwner({ workspace: name, id: 'u' })).toBeUndefined();
      expect(await gate.findRoles(name)).toBeUndefined();
    },
  );

  test('a broken record fails its own look-up, each time, and no other', async () => {
    const { gate, commit } = await world.start();
    await commit(putKey(storedKey('good')), putKey(storedKey('bad')), putKey(storedKey('lost')));
    await operate(redisUrl, 'HSET', world.keyspace.key('bad'), 'r', '{"id":"other"}');
    await operate(redisUrl, 'DEL', world.keyspace.key('lost'));
    for (let at = 0; at < 3; at += 1) {
      await expect(gate.findKey(hashOf('bad'))).rejects.toThrow('key bad in the store is broken');
      await expect(gate.findKey(hashOf('lost'))).rejects.toThrow('key lost in the store is broken');
      expect(await gate.findKey(hashOf('good'))).toBeDefined();
    }
  });

  test.each([
    ['by messages', true],
    ['by polls alone', false],
  ])('a revocation elsewhere holds within a second, %s', async (_how, hearsMessages) => {
    const [here, there] = [await world.start(), await world.start({ hearsMessages })];
    for (let round = 0; round < 10; round += 1) {
      const id = `k${round}`;
      await here.commit(putKey(storedKey(id)));
      await remember(there, id);
      await there.caughtUp();
      expect(await statusOf(there, id)).toBe('active');
      await here.commit(revoked(id));
      expect(await statusOf(here, id)).not.toBe('active');
      await untilRefused(there, id);
    }
  });

  test('that nobody has a key, or that an owner is unknown, ends within a second too', async () => {
    const [here, there] = [await world.start(), await world.start()];
    for (let at = 0; at < 3; at += 1) {
      expect(await there.gate.findKey(hashOf('k'))).toBeUndefined();
      expect(await there.gate.findOwner({ id: 'u' })).toBeUndefined();
    }
    const put = userRecord('u', { status: 'deactivated' });
    await here.commit(putKey(storedKey('k')), { kind: 'user', put, expected: 0 });
    const isThere = async () =>
      (await there.gate.findKey(hashOf('k'))) !== undefined &&
      (await there.gate.findOwner({ id: 'u' }))?.active === false;
    await waitFor('both are known', isThere, 1000);
  });

  test('a change here takes no other name, and none twice, from the cache', async () => {
    const { gate, commit, ran } = await world.start();
    await commit({ kind: 'workspace', put: workspaceRecord('w'), expected: 0 });
    await commit({ kind: 'workspace', put: workspaceRecord('v'), expected: 0 });
    const found = [await gate.findWorkspace('w'), await gate.findWorkspace('v')];
    await commit({ kind: 'workspace', put: workspaceRecord('v', { slug: 's' }), expected: 1 });
    const changed = await gate.findWorkspace('v');
    expect(changed).toMatchObject({ slug: 's' });
    ran();
    await waitFor('the news of it came back', () => (ran()['poll'] ?? 0) > 0);
    await waitFor('and once more', () => (ran()['poll'] ?? 0) > 0);
    expect(gate.findWorkspace('w')).toBe(found[0]);
    expect(gate.findWorkspace('v')).toBe(changed);
  });

  test('a burst of changes is bounded work', async () => {
    const [here, there] = [await world.start(), await world.start()];
    await here.commit(putKey(storedKey('k')));
    await remember(there, 'k');
    const many = Array.from({ length: 15_000 }, (_, at) => ({ kind: 'key', name: `name ${at}` }));
    there.ran();
    await apply(here.link, world.keyspace, { conditions: [], ops: [], changes: many });
    await here.commit(revoked('k'));
    await untilRefused(there, 'k');
    expect(there.ran()['poll']).toBeLessThan(20);
  });

  test('processes count each other', async () => {
    const all = [await world.start(), await world.start(), await world.start()];
    for (const one of all) {
      await waitFor('all are counted', () => one.gate.instances() === 3);
    }
  });

  test('a stamp that is none ends the contact, is told once, and heals', async () => {
    const { gate, commit, failures } = await world.start();
    await commit({ kind: 'workspace', put: workspaceRecord('w'), expected: 0 });
    await gate.findWorkspace('w');
    const before = String(await operate(redisUrl, 'GET', world.keyspace.stamp));
    await operate(redisUrl, 'SET', world.keyspace.stamp, 'nonsense');
    await waitFor('contact is lost', () => gate.contact().isCut);
    expect(gate.findWorkspace('w')).toMatchObject({ id: 'w' });
    await expect(gate.findWorkspace('x')).rejects.toThrow('broken');
    expect(failures).toHaveLength(1);
    await operate(redisUrl, 'SET', world.keyspace.stamp, before);
    await waitFor('contact is back', () => !gate.contact().isCut);
    expect(await gate.findWorkspace('x')).toBeUndefined();
  });

  test('a stream that cannot be read costs the cache, not the contact', async () => {
    const [here, there] = [await world.start(), await world.start()];
    await here.commit(putKey(storedKey('k')));
    await remember(there, 'k');
    await operate(redisUrl, 'DEL', world.keyspace.changes);
    await here.commit(revoked('k'));
    await untilRefused(there, 'k');
    expect(there.gate.contact().isCut).toBe(false);
  });
});
