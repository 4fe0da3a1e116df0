import { randomBytes } from 'node:crypto';
import { mintKsuid } from '../../src/core/ksuid.ts';
import type { AuditEvent, StoredKey } from '../../src/core/records.ts';
import { createKeyspace } from '../../src/store/redis/keyspace.ts';
import type { Store } from '../../src/store/store.ts';
import type { RedisServer } from '../../test/redis-harness/redis.ts';
import { DAY_MS, keyAt, NOW } from '../lib/measured-keys.ts';
import { inLanes, inMb, printTable, readStill, say, whole } from './place.ts';

export const RECORDS = 'records';
/** The stream of changes of these records. */
export const { changes: CHANGES } = createKeyspace(RECORDS);
const HOUR_MS = 3_600_000;
const COMMIT_KEYS = 50;
const LANES = 8;
/** Uses that wait for the next write at most. */
const USES_AT_ONCE = 50_000;
/** Of so many keys more of a day's use is written, and of some all that is ever kept. */
const SAMPLE = 50_000;
const MORE_HOURS = 7;
const BUSY = 100;
const BUSY_DAYS = 100;
const EVENTS_LEAST = 10_000;

/** Fills a store with keys, their uses and events; tells what each takes of the memory of Redis. */
export async function measureRecords(
  server: RedisServer,
  store: Store,
  count: number,
): Promise<void> {
  await server.cli('FLUSHALL', 'SYNC');
  const ids: string[] = [];
  const rows: (readonly string[])[] = [];
  let last = await readStill(server);
  const bare = last;
  const measure = async (what: string, of: number, work: () => Promise<unknown>) => {
    await work();
    const now = await readStill(server);
    const bytes = whole((now.usedBytes - last.usedBytes) / of);
    last = now;
    rows.push([what, bytes]);
    say(`${what}: ${bytes} bytes`);
  };
  await measure('a key that was never used', count, async () => {
    await fill(store, count, ids);
    // Many keys of one commit are one entry: the stream of a running store is another one.
    await server.cli('XTRIM', CHANGES, 'MAXLEN', 1);
  });
  const used = ids.filter((_, at) => at % 2 === 0);
  const first = () => useOnce(store, used);
  await measure('its first use: when it was, and the hour', used.length, first);
  const sample = used.slice(0, SAMPLE);
  const today = () => use(store, sample, [NOW]);
  await measure('a day of use more, in one hour', sample.length, today);
  const hours = Array.from({ length: MORE_HOURS }, (_, at) => NOW - (at + 1) * HOUR_MS);
  const more = () => use(store, sample, hours);
  await measure(`${MORE_HOURS} more hours of that day`, sample.length, more);
  const busy = ids.filter((_, at) => at % 2 === 1).slice(0, BUSY);
  const most = () => useAlways(store, busy);
  await measure(`use in every hour of ${BUSY_DAYS} days`, busy.length, most);
  const events = Math.max(EVENTS_LEAST, Math.floor(count / 5));
  await measure('an event', events, () => tellEvents(store, ids, events));
  const all = inMb(last.usedBytes - bare.usedBytes);
  rows.push([`all of it, with ${whole(events)} events`, all]);
  printTable(`Memory of records (${whole(count)} keys)`, ['what', 'bytes'], rows);
}

async function fill(store: Store, count: number, ids: string[]): Promise<void> {
  await inLanes(Math.ceil(count / COMMIT_KEYS), LANES, async (turn) => {
    const from = turn * COMMIT_KEYS;
    const size = Math.min(COMMIT_KEYS, count - from);
    const keys = Array.from({ length: size }, (_, at) => keyAt(from + at, count));
    await commit(store, keys, []);
    ids.push(...keys.map(({ id }) => id));
    if (turn % 1000 === 999) say(`${from + size} keys ...`);
  });
}

/** Commits new keys and events. */
export async function commit(
  store: Store,
  keys: readonly StoredKey[],
  events: readonly AuditEvent[],
): Promise<void> {
  const writes = keys.map((put) => ({ kind: 'key', put, expected: 0 }) as const);
  const conflict = await store.commit({ writes, events });
  if (conflict) throw new Error(`a key is there already: ${JSON.stringify(conflict)}`);
}

/** Each was used once within the last 90 days. */
async function useOnce(store: Store, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += USES_AT_ONCE) {
    for (const [at, keyId] of ids.slice(from, from + USES_AT_ONCE).entries()) {
      store.recordUse({ keyId, nowMs: NOW - (((from + at) * 7_919_000) % (90 * DAY_MS)) });
    }
    await store.flush();
  }
}

/** Day after day, as uses come. */
async function useAlways(store: Store, ids: readonly string[]): Promise<void> {
  for (let day = 0; day < BUSY_DAYS; day += 1) {
    const hours = Array.from({ length: 24 }, (_, at) => NOW - (day * 24 + at) * HOUR_MS);
    await use(store, ids, hours);
  }
}

async function use(
  store: Store,
  ids: readonly string[],
  timesMs: readonly number[],
): Promise<void> {
  for (let from = 0; from < ids.length; from += USES_AT_ONCE) {
    for (const keyId of ids.slice(from, from + USES_AT_ONCE)) {
      for (const nowMs of timesMs) store.recordUse({ keyId, nowMs });
    }
    await store.flush();
  }
}

/** An event of a key. */
export function eventAt(id: string, at: number): AuditEvent {
  const timeMs = NOW - DAY_MS + at;
  return {
    id: mintKsuid(randomBytes(16), timeMs),
    time: new Date(timeMs).toISOString(),
    event: 'key.updated',
    workspace_id: `workspace-${at % 50_000}`,
    actor: { kind: 'jwt', id: `user-${at % 1000}`, username: `user-${at % 1000}@example.com` },
    object: { kind: 'key', id },
  };
}

async function tellEvents(store: Store, ids: readonly string[], count: number): Promise<void> {
  await inLanes(Math.ceil(count / COMMIT_KEYS), LANES, async (turn) => {
    const from = turn * COMMIT_KEYS;
    const size = Math.min(COMMIT_KEYS, count - from);
    const events = Array.from({ length: size }, (_, at) =>
      eventAt(ids[(from + at) % ids.length] ?? '', from + at),
    );
    await commit(store, [], events);
  });
}
