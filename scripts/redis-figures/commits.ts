import type { Store } from '../../src/store/store.ts';
import type { RedisServer } from '../../test/redis-harness/redis.ts';
import { keyAt } from '../lib/measured-keys.ts';
import { inLanes, inMs, partOf, printTable, timed, watched, whole } from './place.ts';
import { CHANGES, commit, eventAt } from './records.ts';

const COMMITS = 500;
const AT_ONCE = 32;
const MANY = 2000;

/** Changes as the API makes them: one key and one event each, one after the other and several at once. */
export async function measureCommits(server: RedisServer, store: Store): Promise<void> {
  let number = 0;
  const make = async () => {
    number += 1;
    const key = keyAt(1_000_000_000 + number, 1_000_000_000);
    await commit(store, [key], [eventAt(key.id, number)]);
  };
  let tooksMs: readonly number[] = [];
  const one = await watched(server, async () => {
    tooksMs = await timed(COMMITS, make);
  });
  const many = await watched(server, () => inLanes(MANY, AT_ONCE, make));
  const entries = Number(await server.cli('XLEN', CHANGES));
  const bytes = Number(await server.cli('MEMORY', 'USAGE', CHANGES, 'SAMPLES', 0));
  printTable(
    'A change: one key and its event',
    ['what', 'figure'],
    [
      [
        'one after the other',
        `median ${inMs(partOf(tooksMs, 0.5))}, p99 ${inMs(partOf(tooksMs, 0.99))}`,
      ],
      [`${AT_ONCE} at once`, `${whole((MANY * 1000) / many.atMs)} a second`],
      [
        'of Redis: commands, time of its core',
        `${(one.scripts / COMMITS).toFixed(1)}, ${whole(many.cpuUs / MANY)} µs`,
      ],
      ['bytes to and from Redis', `${whole(many.inBytes / MANY)}, ${whole(many.outBytes / MANY)}`],
      [
        'an entry of the stream of changes, of which 20,000 are kept',
        `${whole(bytes / entries)} bytes`,
      ],
    ],
  );
}
