import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Applied,
  apply,
  type Condition,
  OP_ARGS_MAX,
  type Op,
} from '../../../src/store/redis/records/apply.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('operations on records in Redis', () => {
  let here: ScriptLink;
  let place: string;
  beforeEach(() => {
    here = openScriptLink(redisUrl);
    place = here.keyspace.records('user');
  });
  afterEach(() => here.end());

  const applyAll = (applied: Partial<Applied>) =>
    apply(here.link, here.keyspace, { conditions: [], ops: [], ...applied });
  const put = (field: string, value: string): Op => ({
    write: 'HSET',
    key: place,
    args: [field, value],
  });
  const stands = (field: string, is: string | undefined): Condition => ({
    read: 'HGET',
    key: place,
    args: [field],
    is,
  });

  test('are applied together, and without changes no stamp is raised', async () => {
    const ops = [put('a', '1'), put('b', 'ü\0')];
    expect(await applyAll({ ops })).toEqual({ stamp: undefined });
    expect(await here.client.hgetall(place)).toEqual({ a: '1', b: 'ü\0' });
    expect(await here.client.get(here.keyspace.stamp)).toBeNull();
  });

  test('change nothing where a condition fails, whose index is told', async () => {
    await applyAll({ ops: [put('a', '1')] });
    const conditions = [stands('a', '1'), stands('b', undefined)];
    expect(await applyAll({ conditions, ops: [put('b', '')] })).toEqual({ stamp: undefined });
    expect(await applyAll({ conditions, ops: [put('a', '2')] })).toEqual({ failed: 1 });
    expect(await here.client.hgetall(place)).toEqual({ a: '1', b: '' });
  });

  test('may ask for texts, counts and members', async () => {
    const { client, keyspace } = here;
    await client.set(keyspace.stamp, '7:a');
    await client.sadd(keyspace.told('k'), 'm');
    const asked: readonly (readonly [Condition['read'], string, string[], string | undefined])[] = [
      ['GET', keyspace.stamp, [], '7:a'],
      ['GET', keyspace.settings, [], undefined],
      ['EXISTS', keyspace.stamp, [], '1'],
      ['EXISTS', keyspace.settings, [], '0'],
      ['SISMEMBER', keyspace.told('k'), ['m'], '1'],
      ['SISMEMBER', keyspace.told('k'), ['n'], '0'],
    ];
    const conditions = asked.map(([read, key, args, is]) => ({ read, key, args, is }));
    expect(await applyAll({ conditions })).toEqual({ stamp: undefined });
    for (const one of conditions) {
      expect(await applyAll({ conditions: [{ ...one, is: 'other' }] })).toEqual({ failed: 0 });
    }
  });

  test('with changes raise the stamp by one, follow each other in the stream and are published', async () => {
    const { client, keyspace } = here;
    const heard: string[] = [];
    const ear = client.duplicate();
    await ear.subscribe(keyspace.channel);
    ear.on('message', (_, message: string) => heard.push(message));
    const stamps: unknown[] = [];
    for (const name of ['a', 'b']) {
      stamps.push(await applyAll({ changes: [{ kind: 'key', name }] }));
    }
    expect(stamps).toEqual([
      { stamp: expect.stringMatching(/^1:[0-9a-f]{16}$/) },
      { stamp: expect.stringMatching(/^2:[0-9a-f]{16}$/) },
    ]);
    const texts = stamps.map((one) => (one as { stamp: string }).stamp);
    expect(await client.get(keyspace.stamp)).toBe(texts[1]);
    expect(await client.xrange(keyspace.changes, '-', '+')).toEqual([
      ['1-0', ['stamp', texts[0], 'key', 'a']],
      ['2-0', ['stamp', texts[1], 'key', 'b']],
    ]);
    await expect.poll(() => heard).toEqual(texts);
    ear.disconnect();
  });

  test('with thousands of changes fill several entries, each with a stamp of its own', async () => {
    const changes = Array.from({ length: 2500 }, (_, at) => ({ kind: 'key', name: `${at}` }));
    expect(await applyAll({ changes })).toEqual({ stamp: expect.stringMatching(/^3:/) });
    const entries = await here.client.xrange(here.keyspace.changes, '-', '+');
    expect(entries.map(([id, fields]) => [id, fields.length])).toEqual([
      ['1-0', 2002],
      ['2-0', 2002],
      ['3-0', 1002],
    ]);
    expect(entries[2]?.[1].slice(-2)).toEqual(['key', '2499']);
  });

  test('go on after the newest entry where the stamp was lost', async () => {
    const changes = [{ kind: 'key', name: 'a' }];
    await applyAll({ changes });
    await here.client.del(here.keyspace.stamp);
    expect(await applyAll({ changes })).toEqual({ stamp: expect.stringMatching(/^2:/) });
  });

  test('write nothing where one of them meets a key of another type', async () => {
    const { client, keyspace } = here;
    await client.set(keyspace.keys, 'text');
    const wrong = { write: 'ZADD', key: keyspace.keys, args: [1, 'k'] };
    await expect(applyAll({ ops: [put('a', '1'), wrong] })).rejects.toThrow('WRONGTYPE');
    await client.hset(keyspace.changes, 'a', '1');
    const changes = [{ kind: 'key', name: 'a' }];
    await expect(applyAll({ ops: [put('a', '1')], changes })).rejects.toThrow('WRONGTYPE');
    expect(await client.exists(place)).toBe(0);
  });

  test('leave the records of a newer version alone, which writes its stamps in another form', async () => {
    const { client, keyspace } = here;
    await client.set(keyspace.stamp, '2/5:ab');
    const changes = [{ kind: 'key', name: 'a' }];
    await expect(applyAll({ ops: [put('a', '1')], changes })).rejects.toThrow('LAYOUT');
    await expect(applyAll({ ops: [put('a', '1')] })).rejects.toThrow('LAYOUT');
    expect(await client.exists(place, keyspace.changes)).toBe(0);
    expect(await client.get(keyspace.stamp)).toBe('2/5:ab');
  });

  test('take so many arguments, and no more', async () => {
    const op = (count: number) => ({
      write: 'SADD',
      key: here.keyspace.told('k'),
      args: Array.from({ length: count }, (_, at) => at),
    });
    await applyAll({ ops: [op(OP_ARGS_MAX)] });
    expect(await here.client.scard(here.keyspace.told('k'))).toBe(OP_ARGS_MAX);
    await expect(applyAll({ ops: [op(OP_ARGS_MAX + 1)] })).rejects.toThrow('too many');
  });
});
