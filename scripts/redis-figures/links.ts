import type { Keyspace } from '../../src/store/redis/keyspace.ts';
import { probeCall } from '../../src/store/redis/limits/limit-trips.ts';
import { type OpenLink, openRedisLink } from '../../src/store/redis/link/open-link.ts';
import type { RedisServer } from '../../test/redis-harness/redis.ts';
import { settingsAt } from './place.ts';

/** The namespace of a load. */
export const LOAD = 'load';

/** Opens a link as a store has it, without the polls of a store. */
export function openLink(server: Pick<RedisServer, 'url'>, keyspace: Keyspace): Promise<OpenLink> {
  return openRedisLink(settingsAt(server, LOAD), {
    probe: (number) => probeCall(keyspace, number),
    recordsKey: keyspace.stamp,
  });
}
