import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyspace } from '../../src/store/redis/keyspace.ts';
import { createRedisLimits } from '../../src/store/redis/limits/limits.ts';
import { type RedisServer, startRedis } from '../../test/redis-harness/redis.ts';
import { waitFor } from '../../test/redis-harness/wait.ts';
import { pin } from '../bench/run.ts';
import { LOAD, openLink } from './links.ts';
import {
  between,
  inLanes,
  printTable,
  type Reading,
  readServer,
  say,
  watched,
  whole,
} from './place.ts';
import { CHECKS } from './shapes.ts';

const COUNTED = 20_000;
const LANES = 64;
const WITHIN_MS = 5000;
const LOADS = 3;
const LOAD_SECONDS = 5;
/** The plan with a burst, and the same with two more limits. */
const LOADED = [1, 2];
const LOAD_CORE = 1;

/** What a check costs Redis: commands, microseconds, and bytes on the wire. */
export async function measureChecks(server: RedisServer): Promise<void> {
  const keyspace = createKeyspace(LOAD);
  const link = await openLink(server, keyspace);
  const limits = createRedisLimits(link, keyspace, { withinMs: WITHIN_MS });
  const rows = [];
  for (const { name, groups } of CHECKS) {
    const take = (at: number) => limits.takeLimits(groups(at), Date.now());
    await inLanes(LANES, LANES, take);
    const { scripts, scriptUs, cpuUs, inBytes, outBytes } = await watched(server, () =>
      inLanes(COUNTED, LANES, take),
    );
    rows.push([
      name,
      (scripts / COUNTED).toFixed(3),
      (scriptUs / scripts).toFixed(1),
      (cpuUs / COUNTED).toFixed(1),
      whole(inBytes / COUNTED),
      whole(outBytes / COUNTED),
    ]);
  }
  await link.close();
  const head = [
    'limits of a check',
    'commands',
    'µs in the script',
    'µs of the core',
    'bytes to Redis',
    'bytes from Redis',
  ];
  printTable('What a check costs Redis', head, rows);
}

/** How many checks a second one Redis carries on its core, as it is, with an append-only file, and with a replica too. */
export async function measureFull(server: RedisServer): Promise<void> {
  const rows: (readonly string[])[] = [];
  const measure = async (kind: string) => {
    for (const at of LOADED)
      rows.push([CHECKS[at]?.name ?? '', kind, ...(await loaded(server, at))]);
  };
  await measure('nothing is written');
  await server.cli('CONFIG', 'SET', 'appendfsync', 'everysec');
  await server.cli('CONFIG', 'SET', 'appendonly', 'yes');
  await waitFor('the first file is written', async () =>
    String(await server.cli('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'),
  );
  await measure('`appendfsync everysec`');
  const replica = await startRedis({ config: [`replicaof 127.0.0.1 ${server.port}`] });
  try {
    pin(LOAD_CORE, replica.pid());
    await waitFor('the replica follows', async () =>
      String(await server.cli('INFO', 'replication')).includes('state=online'),
    );
    await measure('and a replica');
  } finally {
    await replica.stop();
    await server.cli('CONFIG', 'SET', 'appendonly', 'no');
  }
  const head = [
    'limits of a check',
    'Redis',
    'checks/s',
    'of the core',
    'µs of the core',
    'a whole core',
    'bytes from Redis',
  ];
  printTable('How many checks one Redis carries', head, rows);
}

async function loaded(server: RedisServer, shape: number): Promise<readonly string[]> {
  const children = Array.from({ length: LOADS }, () => startLoad(server, shape));
  try {
    await Promise.all(children.map(untilWarm));
    const before = await readServer(server);
    await delay(LOAD_SECONDS * 1000);
    const seen = between(before, await readServer(server));
    say(`${CHECKS[shape]?.name}: ${whole(perSecond(seen))} checks/s`);
    const perCheck = seen.cpuUs / seen.scripts;
    return [
      whole(perSecond(seen)),
      `${Math.round(seen.cpuUs / seen.atMs / 10)} %`,
      perCheck.toFixed(1),
      whole(1e6 / perCheck),
      whole(seen.outBytes / seen.scripts),
    ];
  } finally {
    await Promise.all(children.map(endLoad));
  }
}

function startLoad({ url }: RedisServer, shape: number): ChildProcess {
  const child = fork(join(import.meta.dirname, 'load.ts'), [url, String(shape)]);
  pin(LOAD_CORE, child.pid);
  return child;
}

async function untilWarm(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('a load ended early')));
  await Promise.race([once(child, 'message'), ended]);
}

async function endLoad(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.send('end', () => undefined);
  await ended;
}

function perSecond({ scripts, atMs }: Reading): number {
  return (scripts / atMs) * 1000;
}
