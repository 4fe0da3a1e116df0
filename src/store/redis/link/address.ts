import type { RedisSettings } from '../options.ts';

/** What the URLs of a store say, and the settings beside them. */
export type Place = {
  /** `host:port` each. */
  readonly addresses: readonly string[];
  readonly db: number;
  readonly isTls: boolean;
  readonly user: Credentials;
  /** Those of the sentinels, which the URLs lead to where there are any. */
  readonly sentinelUser: Credentials;
};

export type Credentials = {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
};

/** Reads the URLs of a store. What is said beside them goes before what stands in the first of them. */
export function readPlace(settings: RedisSettings): Place {
  const urls = settings.urls.map(readUrl);
  const first = urls[0];
  if (!first) throw new Error('a Redis store needs a URL');
  const inUrl: Credentials = { username: first.username, password: first.password };
  const isBeside = settings.password !== undefined || settings.username !== undefined;
  return {
    addresses: urls.map(({ address }) => address),
    db: first.db,
    isTls: first.isTls,
    user: isBeside ? { username: settings.username, password: settings.password } : inUrl,
    sentinelUser: inUrl,
  };
}

/** The text of a URL is in no error: it may hold a password. */
function readUrl(text: string) {
  const url = URL.parse(text);
  const isTls = url?.protocol === 'rediss:';
  if (!url?.hostname || !(isTls || url.protocol === 'redis:')) {
    throw new Error('a Redis URL is written redis://host:port or rediss://host:port');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    address: `${host}:${url.port || 6379}`,
    isTls,
    db: Number(url.pathname.slice(1)) || 0,
    username: url.username ? decodeURIComponent(url.username) : undefined,
    password: url.password ? decodeURIComponent(url.password) : undefined,
  };
}
