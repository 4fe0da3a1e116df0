import type { RedisServer } from '../redis-harness/redis.ts';
import type { Shot } from './fault-load.ts';
import { createCounterNames, FAR_LIMIT, HOT_LIMIT } from './fault-policy.ts';

/** Who decided about the limits of a request: told by its headers. */
export type Decider = 'redis' | 'process' | 'nobody' | 'refused';

/** What stands in Redis of requests whose counters nobody else has. */
export type Ledger = {
  /** Requests charged more than once. Whatever happens, there is none. */
  readonly twice: number;
  /** Requests that Redis admitted, as their headers say, and holds no charge of. */
  readonly lost: number;
  /** Requests charged in Redis, though they were decided without it or refused. */
  readonly left: number;
  /** Requests that were followed. */
  readonly followed: number;
};

/** A window's count in the text of a counter: slot, start and count of each window. */
const COUNT_AT = 2;
const KEYS_AT_ONCE = 500;

/**
 * Who decided about the limits of a request that has a counter of its own. The first request of a counter leaves all
 * but one of the limit in Redis, and all but one of its share in a process.
 */
export function deciderOf({ outcome, remaining }: Shot): Decider {
  if (outcome !== 'allow') return 'refused';
  if (remaining === undefined) return 'nobody';
  return remaining === FAR_LIMIT - 1 ? 'redis' : 'process';
}

export function isFollowed({ kind }: Shot): boolean {
  return kind === 'spread' || kind === 'pair';
}

/** Compares what clients were told with what stands in Redis. */
export async function readLedger(
  masters: readonly RedisServer[],
  namespace: string,
  shots: readonly Shot[],
): Promise<Ledger> {
  const names = createCounterNames(namespace);
  const charges = await readCharges(masters, namespace);
  const ledger = { twice: 0, lost: 0, left: 0, followed: 0 };
  for (const shot of shots.filter(isFollowed)) {
    const count = charges.get(names.ofAddress(shot.kind, shot.address)) ?? 0;
    const isByRedis = deciderOf(shot) === 'redis';
    ledger.followed += 1;
    if (count > 1) ledger.twice += 1;
    if (isByRedis && count === 0) ledger.lost += 1;
    if (!isByRedis && count > 0) ledger.left += 1;
  }
  return ledger;
}

/** What is charged to each counter of a namespace. */
async function readCharges(
  masters: readonly RedisServer[],
  namespace: string,
): Promise<ReadonlyMap<string, number>> {
  const charges = new Map<string, number>();
  for (const server of masters) {
    const found = (await server.cli('KEYS', `${namespace}:{*`)) as readonly string[];
    const keys = found.filter((key) => !key.includes('{probe-'));
    for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
      const some = keys.slice(at, at + KEYS_AT_ONCE);
      const texts = await Promise.all(some.map((key) => server.cli('GET', key)));
      for (const [index, key] of some.entries()) charges.set(key, countOf(texts[index]));
    }
  }
  return charges;
}

function countOf(text: unknown): number {
  return typeof text === 'string' ? Number(text.split(',')[COUNT_AT]) : 0;
}

/** What `withFailureMode` promises of a window: all of the limit from the store, and of each process a share. */
export function boundOf(processes: number): number {
  return HOT_LIMIT + processes * Math.max(1, Math.floor(HOT_LIMIT / processes));
}
