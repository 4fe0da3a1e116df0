import type { Conflict } from '../../core/record-store.ts';
import { type AssembleOptions, assembleStore } from '../assemble.ts';
import { createCounters } from '../counters.ts';
import type { Store } from '../store.ts';
import { writeLog } from './batch-rows.ts';
import { type Ask, askRecords } from './engine.ts';
import { catchUpQuietly, type Gate } from './gate.ts';
import { createLastingBuffer, type LastingBuffer, type LastingFile } from './lasting-buffer.ts';

/** What a store in a database is made of. */
export type SqlParts = {
  readonly ask: Ask;
  readonly gate: Gate;
  /** Finds the windows of a counter that outlived a restart; undefined where none does. */
  readonly readLasting?: LastingFile['read'] | undefined;
  readonly closeParts: () => Promise<void>;
};

/** Counters that may wait for the next write, also where fewer subjects are held. */
const WAITING_COUNTERS = 100_000;
/** Counters in one row of the log. */
const LOG_PART = 2000;

/** Makes a store of a database: records are asked of it, the gate reads it, limits are counted here. */
export function assembleSqlStore(parts: SqlParts, options: AssembleOptions): Store {
  const { ask, gate, closeParts } = parts;
  const { now = Date.now } = options;
  const lasting = lastingOf(parts, options);
  const { catchUp: _, ...lookUps } = gate;
  return assembleStore(
    {
      records: {
        ...askRecords(ask),
        async commit(commit) {
          try {
            return (await ask('commit', [commit, now()])) as Conflict | undefined;
          } finally {
            // Even when it failed: nobody knows then what was written.
            catchUpQuietly(gate);
          }
        },
      },
      write: async (batch) => void (await ask('write', [batch])),
      lookUps,
      counters: createCounters(options.maxSubjects, lasting),
      buffers: lasting && [lasting],
      closeParts,
    },
    options,
  );
}

function lastingOf(
  { ask, readLasting }: SqlParts,
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
