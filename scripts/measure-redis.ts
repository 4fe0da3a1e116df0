/**
 * Measures a Redis that it starts: memory of keys and counters, what a check, a change and a Postern cost, lists.
 * Run it alone on a quiet machine: node scripts/measure-redis.ts [keys] [counters] > figures.md
 * 100,000 keys and a million counters unless told: some minutes. Redis has the first core, what asks it the second.
 */
import { startRedis } from '../test/redis-harness/redis.ts';
import { pin } from './bench/run.ts';
import { measureChecks, measureFull } from './redis-figures/checks.ts';
import { measureCommits } from './redis-figures/commits.ts';
import { measureCounters } from './redis-figures/counters.ts';
import { measureLists } from './redis-figures/lists.ts';
import { openAt, say } from './redis-figures/place.ts';
import { measurePosterns } from './redis-figures/posterns.ts';
import { measureRecords, RECORDS } from './redis-figures/records.ts';

const [keys = 100_000, counters = 1_000_000] = process.argv.slice(2).map(Number);
const [REDIS_CORE, OWN_CORE] = [0, 1];

const startedMs = performance.now();
const redis = await startRedis({ config: ['save ""'] });
pin(REDIS_CORE, redis.pid());
pin(OWN_CORE, process.pid);
try {
  const version = /^(?:redis|valkey)_version:(.+)$/m.exec(
    String(await redis.cli('INFO', 'server')),
  )?.[1];
  console.log(`# Redis ${version?.trim()}, ${keys} keys, ${counters} counters`);
  await measureChecks(redis);
  await measureFull(redis);
  await measurePosterns(redis);
  await measureCounters(redis, counters);
  const store = await openAt(redis, RECORDS);
  try {
    await measureRecords(redis, store, keys);
    await measureLists(redis, store);
    await measureCommits(redis, store);
  } finally {
    await store.close();
  }
} finally {
  await redis.stop();
}
say(`measured in ${Math.round((performance.now() - startedMs) / 1000)} s`);
