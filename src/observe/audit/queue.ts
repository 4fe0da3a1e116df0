/** An event that waits, or the number of those that were dropped at its place. */
export type Queued =
  | {
      readonly kind: 'event';
      readonly text: string;
      readonly bytes: number;
      /** Set for an event whose check is not answered before it is written. */
      readonly settle?: ((isKept: boolean) => void) | undefined;
      /** Written, given up or taken back. */
      isOver: boolean;
    }
  | { readonly kind: 'gap'; count: number };
export type QueuedEvent = Extract<Queued, { readonly kind: 'event' }>;

/** Events that wait for a sink, in bounded memory and in order. */
export type EventQueue = {
  /** Undefined when the event was dropped, because too much waits already. */
  readonly put: (
    text: string,
    settle?: (isKept: boolean) => void,
    hasRoom?: (bytes: number) => boolean,
  ) => QueuedEvent | undefined;
  /** Takes an event back that is not under way; false when it is too late. */
  readonly withdraw: (event: QueuedEvent) => boolean;
  /** The next events, up to about a mebibyte; they count as waiting until they are done. */
  readonly take: () => readonly Queued[];
  /** Ends a batch: what is in `again` waits at the front anew. */
  readonly done: (batch: readonly Queued[], again: readonly Queued[]) => void;
  readonly isEmpty: () => boolean;
  /** Whether as much waits as the next batch can take. */
  readonly isBatchFull: () => boolean;
  readonly waiting: () => { readonly events: number; readonly bytes: number };
};

const WAITING_BYTES_MAX = 16 * 1024 * 1024;
const BATCH_BYTES = 1024 * 1024;

type State = { entries: Queued[]; events: number; bytes: number; readonly inFlight: Set<Queued> };

/** Makes a queue of at most 16 MiB, what is under way included. */
export function openQueue(): EventQueue {
  const state: State = { entries: [], events: 0, bytes: 0, inFlight: new Set() };
  return {
    put(text, settle, hasRoom = () => true) {
      const bytes = Buffer.byteLength(text) + 1;
      if (state.bytes + bytes > WAITING_BYTES_MAX || !hasRoom(bytes)) {
        noteGap(state);
        return undefined;
      }
      const event: QueuedEvent = { kind: 'event', text, bytes, settle, isOver: false };
      state.entries.push(event);
      count(state, event, 1);
      return event;
    },
    withdraw(event) {
      if (event.isOver || state.inFlight.has(event)) return false;
      event.isOver = true;
      count(state, event, -1);
      remove(state, event);
      return true;
    },
    take: () => takeBatch(state),
    done(batch, again) {
      const kept = new Set(again);
      for (const entry of batch) {
        state.inFlight.delete(entry);
        if (kept.has(entry)) continue;
        if (entry.kind === 'event') entry.isOver = true;
        count(state, entry, -1);
      }
      if (again.length > 0) state.entries = [...again, ...state.entries];
    },
    isEmpty: () => state.events === 0,
    isBatchFull: () => state.bytes >= BATCH_BYTES,
    waiting: () => ({ events: state.events, bytes: state.bytes }),
  };
}

function noteGap({ entries }: State): void {
  const last = entries.at(-1);
  if (last?.kind === 'gap') last.count += 1;
  else entries.push({ kind: 'gap', count: 1 });
}

/** Nothing of it stays: a target that hangs takes no batch, and what is taken back meanwhile has no bound. */
function remove({ entries }: State, event: QueuedEvent): void {
  const at = entries.indexOf(event);
  if (at === -1) return;
  entries.splice(at, 1);
  const [before, after] = [entries[at - 1], entries[at]];
  if (before?.kind !== 'gap' || after?.kind !== 'gap') return;
  before.count += after.count;
  entries.splice(at, 1);
}

function count(state: State, entry: Queued, sign: 1 | -1): void {
  if (entry.kind === 'gap') return;
  state.events += sign;
  state.bytes += sign * entry.bytes;
}

function takeBatch(state: State): readonly Queued[] {
  let bytes = 0;
  let end = 0;
  for (const entry of state.entries) {
    if (bytes >= BATCH_BYTES) break;
    if (entry.kind === 'event') bytes += entry.bytes;
    end += 1;
  }
  const batch = state.entries.splice(0, end);
  for (const entry of batch) state.inFlight.add(entry);
  return batch;
}

export function isEvent(entry: Queued): entry is QueuedEvent {
  return entry.kind === 'event';
}
