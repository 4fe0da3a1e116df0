import type { ChainForm } from '../../core/audit-chain.ts';
import type { Kept } from './journal.ts';

/** How events are written for a sink: as the lines of standard output, or as OCSF in CloudEvents. */
export type Format = ChainForm;

/** How a sink stands, for metrics. */
export type SinkCounts = {
  /** Where they go: written or delivered. */
  readonly written: number;
  /** Not taken, because too much waited. */
  readonly dropped: number;
  /** Taken, and lost. */
  readonly failed: number;
  readonly waitingEvents: number;
  readonly waitingBytes: number;
};

/** Where events go. */
export type Sink = {
  /** The label of its metrics: `stdout`, `file`, `redis`, `webhook`, and `file-2`. */
  readonly name: string;
  readonly format: Format;
  /** Takes an event, the JSON of an object, or drops and counts it. Never waits. */
  readonly write: (event: string) => boolean;
  /** The same for an event that somebody waits for until it is on disk, or with the reader of standard output. */
  readonly keep: (event: string) => Kept;
  readonly counts: () => SinkCounts;
  /** Ends it, after what waits has left or `graceMs`. */
  readonly close: (graceMs: number) => Promise<void>;
};
