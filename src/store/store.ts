import type {
  FindKey,
  FindOwner,
  FindRoles,
  FindWorkspace,
  ReadLimits,
  SettleLimits,
  TakeLimits,
} from '../core/ports.ts';
import type { RecordStore } from '../core/record-store.ts';

/** What the gate asks of a store, with each answer at hand. A throw means that the store failed. */
export type GateStore = {
  readonly findKey: FindKey;
  readonly findWorkspace: FindWorkspace;
  readonly findOwner: FindOwner;
  readonly findRoles: FindRoles;
  readonly takeLimits: TakeLimits;
  readonly settleLimits: SettleLimits;
  readonly readLimits: ReadLimits;
};

/** Figures of a running store, for metrics. */
export type StoreCounts = {
  /** Subjects whose limits are counted now. */
  readonly subjects: number;
  /** Subjects that were forgotten because there were too many. */
  readonly forgotten: number;
  /** Events and uses that were not kept because too many came at once, or the store could not write for long. */
  readonly dropped: number;
  /** Writes of buffered figures that failed; they are tried again. */
  readonly failures: number;
};

/** How a store is, for metrics and readiness. One in this process is always up. */
export type StoreHealth = {
  readonly isUp: boolean;
  /** Whether decisions are made without the store at the moment: by shares of limits, or by keys that are remembered. */
  readonly isDegraded: boolean;
  /** Why nothing can be judged; undefined where it can. */
  readonly unready?: string | undefined;
  readonly nodes: readonly NodeHealth[];
};

/** A server of the store; `node` is `host:port`. */
export type NodeHealth = {
  readonly node: string;
  readonly breaker: 'closed' | 'open' | 'half_open';
  /** Since when, epoch ms. */
  readonly sinceMs: number;
};

/** One trip to a server of the store. */
export type Trip = {
  readonly operation: string;
  readonly outcome: 'ok' | 'late' | 'down' | 'failed';
  readonly tookMs: number;
};

/** Everything that Postern keeps: records, what the gate looks up, and limits. */
export type Store = RecordStore &
  GateStore & { readonly counts: () => StoreCounts; readonly health: () => StoreHealth };

export type StoreOptions = {
  /** Counters of limits held in memory; the longest unused are forgotten first. */
  readonly maxSubjects: number;
  /** The clock (epoch ms) by which kept answers end; the real one unless told. */
  readonly now?: (() => number) | undefined;
  /** Hears why buffered figures could not be written; they are tried again. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
  /** Hears of each trip to a server. */
  readonly onTrip?: ((trip: Trip) => void) | undefined;
};

/** How often uses of keys and refused decisions are written: a crash loses at most this much of them. */
export const USE_WRITE_MS = 1000;
/** Where thousands of keys are in use, each is written within so many of these turns. */
export const USE_TURNS = 20;
/** How often counters of days, months and quotas are written: a crash loses at most this much, and the write itself. */
export const COUNTER_WRITE_MS = 500;
/** How often changes by another process on the same file are looked for. */
export const CHANGE_POLL_MS = 250;
