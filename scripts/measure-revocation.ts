/**
 * Measures how soon a revocation through one of four Posterns is refused by the other three, which share a Redis:
 * with messages, without them, and by one that is cut off from Redis.
 * Run it on a quiet machine: node scripts/measure-revocation.ts [revocations]
 */

import { type Family, startFour } from '../test/e2e/redis-four.ts';
import {
  makeKey,
  outcomeAt,
  REVOCATION_POLICY,
  remember,
  spreadOf,
  timeRevocations,
  timeUntil,
  writeSpread,
} from '../test/e2e/redis-revoking.ts';
import { startProxy } from '../test/redis-harness/proxy.ts';
import { startRedis } from '../test/redis-harness/redis.ts';
import { waitFor } from '../test/redis-harness/wait.ts';

const REVOCATIONS = Number(process.argv[2] ?? 1000);
const WITHOUT_MESSAGES = Math.ceil(REVOCATIONS / 10);
const CUTS = 5;
const LANES = 4;
/** The sibling with a way to Redis of its own. */
const APART = 3;

type Redis = Awaited<ReturnType<typeof startRedis>>;
type Way = Awaited<ReturnType<typeof startProxy>>;

function print(what: string, tookMs: readonly number[]): void {
  console.log(`${`${what}, ${tookMs.length} times`.padEnd(56)} ${writeSpread(spreadOf(tookMs))}`);
}

/** From now on nobody can listen. */
async function silence(redis: Redis): Promise<void> {
  await redis.cli('ACL', 'SETUSER', 'default', '-subscribe');
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const isSilent = async () => String(await redis.cli('PUBSUB', 'CHANNELS', '*')) === '';
  await waitFor('nobody listens', isSilent);
}

/** How long after the answer one that is cut off goes on to take the key, ms. */
async function timeCut(family: Family, way: Way): Promise<number> {
  const [through, apart] = [family.at(0), family.at(APART)];
  const { id, raw } = await makeKey(through);
  await remember([apart], raw);
  way.cut();
  try {
    await through.api.ask(`/v1/api-keys/${id}`, { method: 'DELETE' });
    return await timeUntil('unavailable', () => outcomeAt(apart, raw));
  } finally {
    await way.heal();
    await timeUntil('key_revoked', () => outcomeAt(apart, raw));
  }
}

const redis = await startRedis();
const way = await startProxy(redis.port);
const family = await startFour({
  urls: redis.url,
  urlsOf: (sibling) => (sibling === APART ? `redis://127.0.0.1:${way.port}` : undefined),
  policy: REVOCATION_POLICY,
});
try {
  print('one after the other', await timeRevocations(family, REVOCATIONS, 1));
  print(`${LANES} at the same time`, await timeRevocations(family, REVOCATIONS, LANES));
  const cuts: number[] = [];
  for (let cut = 0; cut < CUTS; cut += 1) cuts.push(await timeCut(family, way));
  print(`one cut off (max_stale ${REVOCATION_POLICY.key_cache.max_stale})`, cuts);
  await silence(redis);
  print(
    'without messages, one after the other',
    await timeRevocations(family, WITHOUT_MESSAGES, 1),
  );
} finally {
  await family.stop();
  await way.close();
  await redis.stop();
}
