import { randomBytes } from 'node:crypto';
import { type RedisServer, startRedis } from './redis.ts';
import { waitFor } from './wait.ts';

export type SentinelSize = {
  /** 1 unless given. */
  readonly replicas?: number | undefined;
  /** 3 unless given. */
  readonly sentinels?: number | undefined;
  /** How long a server may be silent before it is replaced, ms; 1000 unless given. */
  readonly downAfterMs?: number | undefined;
};

/** A real Redis whose replicas are put in its place by sentinels. */
export type SentinelGroup = {
  readonly name: string;
  /** Of the sentinels. */
  readonly urls: readonly string[];
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** The master, as the first sentinel that runs sees it. */
  readonly master: () => Promise<RedisServer>;
  /** A replica takes over from a master that runs; resolves with the new master when every sentinel knows it. */
  readonly failOver: () => Promise<RedisServer>;
  /** Waits until all sentinels know each other, and all replicas follow: ten seconds after a failover, as Sentinel does. */
  readonly untilOk: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

const NAME = 'postern-master';
const MANNERS = ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1'];

/** Starts a master, its replicas and the sentinels, and waits until a failover would succeed. */
export async function startSentinel({
  replicas = 1,
  sentinels = 3,
  downAfterMs = 1000,
}: SentinelSize = {}): Promise<SentinelGroup> {
  const master = await startRedis({ config: MANNERS });
  const config = [...MANNERS, `replicaof 127.0.0.1 ${master.port}`];
  const followers = await Promise.all(
    Array.from({ length: replicas }, () => startRedis({ config })),
  );
  const servers = [master, ...followers];
  const watchers = await Promise.all(
    Array.from({ length: sentinels }, () =>
      startRedis({ kind: 'sentinel', config: watch({ servers, sentinels, downAfterMs }) }),
    ),
  );
  const group = groupOf(servers, watchers);
  await group.untilOk();
  return group;
}

type Watch = {
  readonly servers: readonly RedisServer[];
  readonly sentinels: number;
  readonly downAfterMs: number;
};

/** Replicas are named, because the sentinels would ask for them every ten seconds only. */
function watch({ downAfterMs, sentinels, servers }: Watch): readonly string[] {
  const [master, ...replicas] = servers.map(({ port }) => port);
  const quorum = Math.floor(sentinels / 2) + 1;
  return [
    `sentinel myid ${randomBytes(20).toString('hex')}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${master} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} ${downAfterMs}`,
    ...replicas.map((port) => `sentinel known-replica ${NAME} 127.0.0.1 ${port}`),
  ];
}

function groupOf(
  servers: readonly RedisServer[],
  sentinels: readonly RedisServer[],
): SentinelGroup {
  const running = () => sentinels.filter((sentinel) => sentinel.isRunning());
  const master = async () => {
    const [asked] = running();
    if (!asked) throw new Error('no sentinel runs');
    const port = await masterPort(asked);
    const found = servers.find((server) => server.port === port);
    if (!found) throw new Error(`the sentinels name a stranger: port ${port}`);
    return found;
  };
  return {
    name: NAME,
    urls: sentinels.map((sentinel) => sentinel.url),
    servers,
    sentinels,
    master,
    failOver: async () => {
      const [asked] = running();
      const old = await master();
      await asked?.cli('SENTINEL', 'FAILOVER', NAME);
      await waitFor('every sentinel names the new master', async () => {
        const ports = await Promise.all(running().map(masterPort));
        return new Set(ports).size === 1 && ports[0] !== old.port;
      });
      return master();
    },
    untilOk: () =>
      waitFor('the sentinels are ok', async () => {
        const { port } = await master();
        const seen = running().map((sentinel) => isWatching(sentinel, sentinels.length, port));
        const followers = servers.filter((server) => server.isRunning() && server.port !== port);
        const followed = followers.map((server) => isFollowing(server, port));
        return !(await Promise.all([...seen, ...followed])).includes(false);
      }),
    stop: async () => {
      await Promise.all([...sentinels, ...servers].map((server) => server.stop()));
    },
  };
}

async function masterPort(sentinel: RedisServer): Promise<number> {
  const reply = await sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
  return Array.isArray(reply) ? Number(reply[1]) : 0;
}

async function isWatching(sentinel: RedisServer, sentinels: number, port: number) {
  const master = fieldsOf(await sentinel.cli('SENTINEL', 'MASTER', NAME));
  return (
    master.get('port') === String(port) &&
    master.get('flags') === 'master' &&
    master.get('num-other-sentinels') === String(sentinels - 1)
  );
}

async function isFollowing(server: RedisServer, port: number): Promise<boolean> {
  const info = String(await server.cli('INFO', 'replication'));
  return info.includes(`master_port:${port}\r`) && info.includes('master_link_status:up');
}

function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  const texts = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(
    texts.flatMap((name, at): [string, string][] =>
      at % 2 === 0 ? [[name, texts[at + 1] ?? '']] : [],
    ),
  );
}
