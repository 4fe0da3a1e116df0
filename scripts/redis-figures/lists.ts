import type { Store } from '../../src/store/store.ts';
import type { RedisServer } from '../../test/redis-harness/redis.ts';
import { DAY_MS, FILTERS, NOW } from '../lib/measured-keys.ts';
import { inMs, partOf, printTable, say, timed, whole } from './place.ts';

const PAGE = 200;
const PAGES = 100;

/** Pages of each filter, one after the other, and the longest that one script held up all others. */
export async function measureLists(server: RedisServer, store: Store): Promise<void> {
  const rows: (readonly string[])[] = [];
  for (const filter of FILTERS) {
    let after: string | undefined;
    let [keys, pages, isOver] = [0, 0, false];
    const { result: tooksMs, longestUs } = await slowestOf(server, () =>
      timed(PAGES, async () => {
        const page = await store.listKeys({ ...filter, nowMs: NOW }, { limit: PAGE, after });
        if (!isOver) [keys, pages] = [keys + page.items.length, pages + 1];
        after = page.next;
        isOver ||= after === undefined;
      }),
    );
    const met = isOver ? whole(keys) : `${whole(keys)} of more`;
    rows.push([
      `\`${JSON.stringify(withAges(filter))}\``,
      met,
      inMs(partOf(tooksMs, 0.5)),
      inMs(partOf(tooksMs, 0.99)),
      inMs(longestUs / 1000),
    ]);
    say(`${JSON.stringify(filter)}: ${inMs(partOf(tooksMs, 0.5))}, ${pages} pages`);
  }
  const head = ['filter', 'keys met', 'median', 'p99', 'longest script'];
  printTable(
    `Pages of ${PAGE} keys, up to ${PAGES} of each filter one after the other`,
    head,
    rows,
  );
}

/** Filters with days in place of moments. */
function withAges({ unusedSinceMs, ...filter }: (typeof FILTERS)[number]): object {
  if (unusedSinceMs === undefined) return filter;
  return { ...filter, unused_days: (NOW - unusedSinceMs) / DAY_MS };
}

async function slowestOf<T>(
  server: RedisServer,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly longestUs: number }> {
  await server.cli('CONFIG', 'SET', 'slowlog-log-slower-than', 300);
  await server.cli('CONFIG', 'SET', 'slowlog-max-len', 10_000);
  await server.cli('SLOWLOG', 'RESET');
  const result = await work();
  const entries = (await server.cli('SLOWLOG', 'GET', 10_000)) as readonly (readonly [
    number,
    number,
    number,
  ])[];
  return { result, longestUs: Math.max(0, ...entries.map(([, , us]) => us)) };
}
