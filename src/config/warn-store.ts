import { parseDuration } from '../schema/duration.ts';
import { findRedis, type WrittenRedis } from './check-store.ts';
import { isLoopbackHost } from './location.ts';
import type { Path } from './problem.ts';
import type { Review } from './review.ts';

const STALE_MS_LONG = 5 * 60_000;

/** Warns of what a store leaves open, and of settings that mean nothing for it. */
export function warnOfStore(review: Review): void {
  const redis = findRedis(review.config);
  if (!redis) {
    warnOfIdle(review);
    return;
  }
  warnOfReach(review, redis);
  warnOfLoneSeed(review, redis);
  warnOfFailure(review);
}

/** Settings of Redis beside another store. */
function warnOfIdle(review: Review): void {
  const { config, whole } = review;
  const wasCut =
    config.store === 'memory' && ![undefined, 'memory'].some((one) => one === whole['store']);
  if (wasCut) return;
  const warn = (path: Path, at: 'key' | 'value') =>
    review.warn(path, 'means nothing without a Redis store', at);
  if (review.wrote(['on_store_failure'])) warn(['on_store_failure'], 'key');
  if (review.wrote(['key_cache'])) warn(['key_cache'], 'key');
  if (config.limits.mode === 'leased') warn(['limits', 'mode'], 'value');
}

/** Who can listen, and who can speak. */
function warnOfReach(review: Review, { place, servers }: WrittenRedis): void {
  const far = servers.filter(({ host }) => !isLoopbackHost(host));
  for (const { path } of far.filter(({ isTls }) => !isTls)) {
    review.warn(
      path,
      'not a loopback address and no TLS (rediss:): whoever reads this network reads the password and the key store',
    );
  }
  const [first] = far;
  const isOpen = servers.every(({ password }) => password === '');
  const isKnown = place.password !== undefined || place.tls?.cert !== undefined;
  if (first && isOpen && !isKnown) {
    review.warn(first.path, 'no password: whoever reaches this Redis can make keys');
  }
}

/** With one name, nobody finds the others while that one is away. */
function warnOfLoneSeed(review: Review, { place, servers }: WrittenRedis): void {
  const [only, other] = servers;
  if (!only || other || (!place.cluster && place.sentinel === undefined)) return;
  const what = place.cluster ? 'a Cluster is found by' : 'the master is found by';
  review.warn(only.path, `${what} this one server alone: name several`);
}

function warnOfFailure(review: Review): void {
  const { on_store_failure: failure, key_cache: cache } = review.config;
  if (failure.limits === 'allow') {
    review.warn(['on_store_failure', 'limits'], 'no limit holds while Redis does not answer');
  }
  if (failure.limits !== 'local' && failure.replicas !== undefined) {
    review.warn(['on_store_failure', 'replicas'], 'means nothing without limits: local', 'key');
  }
  if ((parseDuration(cache.max_stale) ?? 0) > STALE_MS_LONG) {
    review.warn(
      ['key_cache', 'max_stale'],
      'so long may a revoked key work where Redis cannot be reached',
    );
  }
}
