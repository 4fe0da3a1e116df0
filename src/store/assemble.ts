import type { RecordStore } from '../core/record-store.ts';
import type { Batch } from './batch.ts';
import { createEventBuffer, type Waiting } from './buffers.ts';
import type { Counters } from './counters.ts';
import { withPending } from './pending.ts';
import type { GateStore, Store, StoreHealth, StoreOptions } from './store.ts';
import { createUseBuffer, type UseTurns } from './use-buffer.ts';

/** Records as they are kept, without what is buffered before. */
export type KeptRecords = Omit<RecordStore, 'recordUse' | 'recordEvent' | 'flush' | 'close'>;
export type LookUps = Pick<GateStore, 'findKey' | 'findWorkspace' | 'findOwner' | 'findRoles'>;

/** What a store is made of. */
export type StoreParts = {
  readonly records: KeptRecords;
  /** Writes what was buffered, all of it or nothing. */
  readonly write: (batch: Batch) => Promise<void>;
  readonly lookUps: LookUps;
  readonly counters: Counters;
  /** What else waits to be written. */
  readonly buffers?: readonly Waiting[] | undefined;
  /** Always up where absent. */
  readonly health?: (() => StoreHealth) | undefined;
  readonly closeParts: () => Promise<void>;
};

export type AssembleOptions = StoreOptions & {
  /** Buffered items written in one turn. */
  readonly partSize: number;
  readonly uses: UseTurns;
};

/** How long closing waits for what is buffered. */
const CLOSE_MS = 5000;
const ALWAYS_UP: StoreHealth = { isUp: true, isDegraded: false, nodes: [] };

/** Makes a store of its parts; uses of keys and events that no change caused are buffered here. */
export function assembleStore(parts: StoreParts, options: AssembleOptions): Store {
  const { records, write, lookUps, counters } = parts;
  const uses = createUseBuffer(write, options);
  const events = createEventBuffer(write, options);
  const buffers: readonly Waiting[] = [uses, events, ...(parts.buffers ?? [])];
  let closing: Promise<void> | undefined;
  return {
    ...withPending(records, uses.pending),
    ...lookUps,
    takeLimits: counters.takeLimits,
    settleLimits: counters.settleLimits,
    readLimits: counters.readLimits,
    recordUse: uses.recordUse,
    recordEvent: events.recordEvent,
    flush: async () => void (await Promise.all(buffers.map((buffer) => buffer.flush()))),
    close: () => {
      closing ??= closeAll(buffers, parts, options);
      return closing;
    },
    health: parts.health ?? (() => ALWAYS_UP),
    counts: () => ({ ...sumOf(buffers), ...subjectsOf(counters.counts()) }),
  };
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
