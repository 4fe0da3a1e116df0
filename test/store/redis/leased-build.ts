import type { LimitGroup, Taken } from '../../../src/core/limit.ts';
import type { Answer } from '../../../src/core/ports.ts';
import { createCounters } from '../../../src/store/counters.ts';
import type { Limits } from '../../../src/store/redis/limits/degraded.ts';
import {
  type LeasedLimits,
  type LeaseOptions,
  withLeases,
} from '../../../src/store/redis/limits/leases.ts';
import { NOW } from '../../core/build.ts';

/** A start of a minute, an hour and a day, by the shared clock. */
export const DAY_START = Math.floor(NOW / 86_400_000) * 86_400_000;

type Waiting = { readonly run: () => void; readonly deliver: () => void; isRun: boolean };

/**
 * Counters behind a wire: they go by their own clock, as Redis does. What is asked for waits until it is run, and its
 * answer until it is delivered; `hasNoWire` does both at once.
 */
export function openServer() {
  const counters = createCounters(1000);
  const server = {
    nowMs: DAY_START,
    hasNoWire: true,
    cause: undefined as Error | undefined,
    trips: [] as { readonly kind: string; readonly groups: readonly LimitGroup[] }[],
    /** Hears of each take when it is run. */
    onTaken: undefined as ((groups: readonly LimitGroup[], taken: Taken) => void) | undefined,
    connect,
    remaining,
  };

  /** How many units of a group remain by the counters alone. */
  function remaining(group: LimitGroup): readonly number[] {
    const usages = counters.readLimits([group], server.nowMs);
    if (usages instanceof Promise) throw new Error('counters in this process answer at once');
    return usages.map((usage) => usage.remaining);
  }

  /** A connection: what is asked for on it is run in order, and answered in order. */
  function connect() {
    const waiting: Waiting[] = [];
    const ask = <T>(kind: string, groups: readonly LimitGroup[], run: () => Answer<T>) =>
      new Promise<T>((resolve, reject) => {
        let deliver = () => {};
        const command: Waiting = {
          isRun: false,
          run() {
            server.trips.push({ kind, groups });
            const { cause } = server;
            const answer = cause ? undefined : run();
            deliver = () => (cause ? reject(cause) : resolve(answer as Answer<T>));
            command.isRun = true;
          },
          deliver: () => deliver(),
        };
        waiting.push(command);
        if (server.hasNoWire) drain();
      });
    const runNext = () => waiting.find(({ isRun }) => !isRun)?.run();
    const deliverNext = () => {
      if (waiting[0]?.isRun) waiting.shift()?.deliver();
    };
    const drain = () => {
      while (waiting.length > 0) {
        runNext();
        deliverNext();
      }
    };
    const limits: Limits = {
      takeLimits: (groups) =>
        ask('take', groups, () => {
          const taken = counters.takeLimits(groups, server.nowMs);
          if (!(taken instanceof Promise)) server.onTaken?.(groups, taken);
          return taken;
        }),
      settleLimits: (receipt, cost) =>
        ask('settle', receipt.groups, () => counters.settleLimits(receipt, cost)),
      readLimits: (groups) => ask('read', groups, () => counters.readLimits(groups, server.nowMs)),
    };
    return { limits, runNext, deliverNext, drain, waits: () => waiting.length > 0 };
  }

  return server;
}

export type Server = ReturnType<typeof openServer>;

/** A process with leases, whose clocks stand apart from the server's by a fixed time each. */
export function openInstance(
  server: Server,
  { apartMs = 0, ...options }: Partial<LeaseOptions> & { readonly apartMs?: number } = {},
) {
  const wire = server.connect();
  const now = () => server.nowMs + apartMs;
  const limits: LeasedLimits = withLeases(wire.limits, {
    steadyMs: () => server.nowMs - DAY_START,
    now,
    replicas: () => 1,
    ...options,
  });
  return { limits, wire, now };
}

export type Instance = ReturnType<typeof openInstance>;

/** Lets everything that was answered be heard. */
export async function heard(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Asks until the counter of a group is leased; the answer is how often it asked. */
export async function warm({ limits, now }: Instance, group: LimitGroup): Promise<number> {
  for (let at = 1; at <= 100; at += 1) {
    await limits.takeLimits([group], now());
    await heard();
    if (limits.counts().leases > 0) return at;
  }
  throw new Error('nothing was leased');
}
