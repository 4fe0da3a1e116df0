import { CHAIN_START, type ChainLink } from '../../core/audit-chain.ts';
import { type EventQueue, isEvent, openQueue, type Queued } from './queue.ts';
import { type Sealing, writeLines } from './sealing.ts';

/** Where whole lines go. */
export type Target = {
  /** Writes lines behind the last; with `isSynced` resolves when they are on the disk. What fails leaves nothing. */
  readonly append: (bytes: Uint8Array, isSynced: boolean) => Promise<void>;
  /** Resolves when all that was appended is on the disk; absent where there is none. */
  readonly sync?: (() => Promise<void>) | undefined;
  readonly close: () => Promise<void>;
};

/** An event whose check waits for it. */
export type Kept = {
  /** True once it is recorded; false when it is not and will not be. Never rejects. */
  readonly isKept: Promise<boolean>;
  /** Gives it up: it is not written, unless it is under way already. */
  readonly withdraw: () => void;
};

export type JournalCounts = {
  readonly written: number;
  /** Not taken, because too much waited. */
  readonly dropped: number;
  /** Taken, and not written. */
  readonly failed: number;
  readonly waitingEvents: number;
  readonly waitingBytes: number;
};

/** Events on their way to a target: in order, in bounded memory, many in one write. */
export type Journal = {
  /** Takes an event, the JSON of an object; false when it was dropped. Never waits. */
  readonly write: (event: string) => boolean;
  /** The same for an event that somebody waits for. */
  readonly keep: (event: string) => Kept;
  readonly counts: () => JournalCounts;
  /** Resolves when all has left, or after `graceMs`. */
  readonly flush: (graceMs: number) => Promise<void>;
  /** Flushes, then gives up what is left. */
  readonly close: (graceMs: number) => Promise<void>;
};

export type JournalOptions = {
  readonly target: Target;
  /** Events are collected so long before they are written, ms; those that are waited for go at once. */
  readonly batchMs: number;
  /** Written together with `fdatasync`, or with one a second. */
  readonly isSynced: boolean;
  readonly sealing?: Sealing | undefined;
  /** What cannot be written is tried again; else it is lost. */
  readonly isTriedAgain: boolean;
  readonly hasRoom?: ((bytes: number) => boolean) | undefined;
  readonly onWritten?: ((events: number) => void) | undefined;
  readonly onFailure: (cause: unknown) => void;
};

const SYNC_MS = 1000;
const RETRY_MS = 500;

type State = {
  readonly options: JournalOptions;
  readonly queue: EventQueue;
  link: ChainLink;
  written: number;
  dropped: number;
  failed: number;
  isRunning: boolean;
  isClosed: boolean;
  isSyncDue: boolean;
  /** Somebody began to wait while a batch was under way. */
  isUrgent: boolean;
  timer: NodeJS.Timeout | undefined;
  syncTimer: NodeJS.Timeout | undefined;
  readonly idle: (() => void)[];
};

/** Opens a journal on a target, which it closes. */
export function openJournal(options: JournalOptions): Journal {
  const state: State = {
    ...{ options, queue: openQueue(), link: options.sealing?.from ?? CHAIN_START },
    ...{ written: 0, dropped: 0, failed: 0 },
    ...{ isRunning: false, isClosed: false, isSyncDue: false, isUrgent: false },
    ...{ timer: undefined, syncTimer: undefined, idle: [] },
  };
  return {
    write(event) {
      const isTaken = put(state, event) !== undefined;
      if (isTaken) runLater(state, options.batchMs);
      return isTaken;
    },
    keep: (event) => keep(state, event),
    counts: () => {
      const { events, bytes } = state.queue.waiting();
      const { written, dropped, failed } = state;
      return { written, dropped, failed, waitingEvents: events, waitingBytes: bytes };
    },
    flush: (graceMs) => flush(state, graceMs),
    close: (graceMs) => close(state, graceMs),
  };
}

function put(state: State, event: string, settle?: (isKept: boolean) => void) {
  const { hasRoom } = state.options;
  const queued = state.isClosed ? undefined : state.queue.put(event, settle, hasRoom);
  if (!queued) state.dropped += 1;
  return queued;
}

function keep(state: State, event: string): Kept {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const queued = put(state, event, resolve);
  if (!queued) resolve(false);
  else runLater(state, 0);
  const withdraw = () => {
    if (!queued || !state.queue.withdraw(queued)) return;
    state.failed += 1;
    resolve(false);
  };
  return { isKept: promise, withdraw };
}

