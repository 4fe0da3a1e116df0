import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { apply } from '../../../src/store/redis/records/apply.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('a commit by a user who may not run all of it', () => {
  let admin: ScriptLink;
  let weak: ScriptLink;
  const user = `weak-${randomBytes(8).toString('hex')}`;

  beforeEach(() => {
    admin = openScriptLink(redisUrl);
  });
  afterEach(async () => {
    await weak.end();
    await admin.client.call('ACL', 'DELUSER', user);
    await admin.end();
  });

  test.each(['-zadd', '-zrem', '-xadd', '-set', '-publish', 'resetchannels'])(
    'writes none of it: %s',
    async (rule) => {
      const rules = ['on', '>secret', '~*', '&*', '+@all', rule];
      await admin.client.call('ACL', 'SETUSER', user, 'reset', ...rules);
      const url = new URL(redisUrl);
      weak = openScriptLink(`redis://${user}:secret@${url.host}`);
      const { link, keyspace } = weak;
      const ops = [
        { write: 'HSET', key: keyspace.settings, args: ['a', 'b'] },
        { write: 'ZADD', key: keyspace.keysSeen, args: [1, 'k'] },
        { write: 'ZREM', key: keyspace.usageOldest, args: ['k'] },
      ];
      const changes = [{ kind: 'key', name: 'k' }];
      await expect(apply(link, keyspace, { conditions: [], ops, changes })).rejects.toThrow(
        'NOPERM the user of the store may not run all that a commit needs',
      );
      expect(await admin.client.keys(`${keyspace.settings.split(':')[0]}:*`)).toEqual([]);
    },
  );
});
