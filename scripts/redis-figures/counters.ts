import type { RedisServer } from '../../test/redis-harness/redis.ts';
import {
  between,
  inLanes,
  inMb,
  openAt,
  printTable,
  readServer,
  readStill,
  say,
  whole,
} from './place.ts';
import { COUNTERS, type Shape } from './shapes.ts';

/** Counters of subjects that one script takes here: the more, the sooner there are many. */
const OF_ONE_SCRIPT = 20;
const LANES = 16;

/** Fills an empty Redis with counters of each shape, by the script that takes limits, and tells what they take of its memory. */
export async function measureCounters(server: RedisServer, count: number): Promise<void> {
  const rows = [];
  for (const shape of COUNTERS) rows.push(await fill(server, shape, count));
  const head = [
    'limits of one counter',
    'counters',
    'bytes each',
    'all of them',
    'Redis resident',
    'filled in',
  ];
  printTable('Memory of counters', head, rows);
}

async function fill(server: RedisServer, shape: Shape, count: number): Promise<readonly string[]> {
  await server.cli('FLUSHALL', 'SYNC');
  const before = await readStill(server);
  const store = await openAt(server, 'counters');
  try {
    await inLanes(Math.ceil(count / OF_ONE_SCRIPT), LANES, async (turn) => {
      const first = turn * OF_ONE_SCRIPT;
      const size = Math.min(OF_ONE_SCRIPT, count - first);
      const groups = Array.from({ length: size }, (_, at) => shape.groups(first + at)).flat();
      await store.takeLimits(groups, Date.now());
    });
  } finally {
    await store.close();
  }
  const { atMs } = between(before, await readServer(server));
  const after = await readStill(server);
  const { usedBytes, keys } = between(before, after);
  const seconds = `${(atMs / 1000).toFixed(0)} s`;
  say(`${shape.name}: ${keys} counters in ${seconds}`);
  const each = whole(usedBytes / keys);
  return [shape.name, whole(keys), each, inMb(usedBytes), inMb(after.residentBytes), seconds];
}
