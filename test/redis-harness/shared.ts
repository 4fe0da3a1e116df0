import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, inject } from 'vitest';
import { untilOk } from './cluster-changes.ts';

/** The server that all suites share; empty when there is none. Each store opens it with a `newNamespace()`. */
export const redisUrl = inject('redisUrl');

/** The nodes of the Cluster that all suites share; call `sharedClusterIsUp` before the first use. */
export const redisClusterUrls = inject('redisClusterUrls');

/** `describe` for tests that need the shared server. */
export const describeRedis = describe.skipIf(redisUrl === '');

/** `describe` for tests that need the shared Cluster. */
export const describeCluster = describe.skipIf(redisClusterUrls.length === 0);

/** `describe` for tests that start servers of their own. */
export const describeRedisServer = describe.skipIf(!inject('hasRedisServer'));

/** A namespace that nobody else has, in which a store is empty. */
export function newNamespace(): string {
  return `test-${randomBytes(8).toString('hex')}`;
}

/** Waits until the shared Cluster, which is started beside the tests, serves all slots. */
export async function sharedClusterIsUp(): Promise<void> {
  const clients = redisClusterUrls.map((url) => new Redis(url, { protocol: 2 }));
  const nodes = clients.map((client) => ({
    cli: (...[command = '', ...args]: readonly (string | number)[]) =>
      client.call(String(command), args.map(String)),
  }));
  try {
    await untilOk(() => nodes);
  } finally {
    for (const client of clients) client.disconnect();
  }
}
