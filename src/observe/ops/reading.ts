import type { AlertName } from '../../core/alert.ts';
import type { WiringSign } from '../../core/wiring.ts';

/** What a process reads of itself for its status page. Times are epoch ms; nothing in it is about a client. */
export type StatusReading = {
  readonly product: string;
  readonly version: string;
  readonly startedMs: number;
  /** What stands in the way of serving, as /readyz says it. */
  readonly unready: readonly string[];
  /** False where the management API found its address taken. */
  readonly hasApi: boolean;
  readonly store: StoreReading;
  /** `hash` is that of the policy in force; `failedSinceMs`: what its files hold since then cannot be used. */
  readonly policy: {
    readonly hash: string;
    readonly runningSinceMs: number;
    readonly lastMs: number;
    readonly failedSinceMs?: number | undefined;
  };
  readonly keySets: readonly KeySetReading[];
  /** The certificate in use; undefined without TLS. `isLoaded`: the one that its files hold is the one in use. */
  readonly certificate?:
    | { readonly notBeforeMs: number; readonly notAfterMs: number; readonly isLoaded: boolean }
    | undefined;
  readonly audit: readonly AuditReading[];
  readonly wiring: readonly WiringSign[];
};

/** `kind` is `memory`, `sqlite` or `redis`; `node` is `host:port`. */
export type StoreReading = {
  readonly kind: string;
  readonly isUp: boolean;
  readonly isDegraded: boolean;
  readonly nodes: readonly {
    readonly node: string;
    readonly breaker: 'closed' | 'open' | 'half_open';
    readonly sinceMs: number;
  }[];
};

/** A key set of an issuer, by the issuer's name: its address may hold a secret. */
export type KeySetReading = {
  readonly issuer: string;
  readonly status: 'loading' | 'fresh' | 'stale' | 'failed';
  readonly keys: number;
  readonly lastSuccessMs?: number | undefined;
  readonly lastFailureMs?: number | undefined;
};

/** A sink of the audit: what waits for it, and what it lost since the start. */
export type AuditReading = {
  readonly sink: string;
  readonly waitingBytes?: number | undefined;
  readonly waitingEvents?: number | undefined;
  readonly dropped: number;
};

/** How often an alert was raised since the start, and how often its cool-down kept it quiet. */
export type AlertReading = {
  readonly name: AlertName;
  readonly count: number;
  readonly suppressed: number;
  readonly firstMs?: number | undefined;
  readonly lastMs?: number | undefined;
};
