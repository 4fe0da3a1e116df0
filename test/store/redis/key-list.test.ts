import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KeyFilter } from '../../../src/core/record-store.ts';
import type { StoredKey } from '../../../src/core/records.ts';
import { createRedisRecords, type RedisRecords } from '../../../src/store/redis/records/records.ts';
import { NOW } from '../../core/build.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { DAY_MS, putKey, storedKey, time } from '../build.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

const COUNT = 3000;

/** One prefix has most keys, another few. */
function prefixOf(at: number): string {
  if (at % 7 === 0) return 'pr_live_';
  return at % 500 === 3 ? 'pr_test_' : 'pst_';
}

/** Keys of all sorts, many enough that every list takes several slices and blocks. */
function sortedKey(at: number): StoredKey {
  const prefix = prefixOf(at);
  const key_prefix = `${prefix}${'abcdef'[at % 6]}${'xy'[at % 2]}`;
  return storedKey(`k${String(at).padStart(5, '0')}`, {
    prefix,
    key_prefix,
    kind: at % 3 === 0 ? 'team' : 'service',
    status: at % 11 === 0 ? 'revoked' : at % 700 === 5 ? 'disabled' : 'active',
    created_at: time((at - COUNT) * 1000),
    ...(at % 2 ? { workspace_id: at % 600 === 1 ? 'few' : 'many' } : {}),
    ...(at % 3 === 0 ? { owner: `t${at % 50}` } : {}),
    ...(at % 4 ? { environment: at % 4 === 1 ? 'live' : 'test' } : {}),
    ...(at % 5 === 0 ? { expires_at: time((at - 500) * 1000) } : {}),
  });
}

const FILTERS: readonly Partial<KeyFilter>[] = [
  {},
  { workspace: 'few' },
  { workspace: null },
  { kind: 'team' },
  { owner: 't6' },
  { environment: 'live' },
  { status: 'active' },
  { status: 'disabled' },
  { status: 'expired' },
  { prefix: 'pr_' },
  { prefix: 'pr_test_' },
  { prefix: 'pst_a' },
  { prefix: 'pst_ax' },
  { unusedSinceMs: NOW - 2_900_000 },
  { unusedSinceMs: NOW - 1_000_000 },
  { workspace: 'many', prefix: 'pst_b' },
  { status: 'disabled', kind: 'team' },
  { kind: 'team', environment: 'live', status: 'active', prefix: 'p' },
  { status: 'expired', unusedSinceMs: NOW - 1_000_000, kind: 'service' },
];

function means(filter: Partial<KeyFilter>, key: StoredKey): boolean {
  const { workspace, status, prefix, unusedSinceMs, ...equal } = filter;
  const isOver = key.expires_at !== undefined && Date.parse(key.expires_at) <= NOW;
  const standing = key.status === 'active' && isOver ? 'expired' : key.status;
  return (
    Object.entries(equal).every(([name, value]) => key[name as keyof StoredKey] === value) &&
    (workspace === undefined || (key.workspace_id ?? null) === workspace) &&
    (status === undefined || status === standing) &&
    (prefix === undefined || key.key_prefix.startsWith(prefix)) &&
    (unusedSinceMs === undefined || Date.parse(key.created_at) < unusedSinceMs)
  );
}

describeRedis('the list of keys in Redis', () => {
  let here: ScriptLink;
  let records: RedisRecords;
  const KEYS = Array.from({ length: COUNT }, (_, at) => sortedKey(at));
  beforeEach(async () => {
    here = openScriptLink(redisUrl);
    records = createRedisRecords(here.link, here.keyspace, {});
    for (let at = 0; at < COUNT; at += 250) {
      const writes = KEYS.slice(at, at + 250).map((key) => putKey(key));
      await records.commit({ writes, events: [] });
    }
  });
  afterEach(() => here.end());

  const listed = async (filter: Partial<KeyFilter>, limit: number) => {
    const ids: string[] = [];
    let after: string | undefined;
    do {
      const page = await records.listKeys({ nowMs: NOW, ...filter }, { limit, after });
      ids.push(...page.items.map(({ record }) => record.id));
      after = page.next;
    } while (after !== undefined);
    return ids;
  };

  test('meets of thousands what each filter means, the newest first, by pages', async () => {
    for (const filter of FILTERS) {
      const wanted = KEYS.filter((key) => means(filter, key)).map(({ id }) => id);
      expect(wanted.length, JSON.stringify(filter)).toBeGreaterThan(0);
      for (const limit of [37, 200]) {
        expect(await listed(filter, limit), JSON.stringify(filter)).toEqual(wanted.toReversed());
      }
    }
  });

  test('a list of unused keys skips the blocks that it saw were used, until a key is older again', async () => {
    const { client, keyspace } = here;
    const asked: number[] = [];
    const run = here.link.runAside;
    records = createRedisRecords(
      {
        ...here.link,
        runAside: async (call) => {
          if (call.script.name === 'list-keys-by-time') asked.push(1);
          return await run(call);
        },
      },
      keyspace,
      {},
    );
    const used = KEYS.flatMap(({ id }) => [NOW, id]);
    await client.zadd(keyspace.keysSeen, ...used);
    await client.zadd(keyspace.keysSeen, NOW - 9 * DAY_MS, 'k00010');
    await Promise.all(KEYS.map(({ id }) => client.hset(keyspace.key(id), 'u', NOW)));
    await client.hset(keyspace.key('k00010'), 'u', NOW - 9 * DAY_MS);
    const blocks = () =>
      client.zcount(keyspace.blocksBy('seen'), '-inf', `(${NOW - DAY_MS / 1000}`);
    expect(await blocks()).toBeGreaterThan(5);
    await client.zadd(keyspace.blocksBy('seen'), 'LT', NOW - 9 * DAY_MS, '0');
    expect(await listed({ unusedSinceMs: NOW - 1000 }, 200)).toEqual(['k00010']);
    const first = asked.length;
    expect(await blocks()).toBe(1);
    expect(await listed({ unusedSinceMs: NOW - 1000 }, 200)).toEqual(['k00010']);
    expect(asked.length - first).toBeLessThan(first);
    const late = storedKey('late', { created_at: time(-20 * DAY_MS) });
    await records.commit({ writes: [putKey(late)], events: [] });
    expect(await listed({ unusedSinceMs: NOW - 1000 }, 200)).toEqual(['late', 'k00010']);
  });

  test('a key whose end moved is met by its new end', async () => {
    const key = KEYS.at(-1) ?? storedKey('none');
    const move = (expected: number, expires_at: string | undefined, status: StoredKey['status']) =>
      records.commit({ writes: [putKey({ ...key, expires_at, status }, expected)], events: [] });
    const isExpired = async () => (await listed({ status: 'expired' }, 200)).includes(key.id);
    expect(await isExpired()).toBe(false);
    await move(1, time(-1), 'active');
    expect(await isExpired()).toBe(true);
    await move(2, time(1), 'active');
    expect(await isExpired()).toBe(false);
    await move(3, time(-1), 'disabled');
    expect(await isExpired()).toBe(false);
    await move(4, time(-1), 'active');
    expect(await isExpired()).toBe(true);
  });

  test('a place that no page named is the beginning', async () => {
    const [newest] = (await records.listKeys({ nowMs: NOW }, { limit: 1 })).items;
    for (const after of ['k00010', '0', '-1', '1e3', 'x']) {
      const page = await records.listKeys({ nowMs: NOW }, { limit: 1, after });
      expect(page.items).toEqual([newest]);
    }
  });
});
