/**
 * Takes limits by one link, so many at a time, of subjects at random: load.ts URL SHAPE. Tells its parent when it is
 * warm, and goes on until it is told to end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyspace } from '../../src/store/redis/keyspace.ts';
import { createRedisLimits } from '../../src/store/redis/limits/limits.ts';
import { RedisDown } from '../../src/store/redis/link/link.ts';
import { LOAD, openLink } from './links.ts';
import { CHECKS } from './shapes.ts';

const [url = '', shapeAt = '0'] = process.argv.slice(2);
const AT_ONCE = 64;
const SUBJECTS = 20_000;
const WARM_MS = 1500;
const WITHIN_MS = 5000;
/** A full Redis may be late for a moment, and is not asked then. */
const AGAIN_MS = 50;

const keyspace = createKeyspace(LOAD);
const link = await openLink({ url }, keyspace);
const limits = createRedisLimits(link, keyspace, { withinMs: WITHIN_MS });
const shape = CHECKS[Number(shapeAt)];
if (!shape) throw new Error(`there is no shape ${shapeAt}`);
const requests = Array.from({ length: SUBJECTS }, (_, at) => shape.groups(at));

let isOver = false;
async function run(): Promise<void> {
  while (!isOver) {
    const groups = requests[Math.floor(Math.random() * SUBJECTS)] ?? [];
    await limits.takeLimits(groups, Date.now()).catch(async (cause: unknown) => {
      if (!(cause instanceof RedisDown)) throw cause;
      await delay(AGAIN_MS);
    });
  }
}
process.once('message', () => {
  isOver = true;
});
const running = Promise.all(Array.from({ length: AT_ONCE }, run));
await delay(WARM_MS);
process.send?.('warm');
await running;
await link.close();
process.disconnect();
