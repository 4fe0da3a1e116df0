import { setTimeout as delay } from 'node:timers/promises';
import { readCursor, writeCursor } from '../disk/cursor.ts';
import type { Position, Segments } from '../disk/segments.ts';

/** Carries events to where they are kept. */
export type Carrier = {
  /** True once all are accepted; false to have them again. Over in bounded time; never rejects. */
  readonly carry: (events: readonly string[]) => Promise<boolean>;
  readonly close: () => Promise<void>;
};

/** Takes events out of a spool and to a carrier, in order and at least once. */
export type Delivery = {
  /** Something was written. */
  readonly wake: (events: number) => void;
  readonly delivered: () => number;
  /** Lines of the spool that are no events, as after the loss of power, and were left out. */
  readonly spoilt: () => number;
  /** Events that were written and not delivered, and their bytes. */
  readonly waiting: () => number;
  readonly waitingBytes: () => number;
  /** Goes on until all is delivered, or for `graceMs`; what is left is delivered after the next start. */
  readonly close: (graceMs: number) => Promise<void>;
};

const READ_BYTES = 256 * 1024;
const COUNT_BYTES = 4 * 1024 * 1024;
const BACK_OFF_MS_MAX = 60_000;

type State = {
  readonly folder: string;
  readonly segments: Segments;
  readonly carrier: Carrier;
  readonly onFailure: (cause: unknown) => void;
  /** The first wait after a failure, ms. */
  readonly retryMs: number;
  readonly closing: AbortController;
  cursor: Position;
  delivered: number;
  spoilt: number;
  waiting: number;
  attempt: number;
  wake: () => void;
};

/** Begins to deliver from where the spool's cursor stands. */
export async function openDelivery(
  given: Pick<State, 'folder' | 'segments' | 'carrier' | 'retryMs' | 'onFailure'>,
): Promise<Delivery> {
  const { segments } = given;
  const kept = await readCursor(given.folder);
  const cursor = within(segments, kept);
  // The file may grow to where a wrong cursor points, and it would then be taken for right.
  if (kept && cursor !== kept) await writeCursor(given.folder, cursor);
  const state: State = {
    ...{ ...given, cursor, closing: new AbortController() },
    ...{ delivered: 0, spoilt: 0, attempt: 0, wake: () => {} },
    waiting: await countLines(segments, cursor),
  };
  const running = run(state);
  return {
    wake: (events) => {
      state.waiting += events;
      state.wake();
    },
    delivered: () => state.delivered,
    spoilt: () => state.spoilt,
    waiting: () => state.waiting,
    waitingBytes: () => segments.bytesFrom(state.cursor),
    close: async (graceMs) => {
      const isDone = async () => {
        const { signal } = state.closing;
        while (state.waiting > 0 && state.attempt === 0 && !signal.aborted) await delay(5);
      };
      await Promise.race([isDone(), delay(graceMs, undefined, { ref: false })]);
      state.closing.abort();
      state.wake();
      await state.carrier.close();
      await running;
    },
  };
}

/** A cursor that points outside of what is there begins at the beginning: rather twice than never. */
function within(segments: Segments, cursor: Position | undefined): Position {
  const begin = segments.begin();
  const end = segments.end();
  if (!cursor || cursor.segment < begin.segment || cursor.segment > end.segment) return begin;
  const isBeyond = cursor.segment === end.segment && cursor.offset > end.offset;
  return isBeyond ? { segment: end.segment, offset: 0 } : cursor;
}

async function countLines(segments: Segments, from: Position): Promise<number> {
  let count = 0;
  for (let place = from; ; ) {
    const { lines, next } = await segments.read(place, COUNT_BYTES);
    if (lines.length === 0) return count;
    count += lines.length;
    place = next;
  }
}

async function run(state: State): Promise<void> {
  const { signal } = state.closing;
  while (!signal.aborted) {
    const asleep = Promise.withResolvers<void>();
    state.wake = asleep.resolve;
    try {
      const isIdle = await deliverOnce(state);
      if (isIdle && !signal.aborted) await asleep.promise;
    } catch (cause) {
      state.attempt += 1;
      state.onFailure(cause);
    }
    if (state.attempt > 0) await delay(backOffMs(state), undefined, { signal }).catch(() => {});
  }
}

/** Delivers the next events; true when there are none. */
async function deliverOnce(state: State): Promise<boolean> {
  const { segments, carrier, folder } = state;
  const { lines, next } = await segments.read(state.cursor, READ_BYTES);
  if (lines.length === 0) return true;
  const events = lines.filter(isEvent);
  const isDone = events.length === 0 || (await carrier.carry(events));
  if (!isDone) {
    state.attempt += 1;
    return false;
  }
  state.attempt = 0;
  state.cursor = next;
  state.delivered += events.length;
  state.spoilt += lines.length - events.length;
  state.waiting -= lines.length;
  // In this order: a full disk has no room for a cursor before there is less on it.
  await segments.forget(next);
  await writeCursor(folder, next);
  return false;
}

/** Doubles up to a minute, half of it random, so that many Posterns do not come at the same moment. */
function backOffMs({ attempt, retryMs }: State): number {
  const most = Math.min(retryMs * 2 ** Math.min(attempt - 1, 20), BACK_OFF_MS_MAX);
  return most / 2 + (Math.random() * most) / 2;
}

/** What the loss of power left in a file is zeros, which no event holds. */
function isEvent(line: string): boolean {
  return line.startsWith('{') && line.endsWith('}') && !line.includes('\0');
}
