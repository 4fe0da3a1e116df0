import type { BufferOptions, Waiting } from '../buffers.ts';
import { type CounterRow, type HeldWindow, LASTING_SLOTS, type Lasting } from '../counters.ts';
import { COUNTER_WRITE_MS } from '../store.ts';
import { createWriter } from '../writer.ts';

/** Where counters are written: each change to a log at once, each counter to its own row now and then. */
export type LastingFile = {
  /** The rows of a counter, without what the log holds. */
  readonly read: (counter: string) => readonly CounterRow[];
  /** Writes counters to the end of the log; the answer is their place in it. */
  readonly log: (counters: readonly CounterRow[]) => Promise<number>;
  readonly settle: (counters: readonly CounterRow[]) => Promise<void>;
  /** Forgets the log up to a place, all of whose counters have been settled. */
  readonly trimLog: (upTo: number) => Promise<void>;
};

export type LastingBuffer = Lasting & Waiting;

type Item = readonly [counter: string, windows: readonly HeldWindow[]];

/** The log is settled this often: a counter that changes all the time is then one row, and not twenty. */
const SETTLED_EVERY_TICKS = 20;
/** Rows handed over at once. */
const PART_SIZE = 500;

/**
 * Holds the counters that changed between two writes, at most `max` of them. What changed is appended to a log, which
 * costs next to nothing however the counters lie, and settled row by row at leisure. One that is not settled yet is
 * found here, and then in the file.
 */
export function createLastingBuffer(
  file: LastingFile,
  options: BufferOptions & { readonly max: number },
): LastingBuffer {
  let changed = new Map<string, readonly HeldWindow[]>();
  let dropped = 0;
  let ticks = 0;
  const settler = createSettler(file);
  const source = {
    take(): readonly Item[] {
      const items = [...changed];
      changed = new Map();
      return items;
    },
    isWaiting: () => changed.size > 0 || settler.size() > 0,
    write: async (items: readonly Item[]) => settler.logged(await file.log(items.flatMap(rowsOf))),
    restore(items: readonly Item[]) {
      for (const [name, windows] of items) if (!changed.has(name)) changed.set(name, windows);
    },
    async written(which: 'all' | 'due') {
      ticks += 1;
      if (which === 'all' || ticks % SETTLED_EVERY_TICKS === 0) await settler.settle();
    },
  };
  const writer = createWriter(source, { ...options, everyMs: COUNTER_WRITE_MS });
  return {
    find(name) {
      const held = settler.get(name);
      return held ? rowsOf([name, held]) : file.read(name);
    },
    changed(name, windows) {
      if (settler.size() >= options.max && !settler.get(name)) {
        dropped += 1;
        return;
      }
      changed.set(name, windows);
      settler.put(name, windows);
      writer.wake();
    },
    dropped: () => dropped,
    ...writer,
  };
}

/** Holds what is in the log and not in its row yet. */
function createSettler(file: LastingFile) {
  let unsettled = new Map<string, readonly HeldWindow[]>();
  const settling = new Map<string, readonly HeldWindow[]>();
  let logEnd = 0;
  return {
    get: (name: string) => unsettled.get(name) ?? settling.get(name),
    put: (name: string, windows: readonly HeldWindow[]) => void unsettled.set(name, windows),
    size: () => unsettled.size + settling.size,
    logged: (end: number) => {
      logEnd = end;
    },
    /** Writes each to its row, then forgets the log; what failed is tried again the next time. */
    async settle(): Promise<void> {
      const upTo = logEnd;
      for (const [name, windows] of unsettled) settling.set(name, windows);
      unsettled = new Map();
      if (settling.size === 0) return;
      const items = [...settling].sort(([one], [other]) => (one < other ? -1 : 1));
      for (let at = 0; at < items.length; at += PART_SIZE) {
        await file.settle(items.slice(at, at + PART_SIZE).flatMap(rowsOf));
      }
      await file.trimLog(upTo);
      settling.clear();
    },
  };
}

function rowsOf([name, windows]: Item): readonly CounterRow[] {
  return windows
    .filter(({ slot }) => LASTING_SLOTS.includes(slot))
    .map(({ slot, startMs, count }) => ({ name, slot, startMs, count }));
}
