import type { Path } from './problem.ts';
import { type RedisUrl, readRedisUrl } from './redis-url.ts';
import type { Review } from './review.ts';
import type { Config } from './schema.ts';
import { type RedisPlace, readStore } from './store.ts';

/** A Redis that a policy names, with the place of each URL in it. */
export type WrittenRedis = {
  readonly place: RedisPlace;
  readonly servers: readonly (RedisUrl & { readonly path: Path })[];
};

/** Reports what is wrong with a Redis as a whole; its URLs were judged one by one. */
export function checkStore(review: Review): void {
  const redis = findRedis(review.config);
  if (!redis) return;
  checkServers(review, redis);
  checkCredentials(review, redis);
  checkTls(review, redis);
}

/** Reports what is wrong with URLs that stand together. */
export function checkServers(report: Pick<Review, 'problem'>, redis: WrittenRedis): void {
  checkDatabases(report, redis);
  checkLikeness(report, redis);
}

/** The Redis of a policy; undefined where its store is another. */
export function findRedis(config: Config): WrittenRedis | undefined {
  const place = readStore(config.store);
  if (place.kind !== 'redis') return undefined;
  const { store } = config;
  const isMap = typeof store === 'object' && !Array.isArray(store);
  const base: Path = isMap ? ['store', 'urls'] : ['store'];
  const isList = Array.isArray(isMap ? store.urls : store);
  const servers = place.urls.flatMap((url, index) => {
    const read = readRedisUrl(url);
    return 'problem' in read ? [] : [{ ...read, path: isList ? [...base, index] : base }];
  });
  return { place, servers };
}

function checkDatabases(review: Pick<Review, 'problem'>, { place, servers }: WrittenRedis): void {
  for (const { db, path } of place.cluster ? servers : []) {
    if (db !== 0) review.problem(path, 'a Redis Cluster has no database but 0');
  }
}

/** One client speaks to all of them in one way. */
function checkLikeness(review: Pick<Review, 'problem'>, { place, servers }: WrittenRedis): void {
  const [first, ...others] = servers;
  for (const other of others) {
    const report = (message: string) => review.problem(other.path, message);
    if (other.isTls !== first?.isTls) report('all of these URLs are redis: or all are rediss:');
    else if (other.user !== first.user || other.password !== first.password) {
      report('all of these URLs have the same user and password');
    } else if (!place.cluster && other.db !== first.db) {
      report('all of these URLs have the same database');
    }
  }
}

function checkCredentials(review: Review, { place, servers }: WrittenRedis): void {
  const { username, password, sentinel } = place;
  const wrote = (key: string) => review.wrote(['store', key]);
  if (username !== undefined && password === undefined && !wrote('password')) {
    review.problem(['store', 'username'], 'username needs password', 'key');
  }
  const holder = servers.find((server) => server.password !== '');
  const isTwice = sentinel === undefined && (username !== undefined || password !== undefined);
  if (isTwice && holder) {
    review.problem(holder.path, 'the password stands in this URL and beside it: write it once');
  }
}

function checkTls(review: Review, { place, servers }: WrittenRedis): void {
  const { tls } = place;
  if (!tls) return;
  const path: Path = ['store', 'tls'];
  const plain = servers.find((server) => !server.isTls);
  if (plain) review.problem(plain.path, 'tls needs rediss: URLs');
  const pair = { cert: tls.cert, key: tls.key };
  for (const [one, other] of [
    ['cert', 'key'],
    ['key', 'cert'],
  ] as const) {
    if (pair[one] === undefined || pair[other] !== undefined) continue;
    if (review.wrote([...path, other])) continue;
    review.problem([...path, one], `${one} needs ${other}`, 'key');
  }
}
