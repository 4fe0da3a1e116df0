import { type RedisOptions as AllOptions, Redis } from 'ioredis';
import type { RedisSettings } from '../options.ts';
import { type Credentials, readPlace } from './address.ts';
import { readAddress } from './slots.ts';
import { tlsOptions } from './tls-files.ts';

type RedisOptions = Omit<AllOptions, 'replyMapping'>;

/** What a connection is for: checks, records, messages, or the layout of a Cluster. */
export type Purpose = 'hot' | 'aside' | 'messages' | 'layout';

/** Makes connections; each is made by `connect()`, and made again for ever after it was lost. */
export type Connections = {
  /** To an address of a Cluster; to the Redis, or the master that the sentinels name, without one. */
  readonly make: (purpose: Purpose, address?: string) => Redis;
  /** To one of the sentinels, for its messages. */
  readonly makeToSentinel: (address: string) => Redis;
  /** `host:port` as configured. */
  readonly addresses: readonly string[];
};

const CONNECT_TIMEOUT_MS = 500;
/**
 * A connection that owes an answer for so long is given up: nobody tells of a peer that is gone. A process that is held
 * up for longer gives up answers that are there, and what they charged: checks stop to wait for them much sooner.
 */
const SILENCE_MS: Readonly<Record<Purpose, number>> = {
  hot: 2500,
  aside: 5000,
  messages: 2000,
  layout: 1000,
};
const RETRY_MS = { least: 20, most: 1000 };

/**
 * Speaks RESP2, which needs no HELLO of an ACL user or a proxy. Commands are never queued for a connection, and never
 * sent again: with no retry of a request all that is unanswered fails when the connection closes.
 */
const MANNERS: RedisOptions = {
  protocol: 2,
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: 100,
  keepAlive: 10_000,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  disableClientInfo: true,
  // The probe runs a real script, which says more than INFO. Only sentinels need to hear the role.
  enableReadyCheck: false,
  retryStrategy: retryDelay,
  reconnectOnError: (cause) => cause.message.startsWith('READONLY'),
};

/** Makes the connections of settings, none of which is open yet. */
export function createConnections(settings: RedisSettings): Connections {
  const place = readPlace(settings);
  const { sentinel } = settings;
  const tls = place.isTls ? tlsOptions(settings.tls) : undefined;
  const common: RedisOptions = { ...MANNERS, ...(tls ? { tls } : {}) };
  const db = settings.cluster ? 0 : place.db;
  const base: RedisOptions = { ...common, ...credentials(place.user), db };
  const sentinels: RedisOptions = {
    ...base,
    enableReadyCheck: true,
    ...(sentinel ? { name: sentinel } : {}),
    sentinels: place.addresses.map(readAddress),
    ...sentinelCredentials(place.sentinelUser),
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    sentinelRetryStrategy: () => null,
    enableTLSForSentinelMode: place.isTls,
    ...(tls ? { sentinelTLS: tls } : {}),
  };
  const make = (purpose: Purpose, where: RedisOptions) =>
    endless({
      ...where,
      connectionName: `postern-${purpose}`,
      socketTimeout: SILENCE_MS[purpose],
    });
  return {
    addresses: place.addresses,
    make: (purpose, address = place.addresses[0] ?? '') =>
      make(purpose, sentinel ? sentinels : { ...base, ...readAddress(address) }),
    makeToSentinel: (address) =>
      make('messages', {
        ...common,
        ...credentials(place.sentinelUser),
        ...readAddress(address),
      }),
  };
}

function credentials({ username, password }: Credentials): RedisOptions {
  return { ...(username ? { username } : {}), ...(password ? { password } : {}) };
}

function sentinelCredentials({ username, password }: Credentials): RedisOptions {
  return {
    ...(username ? { sentinelUsername: username } : {}),
    ...(password ? { sentinelPassword: password } : {}),
  };
}

/** Doubles from attempt to attempt, half of it random, so that many processes do not come back at the same moment. */
export function retryDelay(attempt: number): number {
  const most = Math.min(RETRY_MS.least * 2 ** Math.min(attempt, 10), RETRY_MS.most);
  return Math.round(most / 2 + (Math.random() * most) / 2);
}

const CLOSED = new WeakSet<Redis>();

/** ioredis ends a connection for good where it cannot even begin one, as without any sentinel. */
function endless(options: RedisOptions): Redis {
  const redis = new Redis(options);
  let attempt = 0;
  redis.on('ready', () => {
    attempt = 0;
  });
  redis.on('end', () => {
    if (CLOSED.has(redis)) return;
    attempt += 1;
    setTimeout(() => {
      if (!CLOSED.has(redis)) connect(redis);
    }, retryDelay(attempt));
  });
  return redis;
}

/** Begins to connect; what fails is an event of the connection. */
export function connect(redis: Redis): void {
  redis.connect().catch(() => undefined);
}

/** Ends a connection at once, without a word to a server that may not listen. */
export function disconnect(redis: Redis): void {
  CLOSED.add(redis);
  redis.disconnect();
  redis.stream?.destroy();
}
