import { setTimeout as delay } from 'node:timers/promises';
import type { Store, Trip } from '../../src/store/store.ts';
import type { RedisServer } from '../../test/redis-harness/redis.ts';
import { keyAt } from '../lib/measured-keys.ts';
import { openAt, printTable, type Reading, say, watched, whole } from './place.ts';

const NAMESPACE = 'posterns';
const COUNTS = [1, 20];
const QUIET_SECONDS = 8;
/** So seldom that each is followed by itself. */
const CHANGE_EVERY_MS = 100;
const CHANGES = 80;

type Seen = { readonly quiet: Reading; readonly changing: Reading; readonly polls: number };

/** What each Postern costs Redis that nobody asks, and what each change costs for every one that follows it. */
export async function measurePosterns(server: RedisServer): Promise<void> {
  const [few, many] = COUNTS as [number, number];
  const one = await follow(server, few);
  const all = await follow(server, many);
  const each = (of: (seen: Seen) => number) => (of(all) - of(one)) / (many - few);
  const idleUs = each(({ quiet }) => (quiet.cpuUs / quiet.atMs) * 1000);
  const idle = (field: 'scripts' | 'inBytes' | 'outBytes') =>
    each(({ quiet }) => (quiet[field] / quiet.atMs) * 1000);
  printTable(
    'What a Postern costs that nobody asks',
    ['what', 'figure'],
    [
      ['commands a second', idle('scripts').toFixed(1)],
      ['of a core', `${whole(idleUs)} µs a second`],
      [
        'bytes a second, to and from Redis',
        `${whole(idle('inBytes'))}, ${whole(idle('outBytes'))}`,
      ],
      [
        `polls for a change, of which one comes every ${CHANGE_EVERY_MS} ms`,
        each(({ polls }) => polls / CHANGES).toFixed(2),
      ],
      ['and of a core', `${whole(each(({ changing }) => changing.cpuUs / CHANGES))} µs`],
    ],
  );
}

async function follow(server: RedisServer, count: number): Promise<Seen> {
  await server.cli('FLUSHALL', 'SYNC');
  let polls = 0;
  const onTrip = ({ operation }: Trip) => {
    if (operation === 'poll') polls += 1;
  };
  const stores = await Promise.all(
    Array.from({ length: count }, () => openAt(server, NAMESPACE, { onTrip })),
  );
  try {
    await change(stores[0], 0);
    await delay(1000);
    polls = 0;
    const quiet = await watched(server, () => delay(QUIET_SECONDS * 1000));
    polls = 0;
    const changing = await watched(server, async () => {
      for (let at = 1; at <= CHANGES; at += 1) {
        await change(stores[0], at);
        await delay(CHANGE_EVERY_MS);
      }
    });
    say(`${count} Posterns: ${polls} polls in ${CHANGES} changes`);
    return { quiet, changing, polls };
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
}

async function change(store: Store | undefined, at: number): Promise<void> {
  const put = keyAt(at, CHANGES);
  await store?.commit({ writes: [{ kind: 'key', put, expected: 0 }], events: [] });
}
