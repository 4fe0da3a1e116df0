import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import type { StreamConnection } from './redis-carrier.ts';

/** Where the Redis of a stream is; URLs may hold passwords and are never logged. */
export type StreamPlace = {
  /** One URL; several of a Cluster; those of the sentinels where `sentinel` is set. */
  readonly urls: readonly string[];
  readonly cluster: boolean;
  readonly sentinel?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Files, PEM. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
        readonly serverName?: string | undefined;
      }
    | undefined;
};

const CONNECT_MS = 2000;
const RETRY_MS_MAX = 2000;

/** Opens a connection that is made anew for ever. Loads the client, which only those who use Redis need. */
export async function openStreamConnection(
  place: StreamPlace,
  onFailure: (cause: unknown) => void,
): Promise<StreamConnection> {
  const { Cluster, Redis } = await import('ioredis');
  const nodes = place.urls.map(readUrl);
  const [first] = nodes;
  if (!first) throw new Error('an audit stream needs the URL of a Redis');
  const options = optionsOf(place, first);
  if (place.cluster) {
    const { db: _, ...redisOptions } = options;
    const startup = nodes.map(({ host, port }) => ({ host, port }));
    const cluster = new Cluster(startup, {
      redisOptions,
      clusterRetryStrategy: retryMs,
      enableOfflineQueue: false,
    });
    cluster.on('error', onFailure);
    return cluster;
  }
  const redis = new Redis(
    place.sentinel === undefined
      ? { ...options, ...addressOf(first) }
      : {
          ...options,
          name: place.sentinel,
          sentinels: nodes.map(addressOf),
          ...(first.username ? { sentinelUsername: first.username } : {}),
          ...(first.password ? { sentinelPassword: first.password } : {}),
          sentinelRetryStrategy: retryMs,
          enableTLSForSentinelMode: first.isTls,
          ...(options.tls ? { sentinelTLS: options.tls } : {}),
        },
  );
  redis.on('error', onFailure);
  return redis;
}

type Node = ReturnType<typeof readUrl>;

/** Nothing is queued for a connection that is not there: what waits, waits in the spool. */
function optionsOf(place: StreamPlace, first: Node) {
  const isBeside = place.username !== undefined || place.password !== undefined;
  const inUrl = place.sentinel === undefined ? first : undefined;
  const username = isBeside ? place.username : inUrl?.username;
  const password = isBeside ? place.password : inUrl?.password;
  return {
    protocol: 2,
    connectionName: 'postern-audit',
    connectTimeout: CONNECT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: retryMs,
    db: place.cluster ? 0 : first.db,
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(first.isTls ? { tls: tlsOf(place.tls) } : {}),
  } satisfies Omit<RedisOptions, 'replyMapping'>;
}

function retryMs(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), RETRY_MS_MAX);
}

function addressOf({ host, port }: Node) {
  return { host, port };
}

function tlsOf(files: StreamPlace['tls']): ConnectionOptions {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const { ca, cert, key, serverName } = files ?? {};
  const found = { ca: read(ca), cert: read(cert), key: read(key), servername: serverName };
  const given = Object.entries(found).filter(([, value]) => value !== undefined);
  return { minVersion: 'TLSv1.2', ...Object.fromEntries(given) };
}

/** The text of a URL is in no error: it may hold a password. */
function readUrl(text: string) {
  const url = URL.parse(text);
  if (!url?.hostname) throw new Error('a Redis URL is written redis://host:port');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port) || 6379,
    isTls: url.protocol === 'rediss:',
    db: Number(url.pathname.slice(1)) || 0,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
