import { Redis } from 'ioredis';
import type { Write } from '../../../src/core/record-store.ts';
import { createRedisGate, type RedisGate } from '../../../src/store/redis/gate/gate.ts';
import { createKeyspace, type Keyspace } from '../../../src/store/redis/keyspace.ts';
import { probeCall } from '../../../src/store/redis/limits/limit-trips.ts';
import { type Call, RedisDown, type RedisLink } from '../../../src/store/redis/link/link.ts';
import { openRedisLink } from '../../../src/store/redis/link/open-link.ts';
import { createCommit } from '../../../src/store/redis/records/commit.ts';
import { NOW } from '../../core/build.ts';
import { newNamespace } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { hashOf } from '../build.ts';

/** One process as far as look-ups go: a link, records and a gate. */
export type Process = {
  readonly gate: RedisGate;
  readonly link: RedisLink;
  readonly commit: (...writes: readonly Write[]) => Promise<void>;
  /** Scripts that were run on the connection of checks since the last call, by name. */
  readonly ran: () => Readonly<Record<string, number>>;
  /** Waits until a poll that is sent from now on has found all that there is to follow. */
  readonly caughtUp: () => Promise<void>;
  /** What was told to be wrong. */
  readonly failures: readonly unknown[];
  /** Moves the clock by which contact ends, ms. */
  readonly pass: (ms: number) => void;
  readonly end: () => Promise<void>;
};

export type ProcessOptions = {
  readonly maxStaleMs?: number;
  /** Whether messages reach it; polls only where not. */
  readonly hearsMessages?: boolean;
};

/** Processes on one Redis or Cluster, in a namespace of their own. */
export function openWorld(urls: readonly string[], cluster = false) {
  const namespace = newNamespace();
  const keyspace = createKeyspace(namespace);
  const processes: Process[] = [];
  return {
    keyspace,
    /** Starts a process; its own way to Redis may be another. */
    async start(options: ProcessOptions = {}, ways = urls): Promise<Process> {
      const link = await openRedisLink(
        { urls: ways, cluster, namespace },
        {
          probe: (number) => probeCall(keyspace, number),
          recordsKey: keyspace.stamp,
        },
      );
      const started = await startProcess(link, keyspace, options);
      processes.push(started);
      return started;
    },
    async end(): Promise<void> {
      await Promise.all(processes.map((one) => one.end()));
    },
  };
}

async function startProcess(
  link: RedisLink,
  keyspace: Keyspace,
  { maxStaleMs = 30_000, hearsMessages = true }: ProcessOptions,
): Promise<Process> {
  const counted = countRuns(link, hearsMessages);
  const failures: unknown[] = [];
  let passedMs = 0;
  const now = () => performance.now() + passedMs;
  const gate = await createRedisGate(counted.link, keyspace, {
    maxStaleMs,
    now,
    onFailure: (cause) => failures.push(cause),
  });
  const commit = createCommit(link, keyspace, { now: () => NOW, onChanges: gate.drop });
  return {
    gate,
    link,
    async commit(...writes) {
      const conflict = await commit({ writes, events: [] });
      if (conflict) throw new Error(`unexpected conflict: ${JSON.stringify(conflict)}`);
    },
    ran: counted.ran,
    async caughtUp() {
      const sinceMs = now();
      await waitFor('it caught up', () => (gate.contact().confirmedAtMs ?? 0) > sinceMs);
    },
    failures,
    pass(ms) {
      passedMs += ms;
    },
    async end() {
      await gate.close();
      await link.close();
    },
  };
}

function countRuns(link: RedisLink, hearsMessages: boolean) {
  let runs: Record<string, number> = {};
  const run = (call: Call) => {
    const { name } = call.script;
    runs[name] = (runs[name] ?? 0) + 1;
    return link.run(call);
  };
  const subscribe = hearsMessages ? link.subscribe : async () => undefined;
  const ran = () => {
    const before = runs;
    runs = {};
    return before;
  };
  return { link: { ...link, run, subscribe }, ran };
}

/** Runs commands as an operator would, on a connection of its own. */
export async function operate(
  url: string,
  ...[command = '', ...args]: readonly (string | number)[]
): Promise<unknown> {
  const client = new Redis(url, { protocol: 2 });
  try {
    return await client.call(String(command), args.map(String));
  } finally {
    client.disconnect();
  }
}

/** How a key stands for a process; `down` where the look-up is refused, as one on a busy machine may be. */
export async function statusOf({ gate }: Process, id: string): Promise<string | undefined> {
  try {
    return (await gate.findKey(hashOf(id)))?.key.status;
  } catch (cause) {
    if (cause instanceof RedisDown) return 'down';
    throw cause;
  }
}

/** Asks until keys, or that nobody has them, are at hand. */
export async function remember(process: Process, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await waitFor('it is at hand', async () => {
      await statusOf(process, id);
      const answer = process.gate.findKey(hashOf(id));
      if (!(answer instanceof Promise)) return true;
      await answer.catch(() => undefined);
      return false;
    });
  }
}

/** Waits as long as a change elsewhere may take: then a key is not active any more. */
export function untilRefused(process: Process, id: string): Promise<void> {
  const isRefused = async () => (await statusOf(process, id)) !== 'active';
  return waitFor('it is refused there too', isRefused, 1000);
}
