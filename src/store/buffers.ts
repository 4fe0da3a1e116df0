import type { KeyUse } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';
import type { Batch, CounterRow, SummedUse } from './batch.ts';
import { HOUR_MS } from './commit-key.ts';
import { type HeldWindow, LASTING_SLOTS, type Lasting } from './counters.ts';
import { COUNTER_WRITE_MS, USE_WRITE_MS } from './store.ts';
import { createWriter, type Writer, type WriterOptions } from './writer.ts';

/** Keys whose uses, and events, that may wait for the next write; what comes beyond is dropped and counted. */
const WAITING_USES = 100_000;
const WAITING_EVENTS = 10_000;

/** What every buffer can be asked. */
export type Waiting = Pick<Writer, 'flush' | 'failures' | 'stop'> & {
  readonly dropped: () => number;
};

type Write = (batch: Batch) => Promise<void>;
type BufferOptions = Omit<WriterOptions, 'everyMs'>;

export type UseBuffer = Waiting & { readonly recordUse: (use: KeyUse) => void };

type Sum = { lastMs: number; readonly hours: Map<number, Map<string, number>> };

/** Sums uses of keys between two writes. */
export function createUseBuffer(write: Write, options: BufferOptions): UseBuffer {
  let waiting = new Map<string, Sum>();
  let dropped = 0;
  const sumOf = (keyId: string): Sum | undefined => {
    const known = waiting.get(keyId);
    if (known) return known;
    if (waiting.size >= WAITING_USES) {
      dropped += 1;
      return undefined;
    }
    const sum: Sum = { lastMs: 0, hours: new Map() };
    waiting.set(keyId, sum);
    return sum;
  };
  const source = {
    take() {
      const items = inOrder(waiting);
      waiting = new Map();
      return items;
    },
    write: (items: readonly (readonly [string, Sum])[]) =>
      write({ uses: items.map(([keyId, sum]) => summed(keyId, sum)), events: [], counters: [] }),
    restore(items: readonly (readonly [string, Sum])[]) {
      for (const [keyId, { lastMs, hours }] of items) {
        const sum = sumOf(keyId);
        if (!sum) continue;
        sum.lastMs = Math.max(sum.lastMs, lastMs);
        for (const [hour, reasons] of hours) {
          for (const [reason, count] of reasons) add(sum, { hour, reason, count });
        }
      }
    },
  };
  const writer = createWriter(source, { ...options, everyMs: USE_WRITE_MS });
  return {
    recordUse({ keyId, nowMs, reason = '', isKeyRefused = false }) {
      const sum = sumOf(keyId);
      if (!sum) return;
      if (!isKeyRefused) sum.lastMs = Math.max(sum.lastMs, nowMs);
      add(sum, { hour: Math.floor(nowMs / HOUR_MS), reason, count: 1 });
      writer.wake();
    },
    dropped: () => dropped,
    ...writer,
  };
}

function add({ hours }: Sum, { hour, reason, count }: SummedUse['counts'][number]): void {
  const reasons = hours.get(hour) ?? new Map<string, number>();
  hours.set(hour, reasons);
  reasons.set(reason, (reasons.get(reason) ?? 0) + count);
}

function summed(keyId: string, { lastMs, hours }: Sum): SummedUse {
  const counts = [...hours].flatMap(([hour, reasons]) =>
    [...reasons].map(([reason, count]) => ({ hour, reason, count })),
  );
  return { keyId, lastMs, counts };
}

export type EventBuffer = Waiting & { readonly recordEvent: (event: AuditEvent) => void };

/** Holds events between two writes. */
export function createEventBuffer(write: Write, options: BufferOptions): EventBuffer {
  let waiting: AuditEvent[] = [];
  let dropped = 0;
  const source = {
    take() {
      const items = waiting;
      waiting = [];
      return items;
    },
    write: (events: readonly AuditEvent[]) => write({ uses: [], events, counters: [] }),
    restore(events: readonly AuditEvent[]) {
      const all = [...events, ...waiting];
      waiting = all.slice(0, WAITING_EVENTS);
      dropped += all.length - waiting.length;
    },
  };
  const writer = createWriter(source, { ...options, everyMs: USE_WRITE_MS });
  return {
    recordEvent(event) {
      if (waiting.length >= WAITING_EVENTS) {
        dropped += 1;
        return;
      }
      waiting.push(event);
      writer.wake();
    },
    dropped: () => dropped,
    ...writer,
  };
}

export type LastingBuffer = Lasting & Waiting;

/**
 * Holds the counters that changed between two writes, at most `max` of them. One that is not written yet is found
 * here, and then in the file by `read`.
 */
export function createLastingBuffer(
  write: Write,
  read: (counter: string) => readonly CounterRow[],
  options: BufferOptions & { readonly max: number },
): LastingBuffer {
  type Item = readonly [counter: string, windows: readonly HeldWindow[]];
  let changed = new Map<string, readonly HeldWindow[]>();
  let writing = new Map<string, readonly HeldWindow[]>();
  let dropped = 0;
  const source = {
    take() {
      writing = changed;
      changed = new Map();
      return inOrder(writing);
    },
    write: (items: readonly Item[]) =>
      write({
        uses: [],
        events: [],
        counters: items.flatMap(([name, held]) => rowsOf(name, held)),
      }),
    restore(items: readonly Item[]) {
      for (const [name, windows] of items) {
        if (changed.has(name)) continue;
        if (changed.size < options.max) changed.set(name, windows);
        else dropped += 1;
      }
    },
    settled() {
      writing = new Map();
    },
  };
  const writer = createWriter(source, { ...options, everyMs: COUNTER_WRITE_MS });
  return {
    find(name) {
      const held = changed.get(name) ?? writing.get(name);
      return held ? rowsOf(name, held) : read(name);
    },
    changed(name, windows) {
      if (changed.size < options.max || changed.has(name)) changed.set(name, windows);
      else dropped += 1;
      writer.wake();
    },
    dropped: () => dropped,
    ...writer,
  };
}

/** Entries in the order of their names: neighbours in the file are written together, for less than half the work. */
function inOrder<V>(entries: ReadonlyMap<string, V>): readonly (readonly [string, V])[] {
  return [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
}

function rowsOf(name: string, windows: readonly HeldWindow[]): readonly CounterRow[] {
  return windows
    .filter(({ slot }) => LASTING_SLOTS.includes(slot))
    .map(({ slot, startMs, count }) => ({ name, slot, startMs, count }));
}
