import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { createKeyspace, type Keyspace } from '../../../src/store/redis/keyspace.ts';
import type { Call, RedisLink } from '../../../src/store/redis/link/link.ts';

/** A connection that runs scripts and nothing else of a link, in a namespace that nobody else has. */
export type ScriptLink = {
  readonly link: RedisLink;
  readonly client: Redis;
  readonly keyspace: Keyspace;
  /** Removes what the namespace holds, and closes. */
  readonly end: () => Promise<void>;
};

export function openScriptLink(url: string): ScriptLink {
  const namespace = `test-${randomBytes(8).toString('hex')}`;
  const client = new Redis(url, { protocol: 2 });
  const run = ({ script, keys, args }: Call) =>
    client.call('EVAL', [script.text, keys.length, ...keys, ...args]);
  const link: RedisLink = {
    run,
    runAside: run,
    redisNowMs: () => undefined,
    subscribe: async () => undefined,
    isCluster: false,
    isReplicated: async () => true,
    nodes: () => [],
    close: async () => undefined,
  };
  const end = async () => {
    const names = await client.keys(`{${namespace}}:*`);
    if (names.length > 0) await client.del(names);
    client.disconnect();
  };
  return { link, client, keyspace: createKeyspace(namespace), end };
}
