import type { RedisSettings, RedisStoreOptions } from '../../../src/store/redis/options.ts';
import { newNamespace } from '../../redis-harness/shared.ts';

/** An empty store on these servers. */
export function settingsOf(
  urls: readonly string[],
  more: Partial<RedisSettings> = {},
): RedisSettings {
  return { urls, cluster: false, namespace: newNamespace(), ...more };
}

/** Limits by the times that tests give, and the rest as policies have it by themselves. */
export function storeOptions(more: Partial<RedisStoreOptions> = {}): RedisStoreOptions {
  return {
    maxSubjects: 1000,
    maxStaleMs: 30_000,
    // A limit that is not had from Redis must fail the test.
    onStoreFailure: { limits: 'deny' },
    mode: 'exact',
    clock: 'caller',
    // A thousand at once on a busy machine take longer than a check may.
    limitsWithinMs: 5000,
    ...more,
  };
}
