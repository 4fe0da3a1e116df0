import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { findRedis, REDIS_REMEDY } from '../../scripts/lib/redis.ts';
import { pickPort, type ServerProcess, startProcess } from './server-process.ts';
import { waitFor } from './wait.ts';

export type RedisServerOptions = {
  /** A sentinel keeps no data, and knows nothing of its options. */
  readonly kind?: 'server' | 'sentinel' | undefined;
  /** A free one unless given. */
  readonly port?: number | undefined;
  /** Lines of `redis.conf`, such as `maxmemory 4mb`. */
  readonly config?: readonly string[] | undefined;
  /** Arguments after the file, such as `--maxmemory`, `4mb`. */
  readonly args?: readonly string[] | undefined;
  /** Files (PEM). Then the port speaks TLS only, and asks clients for a certificate. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string } | undefined;
  /** ACL rules, as `postern on >secret ~* +@all`. Then the default user is off. */
  readonly users?: readonly string[] | undefined;
  /** The password of the default user. */
  readonly password?: string | undefined;
  /** Where it keeps its files; one of its own, which is removed at the end, unless given. */
  readonly folder?: string | undefined;
  /** Whether a restart finds what was written before: none unless told. */
  readonly persistence?: 'none' | 'aof' | undefined;
};

/** A real Redis on the loopback address. */
export type RedisServer = {
  readonly port: number;
  /** `redis://` or `rediss://`, with the password of the default user where there is one. */
  readonly url: string;
  readonly folder: string;
  readonly pid: () => number;
  /** Whether it is neither paused nor killed. */
  readonly isRunning: () => boolean;
  /** Runs a command as a user who may do everything: `cli('SET', 'a', 1)`. Waits 5 seconds at most. */
  readonly cli: (...command: readonly (string | number)[]) => Promise<unknown>;
  /** Stops it where it stands: connections stay, new ones are accepted by the system, nothing is answered. */
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
  /** `kill -9`; `restart` brings it back. */
  readonly kill: () => Promise<void>;
  /** Kills it if it still runs, then starts it again on its port and folder, and waits until it answers. */
  readonly restart: () => Promise<void>;
  readonly log: () => string;
  /** Ends it and removes its folder. */
  readonly stop: () => Promise<void>;
};

const READY_MS = 15_000;
const ATTEMPTS_MAX = 5;

/** Starts a Redis and waits until it answers PING. Throws with its words when it does not. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const program = findRedis();
  if (!program) throw new Error(`There is no Redis: ${REDIS_REMEDY}.`);
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await pickPort());
    const server = prepareServer(program, { ...options, port });
    try {
      await server.restart();
      return server;
    } catch (cause) {
      const log = server.log();
      await server.stop();
      const isTaken = options.port === undefined && log.includes('Address already in use');
      if (!isTaken || attempt === ATTEMPTS_MAX) {
        throw new Error(`Redis did not start:\n${log}`, { cause });
      }
    }
  }
}

type Prepared = RedisServerOptions & { readonly port: number };

function prepareServer(program: string, options: Prepared): RedisServer {
  const { port, tls, password } = options;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'postern-redis-'));
  const harness = randomBytes(16).toString('hex');
  const configPath = join(folder, 'redis.conf');
  writeFileSync(configPath, configOf({ ...options, folder, harness }), { mode: 0o600 });
  const client = openClient(options, harness);
  let running: ServerProcess | undefined;
  const now = () => {
    if (!running) throw new Error('the server was never started');
    return running;
  };
  const userInfo = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return {
    port,
    url: `${tls ? 'rediss' : 'redis'}://${userInfo}127.0.0.1:${port}`,
    folder,
    pid: () => now().pid,
    isRunning: () => running?.isRunning() ?? false,
    cli: (...[command = '', ...args]) => client.call(String(command), args.map(String)),
    pause: () => now().pause(),
    resume: () => now().resume(),
    kill: () => now().kill(),
    restart: async () => {
      await running?.kill();
      const server = startProcess(program, [configPath, ...argsOf(options)]);
      running = server;
      await untilReady(server, client);
    },
    log: () => running?.log() ?? '',
    stop: async () => {
      client.disconnect();
      await running?.kill();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The name of the user that `cli` is, where a password or users are wanted. */
const HARNESS = 'harness';

function configOf(options: Prepared & { folder: string; harness: string }): string {
  const { folder, harness, kind, password, persistence, port, tls, users } = options;
  const isClosed = users !== undefined || password !== undefined;
  const lines = [
    'bind 127.0.0.1',
    `dir ${folder}`,
    tls ? 'port 0' : `port ${port}`,
    ...(tls ? [`tls-port ${port}`, `tls-ca-cert-file ${tls.ca}`] : []),
    ...(tls ? [`tls-cert-file ${tls.cert}`, `tls-key-file ${tls.key}`] : []),
    ...(kind === 'sentinel' ? [] : ['save ""', 'appendfsync always', 'repl-diskless-sync-delay 0']),
    ...(persistence === 'aof' ? ['appendonly yes'] : []),
    ...(isClosed ? [`user ${HARNESS} on >${harness} ~* &* +@all`] : []),
    ...(users ? ['user default off'] : []),
    ...(users ?? []).map((user) => `user ${user}`),
    ...(password === undefined ? [] : [`requirepass ${password}`]),
    ...(options.config ?? []),
  ];
  return `${lines.join('\n')}\n`;
}

function argsOf({ args = [], kind }: Prepared): readonly string[] {
  return kind === 'sentinel' ? ['--sentinel', ...args] : args;
}

/** Waits for its servers to come back, so that a test need not. */
function openClient({ password, port, tls, users }: Prepared, harness: string): Redis {
  const isClosed = users !== undefined || password !== undefined;
  const options = {
    ...(isClosed ? { username: HARNESS, password: harness } : {}),
    ...(tls ? { tls: readTls(tls) } : {}),
    host: '127.0.0.1',
    port,
    protocol: 2 as const,
    lazyConnect: true,
    commandTimeout: 5000,
    maxRetriesPerRequest: null,
    retryStrategy: () => 10,
  } satisfies RedisOptions;
  const client = new Redis(options);
  client.on('error', () => undefined);
  return client;
}

function readTls({ ca, cert, key }: NonNullable<Prepared['tls']>) {
  const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
  return { ...files, checkServerIdentity: () => undefined };
}

/** Another server may hold the port: only the one with this process' number counts. */
async function untilReady(server: ServerProcess, client: Redis): Promise<void> {
  const ended = server.ended.then(() => Promise.reject(new Error('the server ended')));
  const isAnswering = async () => {
    const info = await Promise.race([client.info('server').catch(() => ''), ended]);
    return info.includes(`process_id:${server.pid}\r`);
  };
  await waitFor('the server answers', isAnswering, READY_MS);
}