/** A write that is planned already is brought forward, never put off. */
function runLater(state: State, ms: number): void {
  if (ms > 0) state.timer ??= setTimeout(() => start(state), ms);
  else if (state.isRunning) state.isUrgent = true;
  else {
    state.isRunning = true;
    endTimer(state);
    // The checks of this turn of the loop share one write.
    setImmediate(() => void run(state, true));
  }
}

function start(state: State): void {
  endTimer(state);
  if (state.isRunning) return;
  state.isRunning = true;
  void run(state, false);
}

function endTimer(state: State): void {
  clearTimeout(state.timer);
  state.timer = undefined;
}

/** Writes what waits, and what came meanwhile where somebody waits for it or a batch is full. Never rejects. */
async function run(state: State, isHurried: boolean): Promise<void> {
  const { queue } = state;
  let isSound = true;
  state.isUrgent = false;
  do {
    if (!queue.isEmpty()) isSound = await writeBatch(state);
  } while (isSound && !queue.isEmpty() && (isHurried || state.isUrgent || queue.isBatchFull()));
  if (state.isSyncDue) await syncNow(state);
  state.isRunning = false;
  if (queue.isEmpty()) for (const resolve of state.idle.splice(0)) resolve();
  else if (isSound) runLater(state, state.isUrgent ? 0 : state.options.batchMs);
  else planRetry(state);
}

function planRetry(state: State): void {
  endTimer(state);
  if (!state.isClosed) runLater(state, state.isUrgent ? 0 : RETRY_MS);
}

async function writeBatch(state: State): Promise<boolean> {
  const { target, isSynced, onWritten, onFailure } = state.options;
  const batch = state.queue.take();
  const events = batch.filter(isEvent);
  const { lines, link } = writeLines(batch, state.options.sealing, state.link);
  try {
    await target.append(Buffer.from(lines), isSynced);
  } catch (cause) {
    giveUp(state, batch);
    report(onFailure, cause);
    return false;
  }
  state.link = link;
  state.written += events.length;
  state.queue.done(batch, []);
  for (const { settle } of events) settle?.(true);
  onWritten?.(events.length);
  if (!isSynced && target.sync) planSync(state);
  return true;
}

/** An event that a check waits for is not tried again: the check is refused, and the record must not say otherwise. */
function giveUp(state: State, batch: readonly Queued[]): void {
  const { isTriedAgain } = state.options;
  const waitedFor = batch.filter(isEvent).filter(({ settle }) => settle);
  const again = isTriedAgain ? batch.filter((entry) => !isEvent(entry) || !entry.settle) : [];
  state.failed += isTriedAgain ? waitedFor.length : batch.filter(isEvent).length;
  state.queue.done(batch, again);
  for (const { settle } of waitedFor) settle?.(false);
}

function planSync(state: State): void {
  state.syncTimer ??= setTimeout(() => {
    state.syncTimer = undefined;
    state.isSyncDue = true;
    if (!state.isRunning) start(state);
  }, SYNC_MS);
}

async function syncNow(state: State): Promise<void> {
  state.isSyncDue = false;
  try {
    await state.options.target.sync?.();
  } catch (cause) {
    report(state.options.onFailure, cause);
  }
}

function flush(state: State, graceMs: number): Promise<void> {
  if (state.syncTimer) {
    clearTimeout(state.syncTimer);
    state.syncTimer = undefined;
    state.isSyncDue = true;
  }
  if (state.queue.isEmpty() && !state.isRunning && !state.isSyncDue) return Promise.resolve();
  return new Promise((resolve) => {
    const late = setTimeout(resolve, graceMs);
    state.idle.push(() => {
      clearTimeout(late);
      resolve();
    });
    runLater(state, 0);
  });
}

async function close(state: State, graceMs: number): Promise<void> {
  const endMs = performance.now() + graceMs;
  await flush(state, graceMs);
  // What came while the last batch was written.
  await flush(state, Math.max(0, endMs - performance.now()));
  state.isClosed = true;
  clearTimeout(state.timer);
  clearTimeout(state.syncTimer);
  if (!state.isRunning) await state.options.target.close();
}

/** Whoever hears of a failure must not end the writing. */
function report(onFailure: (cause: unknown) => void, cause: unknown): void {
  try {
    onFailure(cause);
  } catch {}
}
