import type { Policy } from '../core/policy.ts';
import type { Ports, ReadLimits } from '../core/ports.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';

/** What the management API works with; who opens it chooses each of them. */
export type ApiParts = {
  readonly store: RecordStore;
  readonly ports: Ports;
  readonly readLimits: ReadLimits;
  /** The policy of this moment. */
  readonly policy: () => Policy;
  /** Epoch ms. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  /** SHA-256 (hex) of the admin tokens in force. */
  readonly adminDigests: () => Promise<readonly string[]>;
  /** Told of every change, after its commit. */
  readonly onEvent: (event: AuditEvent) => unknown;
  /** Told of a bug or a store that failed; the client learns no details. */
  readonly onFailure: (cause: unknown) => void;
  /** This machine's own addresses, as Envoy beside us may have. */
  readonly hostAddresses: ReadonlySet<string>;
};

/**
 * Answers one HTTP request of the management API; never rejects. `peer` is the address of the connection,
 * undefined for a caller inside this process.
 */
export type Api = (request: Request, peer: string | undefined) => Promise<Response>;
