import { createKeyspace, type Keyspace } from '../../../src/store/redis/keyspace.ts';
import { probeCall } from '../../../src/store/redis/limits/limit-trips.ts';
import { createRedisLimits, type RedisLimits } from '../../../src/store/redis/limits/limits.ts';
import type { RedisLink } from '../../../src/store/redis/link/link.ts';
import { type LinkOptions, openRedisLink } from '../../../src/store/redis/link/open-link.ts';
import type { RedisSettings } from '../../../src/store/redis/options.ts';

/** The link of a store and the limits on it, as the store puts them together. */
export type Parts = {
  readonly link: RedisLink;
  readonly limits: RedisLimits;
  readonly keyspace: Keyspace;
  /** What was heard of failures. */
  readonly failures: readonly string[];
};

export async function openParts(
  settings: RedisSettings,
  options: Partial<LinkOptions> = {},
): Promise<Parts> {
  const keyspace = createKeyspace(settings.namespace);
  const failures: string[] = [];
  const link = await openRedisLink(settings, {
    probe: (number) => probeCall(keyspace, number),
    recordsKey: keyspace.stamp,
    onFailure: (cause) => failures.push(textOf(cause)),
    ...options,
  });
  return { link, limits: createRedisLimits(link, keyspace), keyspace, failures };
}

/** All that a log might show of a failure. */
export function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return `${cause.stack} ${JSON.stringify(cause)} ${cause.cause ? textOf(cause.cause) : ''}`;
}
