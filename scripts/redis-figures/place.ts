import { setTimeout as delay } from 'node:timers/promises';
import type { RedisSettings, RedisStoreOptions } from '../../src/store/redis/options.ts';
import { openRedisStore } from '../../src/store/redis/redis.ts';
import type { Store } from '../../src/store/store.ts';
import type { RedisServer } from '../../test/redis-harness/redis.ts';

/** What a Redis tells of itself: bytes, microseconds of its processor, and calls. */
export type Reading = {
  /** Without the buffers of connections. */
  readonly usedBytes: number;
  readonly residentBytes: number;
  readonly keys: number;
  /** Of the whole process. */
  readonly cpuUs: number;
  readonly inBytes: number;
  readonly outBytes: number;
  /** Scripts that ran, and how long they took by themselves. */
  readonly scripts: number;
  readonly scriptUs: number;
  /** When it was read, by the clock of this process, ms. */
  readonly atMs: number;
};

/** Reads a server. */
export async function readServer({ cli }: Pick<RedisServer, 'cli'>): Promise<Reading> {
  const text = String(await cli('INFO', 'everything'));
  const number = (field: string) =>
    Number(new RegExp(`^${field}[:=]([\\d.]+)`, 'm').exec(text)?.[1] ?? 0);
  const [, calls = 0, us = 0] = /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m.exec(text) ?? [];
  return {
    usedBytes: number('used_memory') - number('mem_clients_normal'),
    residentBytes: number('used_memory_rss'),
    keys: Number(await cli('DBSIZE')),
    cpuUs: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6,
    inBytes: number('total_net_input_bytes'),
    outBytes: number('total_net_output_bytes'),
    scripts: Number(calls),
    scriptUs: Number(us),
    atMs: performance.now(),
  };
}

/** What happened between two readings. */
export function between(before: Reading, after: Reading): Reading {
  const less = (field: keyof Reading) => after[field] - before[field];
  return {
    usedBytes: less('usedBytes'),
    residentBytes: less('residentBytes'),
    keys: less('keys'),
    cpuUs: less('cpuUs'),
    inBytes: less('inBytes'),
    outBytes: less('outBytes'),
    scripts: less('scripts'),
    scriptUs: less('scriptUs'),
    atMs: less('atMs'),
  };
}

/** What a piece of work does to a server. */
export async function watched(server: RedisServer, work: () => Promise<unknown>): Promise<Reading> {
  const before = await readServer(server);
  await work();
  return between(before, await readServer(server));
}

const STILL_BYTES = 16_384;
const STILL_MS = 300;
const STILL_READINGS_MAX = 100;

/** Reads a server whose memory stands still: tables that grew are taken over bit by bit, and given back at the end. */
export async function readStill(server: RedisServer): Promise<Reading> {
  let last = await readServer(server);
  for (let reading = 0; reading < STILL_READINGS_MAX; reading += 1) {
    await delay(STILL_MS);
    const now = await readServer(server);
    if (Math.abs(now.usedBytes - last.usedBytes) < STILL_BYTES) return now;
    last = now;
  }
  return last;
}

/** A namespace of a server. */
export function settingsAt({ url }: Pick<RedisServer, 'url'>, namespace: string): RedisSettings {
  return { urls: [url], cluster: false, namespace };
}

/** Opens a store as policies have it, but that what Redis does not do fails, and that a busy machine has time. */
export function openAt(
  server: RedisServer,
  namespace: string,
  more: Partial<RedisStoreOptions> = {},
): Promise<Store> {
  return openRedisStore(settingsAt(server, namespace), {
    maxSubjects: 1000,
    maxStaleMs: 30_000,
    onStoreFailure: { limits: 'deny' },
    mode: 'exact',
    limitsWithinMs: 5000,
    onFailure: (cause) => say(String(cause)),
    ...more,
  });
}

/** Runs a task for each number below `count`, so many at a time. */
export async function inLanes(
  count: number,
  lanes: number,
  task: (at: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: lanes }, run));
}

/** Slow ones are run less often. */
const TIMED_MS = 20_000;
const TIMED_LEAST = 5;

/** How long each of some runs took, ms, in order; fewer where they take long. */
export async function timed(
  count: number,
  task: (at: number) => Promise<unknown>,
): Promise<readonly number[]> {
  const tooksMs: number[] = [];
  const endMs = performance.now() + TIMED_MS;
  const isEnough = (at: number) => at >= TIMED_LEAST && performance.now() > endMs;
  for (let at = 0; at < count && !isEnough(at); at += 1) {
    const startedMs = performance.now();
    await task(at);
    tooksMs.push(performance.now() - startedMs);
  }
  return tooksMs.sort((one, other) => one - other);
}

/** The value below which such a part of sorted values lies. */
export function partOf(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** Progress, for whoever watches. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints a heading and a table in Markdown. */
export function printTable(
  heading: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map(() => '---');
  console.log([`\n## ${heading}`, '', line(head), line(rule), ...rows.map(line)].join('\n'));
}

/** `1,234`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `12.3 ms`. */
export function inMs(value: number): string {
  return `${value.toFixed(1)} ms`;
}

/** `123 MB`, of a million bytes each. */
export function inMb(bytes: number): string {
  return `${whole(bytes / 1e6)} MB`;
}
