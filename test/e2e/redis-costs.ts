import { waitFor } from '../redis-harness/wait.ts';

/** What was sent to Redis so far: as Redis counts it, and as Postern does, by operation. */
export type Sent = {
  /** Scripts that Redis was asked for by their digests, on all its servers. */
  readonly evalsha: number;
  readonly trips: ReadonlyMap<string, number>;
  /** Trips that were not answered in time, or not at all. */
  readonly missed: number;
};

/** What a piece of work cost. */
export type Cost = Sent & {
  /** Those of them that a check may send; the others follow changes, write uses and look after keys. */
  readonly ofChecks: number;
};

/** Where figures come from: one Postern, and every server of its Redis. */
export type Sources = {
  readonly opsUrl: string;
  readonly servers: readonly {
    readonly cli: (...command: readonly string[]) => Promise<unknown>;
  }[];
};

/** The scripts of limits and of look-ups. */
const OF_CHECKS = ['take', 'peek', 'settle', 'find', 'find-roles'];
const TRIPS =
  /^postern_store_trip_duration_seconds_count\{operation="([^"]+)",outcome="([^"]+)"\} (\d+)$/gm;

/** Runs a piece of work and tells what it cost. Both sides must agree about it: what one of them misses never ends this. */
export async function costOf(sources: Sources, work: () => Promise<unknown>): Promise<Cost> {
  const before = await atRest(sources);
  await work();
  let cost = await since(before, sources);
  await waitFor('Redis and Postern count the same', async () => {
    cost = await since(before, sources);
    return cost.evalsha === sumOf(cost.trips);
  }).catch((cause: unknown) => {
    const told = `Redis counts ${cost.evalsha}, Postern ${JSON.stringify([...cost.trips])}`;
    throw new Error(told, { cause });
  });
  return cost;
}

async function since(before: Sent, sources: Sources): Promise<Cost> {
  const now = await read(sources);
  const trips = new Map(
    [...now.trips].map(([name, count]) => [name, count - (before.trips.get(name) ?? 0)]),
  );
  const evalsha = now.evalsha - before.evalsha;
  const ofChecks = OF_CHECKS.reduce((sum, name) => sum + (trips.get(name) ?? 0), 0);
  return { evalsha, trips, missed: now.missed - before.missed, ofChecks };
}

/** Reads while nothing is on its way: then both sides differ by the same as a moment before. */
async function atRest(sources: Sources): Promise<Sent> {
  let last = await read(sources);
  await waitFor('nothing is on its way', async () => {
    const now = await read(sources);
    const isAtRest = ahead(now) === ahead(last);
    last = now;
    return isAtRest;
  });
  return last;
}

function ahead({ evalsha, trips }: Sent): number {
  return evalsha - sumOf(trips);
}

async function read({ opsUrl, servers }: Sources): Promise<Sent> {
  const stats = await Promise.all(servers.map((one) => one.cli('INFO', 'commandstats')));
  const calls = stats.map((text) => /^cmdstat_evalsha:calls=(\d+)/m.exec(String(text))?.[1]);
  const page = await (await fetch(`${opsUrl}/metrics`)).text();
  const trips = new Map<string, number>();
  let missed = 0;
  for (const [, operation = '', outcome, count] of page.matchAll(TRIPS)) {
    trips.set(operation, (trips.get(operation) ?? 0) + Number(count));
    if (outcome !== 'ok') missed += Number(count);
  }
  return { evalsha: calls.reduce((sum, one) => sum + Number(one ?? 0), 0), trips, missed };
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
