import { isIPv6 } from 'node:net';

/** What the URL of a Redis server says. `user` and `password` are as written, which may be escaped. */
export type RedisUrl = {
  readonly isTls: boolean;
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** The number of the database; 0 where none is named. */
  readonly db: number;
};

const EXPECTED = 'expected redis://host:port or rediss://host:port';
const ESCAPES = 'percent-encode what a user or password holds of "%", "/", "?", "#", "@" and ":"';
const NODE = /^rediss?:\/\/(?:[^/?#@\\\s]*@)?(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(?:\/\d*)?$/;

/**
 * Reads `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS. A problem never quotes the URL, because
 * it may hold a password.
 */
export function readRedisUrl(text: string): RedisUrl | { readonly problem: string } {
  if (!/^rediss?:\/\/[^/]/.test(text)) return { problem: EXPECTED };
  const url = NODE.test(text) ? URL.parse(text) : null;
  const host = url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
  const isHost = host !== '' && (!host.includes(':') || isIPv6(host));
  if (!url || !isHost || url.port === '0') return { problem: problemOf(text) };
  if (!isDecodable(url.username) || !isDecodable(url.password)) return { problem: ESCAPES };
  if (url.username !== '' && url.password === '') {
    return { problem: 'a user without a password: write user:password@host or :password@host' };
  }
  return {
    isTls: url.protocol === 'rediss:',
    host,
    user: url.username,
    password: url.password,
    db: Number(url.pathname.slice(1)),
  };
}

/** What is wrong with the URL of a Redis server. */
export function judgeRedis(text: string): string | undefined {
  const read = readRedisUrl(text);
  return 'problem' in read ? read.problem : undefined;
}

function problemOf(text: string): string {
  if (text.includes('@')) return `${EXPECTED}; ${ESCAPES}`;
  if (/[?#]/.test(text)) return 'a Redis URL has no query and no fragment';
  const path = /^rediss?:\/\/[^/]*\/(.*)$/.exec(text)?.[1];
  return path === undefined || /^\d*$/.test(path)
    ? EXPECTED
    : 'after the host stands nothing but the number of a database, as in redis://host/1';
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
