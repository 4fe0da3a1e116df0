import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Write } from '../../../src/core/record-store.ts';
import {
  createRedisRecords,
  type RedisRecords,
  type RedisRecordsOptions,
} from '../../../src/store/redis/records/records.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import {
  auditEvent,
  hashOf,
  putKey,
  roleRecord,
  storedKey,
  time,
  userRecord,
  workspaceRecord,
} from '../build.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('records in Redis', () => {
  let here: ScriptLink;
  beforeEach(() => {
    here = openScriptLink(redisUrl);
  });
  afterEach(() => here.end());

  const open = (options: RedisRecordsOptions = {}, link = here.link): RedisRecords =>
    createRedisRecords(link, here.keyspace, options);
  const commit = (records: RedisRecords, ...writes: readonly Write[]) =>
    records.commit({ writes, events: [] });

  test('a removed key leaves nothing behind, whatever it was and became', async () => {
    const records = open();
    const key = storedKey('k', {
      workspace_id: 'w',
      kind: 'personal',
      owner: 'u',
      environment: 'live',
      expires_at: time(1),
    });
    const others = { kind: 'team', owner: 't', environment: 'test', status: 'disabled' } as const;
    const secrets = [{ hash: hashOf('other'), key_prefix: 'pst_cd', until: time(5) }];
    await commit(records, putKey(key));
    await commit(records, putKey({ ...key, ...others, key_prefix: 'pst_cd', secrets }, 1));
    await commit(records, putKey({ ...key, expires_at: time(9), prefix: 'x_' }, 2));
    await commit(records, { kind: 'key', remove: { id: 'k' }, expected: 3 });
    const left = await here.client.keys(`${here.keyspace.keys.replace(/:keys$/, '')}:*`);
    const kinds = await Promise.all(left.map(async (name) => [name, await here.client.type(name)]));
    for (const [name = '', kind] of kinds) {
      if (kind === 'string' && name.includes(':keys:')) {
        expect(await here.client.bitcount(name), name).toBe(0);
      }
    }
    const lasting = /:(keys:.*|values:.*|blocks-by:.*|arrivals|stamp|changes)$/;
    expect(left.filter((name) => !lasting.test(name))).toEqual([]);
    expect(kinds.filter(([name, kind]) => kind === 'zset' && name?.includes(':keys'))).toEqual([]);
  });

  test('changes tell the names that the gate knows, also of secrets that went', async () => {
    const told: unknown[] = [];
    const records = open({ onChanges: (changes) => told.push(changes) });
    await commit(
      records,
      { kind: 'workspace', put: workspaceRecord('w'), expected: 0 },
      { kind: 'user', put: userRecord('u', { workspace_id: 'w' }), expected: 0 },
      { kind: 'role', put: roleRecord('r', { workspace_id: 'w' }), expected: 0 },
      putKey(storedKey('k')),
    );
    const rotated = [{ hash: hashOf('new'), key_prefix: 'pst_ab' }];
    await commit(records, putKey(storedKey('k', { secrets: rotated }), 1));
    expect(told).toEqual([
      [
        { kind: 'workspace', name: 'w' },
        { kind: 'user', name: '["w","u"]' },
        { kind: 'role', name: 'w' },
        { kind: 'key', name: hashOf('k') },
      ],
      [
        { kind: 'key', name: hashOf('k') },
        { kind: 'key', name: hashOf('new') },
      ],
    ]);
    const entries = await here.client.xrange(here.keyspace.changes, '-', '+');
    expect(entries.map(([id]) => id)).toEqual(['1-0', '2-0']);
  });

  test('a commit whose answer is lost rejects, and tells its changes all the same', async () => {
    const told: unknown[] = [];
    const run = here.link.runAside;
    const link = {
      ...here.link,
      runAside: async (call: Parameters<typeof run>[0]) => {
        const reply = await run(call);
        if (call.script.name === 'apply') throw new Error('no answer');
        return reply;
      },
    };
    const records = open({ onChanges: (changes) => told.push(changes) }, link);
    await expect(commit(records, putKey(storedKey('k')))).rejects.toThrow('no answer');
    expect(told).toEqual([[{ kind: 'key', name: hashOf('k') }]]);
    expect(await records.getKey('k')).toMatchObject({ version: 1 });
  });

  test('a commit that was made comes back as its answer, not as what it wrote', async () => {
    const records = open({ now: () => 0 });
    const answer = { id: 'a', bodyDigest: 'd', sealed: new Uint8Array(3), expiresAtMs: 60_000 };
    const create = { writes: [putKey(storedKey('k'))], events: [], answer };
    expect(await records.commit(create)).toBeUndefined();
    expect(await records.commit(create)).toEqual({ conflict: 'answer', at: 0 });
  });

  test('of many processes that raise one version, each change is made once', async () => {
    const links = Array.from({ length: 4 }, () => here.client.duplicate());
    const processes = links.map((client) => {
      const run: ScriptLink['link']['run'] = ({ script, keys, args }) =>
        client.eval(script.text, keys.length, ...keys, ...args);
      return open({}, { ...here.link, run, runAside: run });
    });
    await commit(open(), putKey(storedKey('k', { metadata: { count: 0 } })));
    const raise = async (records: RedisRecords): Promise<void> => {
      for (;;) {
        const found = await records.getKey('k');
        if (!found) throw new Error('the key is gone');
        const count = Number(found.record.metadata?.['count']) + 1;
        const put = putKey({ ...found.record, metadata: { count } }, found.version);
        if ((await commit(records, put)) === undefined) return;
      }
    };
    await Promise.all(
      processes.flatMap((records) => Array.from({ length: 10 }, () => raise(records))),
    );
    expect((await open().getKey('k'))?.record.metadata).toEqual({ count: 40 });
    for (const client of links) client.disconnect();
  });

  test('keys that many processes make at once all come, each with an arrival of its own', async () => {
    const records = open();
    const ids = Array.from({ length: 60 }, (_, at) => `k${at}`);
    expect(await Promise.all(ids.map((id) => commit(records, putKey(storedKey(id)))))).toEqual(
      ids.map(() => undefined),
    );
    const scores = await here.client.zrange(here.keyspace.keys, '0', '-1', 'WITHSCORES');
    const arrivals = scores.filter((_, at) => at % 2 === 1);
    expect(new Set(arrivals).size).toBe(60);
  });

  test('a key that went and came again between reading and writing is another', async () => {
    const records = open();
    await commit(records, putKey(storedKey('k')));
    const run = here.link.runAside;
    let isFirst = true;
    const link = {
      ...here.link,
      runAside: async (call: Parameters<typeof run>[0]) => {
        if (call.script.name === 'apply' && isFirst) {
          isFirst = false;
          await commit(records, { kind: 'key', remove: { id: 'k' }, expected: 1 });
          await commit(records, putKey(storedKey('k', { workspace_id: 'w' })));
        }
        return await run(call);
      },
    };
    expect(await commit(open({}, link), putKey(storedKey('k', { name: 'x' }), 1))).toBeUndefined();
    const inW = await records.listKeys({ workspace: 'w', nowMs: 0 }, { limit: 9 });
    const inNone = await records.listKeys({ workspace: null, nowMs: 0 }, { limit: 9 });
    expect([inW.items, inNone.items.map(({ version }) => version)]).toEqual([[], [2]]);
  });

  test('where no replica confirms, that is told once, and told again after one did', async () => {
    const failures: unknown[] = [];
    const answers = [false, false, true, false];
    const link = { ...here.link, isReplicated: async () => answers.shift() ?? true };
    const records = open({ onFailure: (cause) => failures.push(cause) }, link);
    for (const id of ['a', 'b', 'c', 'd']) {
      expect(await commit(records, putKey(storedKey(id)))).toBeUndefined();
    }
    await expect.poll(() => failures.length).toBe(2);
    expect(String(failures[0])).toContain('no replica');
  });

  test('an event that is kept already is an error, and nothing is written', async () => {
    const records = open();
    const events = [auditEvent('e')];
    await records.commit({ writes: [], events });
    const again = records.commit({ writes: [putKey(storedKey('k'))], events });
    await expect(again).rejects.toThrow('event');
    expect(await records.getKey('k')).toBeUndefined();
  });

  test('names that would mean another name are kept by nobody', async () => {
    const records = open();
    for (const id of ['a\0b', '\ud800']) {
      const put = userRecord(id);
      await expect(commit(records, { kind: 'user', put, expected: 0 })).rejects.toThrow('name');
      expect(await records.get('user', { id })).toBeUndefined();
    }
  });

  test('a broken record is told by its name, never taken for none', async () => {
    const records = open();
    await commit(records, putKey(storedKey('k')));
    await here.client.hset(here.keyspace.key('k'), 'r', '{"id":"other"}');
    await expect(records.getKey('k')).rejects.toThrow('key k in the store is broken');
    await here.client.hset(here.keyspace.records('user'), '\0u', 'x {"id":"u"}');
    await expect(records.get('user', { id: 'u' })).rejects.toThrow('user u');
  });
});
