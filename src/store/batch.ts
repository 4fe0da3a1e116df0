import type { AuditEvent } from '../core/records.ts';

export const HOUR_MS = 3_600_000;

/** Uses of one key, summed: its last (epoch ms; 0 for none), and how many by hour and reason (empty for those allowed). */
export type SummedUse = {
  readonly keyId: string;
  readonly lastMs: number;
  readonly counts: readonly {
    readonly hour: number;
    readonly reason: string;
    readonly count: number;
  }[];
};

/** What was buffered since the last write. */
export type Batch = {
  readonly uses: readonly SummedUse[];
  readonly events: readonly AuditEvent[];
};
