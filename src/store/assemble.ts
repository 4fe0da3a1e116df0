import type { Conflict } from '../core/record-store.ts';

import { writeLog } from './batch.ts';
import { createEventBuffer, type Waiting } from './buffers.ts';
import { createCounters } from './counters.ts';
import { type Ask, askRecords } from './engine.ts';
import { catchUpQuietly, type Gate } from './gate.ts';
import { createLastingBuffer, type LastingBuffer, type LastingFile } from './lasting-buffer.ts';
import { withPending } from './pending.ts';
import type { Store, StoreOptions } from './store.ts';
import { createUseBuffer, type UseTurns } from './use-buffer.ts';

/** What a store is made of. */
export type StoreParts = {
  readonly ask: Ask;
  readonly gate: Gate;
  /** Finds the windows of a counter that outlived a restart; undefined where none does. */
  readonly readLasting?: LastingFile['read'] | undefined;
  readonly closeParts: () => Promise<void>;
};

export type AssembleOptions = StoreOptions & {
  /** Buffered items written in one turn. */
  readonly partSize: number;
  readonly uses: UseTurns;
};

/** Counters that may wait for the next write, also where fewer subjects are held. */
const WAITING_COUNTERS = 100_000;
/** Counters in one row of the log. */
const LOG_PART = 2000;
/** How long closing waits for what is buffered. */
const CLOSE_MS = 5000;

/** Makes a store of its parts: records are asked, the gate reads, limits and uses are counted here. */
export function assembleStore(parts: StoreParts, options: AssembleOptions): Store {
  const { ask, gate } = parts;
  const write = async (batch: unknown) => void (await ask('write', [batch]));
  const uses = createUseBuffer(write, options);
  const events = createEventBuffer(write, options);
  const lasting = lastingOf(parts, options);
  const buffers: readonly Waiting[] = lasting ? [uses, events, lasting] : [uses, events];
  const counters = createCounters(options.maxSubjects, lasting);
  const { now = Date.now } = options;
  const { catchUp: _, ...lookUps } = gate;
  let closing: Promise<void> | undefined;
  return {
    ...withPending(askRecords(ask), uses.pending),
    ...lookUps,
    takeLimits: counters.takeLimits,
    settleLimits: counters.settleLimits,
    readLimits: counters.readLimits,
    async commit(commit) {
      try {
        return (await ask('commit', [commit, now()])) as Conflict | undefined;
      } finally {
        // Even when it failed: nobody knows then what was written.
        catchUpQuietly(gate);
      }
    },
    recordUse: uses.recordUse,
    recordEvent: events.recordEvent,
    flush: async () => void (await Promise.all(buffers.map((buffer) => buffer.flush()))),
    close: () => {
      closing ??= closeAll(buffers, parts, options);
      return closing;
    },
    counts: () => ({ ...sumOf(buffers), ...subjectsOf(counters.counts()) }),
  };
}

function lastingOf(
  { ask, readLasting }: StoreParts,
  options: AssembleOptions,
): LastingBuffer | undefined {
  if (!readLasting) return undefined;
  const max = Math.max(WAITING_COUNTERS, options.maxSubjects);
  const file: LastingFile = {
    read: readLasting,
    log: async (counters) => Number(await ask('logCounters', [writeLog(counters)])),
    settle: async (counters) => void (await ask('write', [{ uses: [], events: [], counters }])),
    trimLog: async (upTo) => void (await ask('trimLog', [upTo])),
  };
  return createLastingBuffer(file, { ...options, partSize: LOG_PART, max });
}

function sumOf(buffers: readonly Waiting[]) {
  const sum = (figure: (buffer: Waiting) => number) =>
    buffers.reduce((total, buffer) => total + figure(buffer), 0);
  return { dropped: sum((one) => one.dropped()), failures: sum((one) => one.failures()) };
}

function subjectsOf({ held, forgotten }: { readonly held: number; readonly forgotten: number }) {
  return { subjects: held, forgotten };
}

/** Writes what is buffered and closes, in bounded time; what could not be written is told. */
async function closeAll(
  buffers: readonly Waiting[],
  { closeParts }: StoreParts,
  { onFailure }: StoreOptions,
): Promise<void> {
  const written = Promise.all(buffers.map((buffer) => buffer.flush()));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('closing the store took too long')), CLOSE_MS);
  });
  try {
    await Promise.race([written, late]);
  } catch (cause) {
    onFailure?.(cause);
  } finally {
    clearTimeout(timer);
    for (const buffer of buffers) buffer.stop();
    await closeParts();
  }
}
