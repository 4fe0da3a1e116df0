import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Environment } from '../config/environment.ts';
import type { OpenPolicy } from '../config/open-policy.ts';
import { createFailureBook, type FailureBook } from '../core/failures-book.ts';
import { createEventIds } from '../core/ksuid.ts';
import { guardPorts, type Ports } from '../core/ports.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';
import { openTokenVerifier, type TokenVerifier } from '../jwt/verifier.ts';
import { createMask, type Mask } from '../observe/audit/recorder.ts';
import type { AuditStream } from '../observe/audit/stream.ts';
import type { Logger } from '../observe/log.ts';
import { createMetrics, type Metrics } from '../observe/metrics/metrics.ts';
import type { Tracing } from '../observe/trace/tracer.ts';
import { createRecentMap } from '../store/recent-map.ts';
import type { Store } from '../store/store.ts';
import { type Alerts, openAlerts, type Places } from './alerts.ts';
import { followWebhooks, tellOfChanges } from './audit.ts';
import { hearToken } from './changes.ts';
import { maskingRecords } from './store.ts';

/** Everything that is open while Postern serves, but the listeners. */
export type Parts = {
  readonly opened: OpenPolicy;
  readonly env: Environment;
  readonly log: Logger;
  readonly audit: AuditStream;
  readonly store: Store;
  /** The store as changes go into it: their events hold no name that the policy masks. */
  readonly records: RecordStore;
  readonly ports: Ports;
  readonly tokens: TokenVerifier;
  /** Undefined where checks are not traced. */
  readonly traces: Tracing | undefined;
  readonly metrics: Metrics;
  readonly mask: Mask;
  /** Ids of events and audit lines, which sort by time. */
  readonly makeId: (nowMs: number) => string;
  /** Writes an event to the audit stream. */
  readonly tell: (event: AuditEvent) => void;
  /** The same for a change through the management API; in blocking mode it resolves once the event is recorded. */
  readonly tellChange: (event: AuditEvent) => Promise<void> | undefined;
  readonly alerts: Alerts;
  readonly hostAddresses: ReadonlySet<string>;
  readonly state: { isDraining: boolean };
};

const ID_BYTES = 16;
/** Of each of a book's tables. */
const FAILURE_SUBJECTS_MAX = 100_000;

/** Makes the parts of what is given. */
export function openParts(
  given: Pick<Parts, 'opened' | 'env' | 'log' | 'audit' | 'store' | 'traces'> & {
    readonly places: Places | undefined;
  },
): Parts {
  const { opened, log, audit, env, store } = given;
  const metrics = createMetrics({
    store: store.counts,
    health: store.health,
    audit: audit.counts,
    jwks: () => jwksOf(tokens),
    build: { version: version(), node: process.versions.node },
    spans: given.traces?.counts,
  });
  const tokens = openTokenVerifier({ onEvent: (event) => hearToken(event, { metrics, log }) });
  tokens.use(opened.policy().issuers);
  metrics.reload(true, Date.now(), opened.policy().hash);
  followWebhooks(audit, metrics);
  const mask = createMask(env['POSTERN_MASK_KEY']);
  const makeId = createEventIds(() => randomBytes(ID_BYTES));
  const tell = (event: AuditEvent) => audit.tell({ kind: 'event', event });
  const { policy } = opened;
  const watched = { policy, log, metrics, records: store, places: given.places };
  return {
    ...given,
    records: maskingRecords(store, policy, mask),
    ports: { ...portsOf(store, tokens), failures: openFailureBook() },
    tokens,
    metrics,
    mask,
    makeId,
    tell,
    tellChange: tellOfChanges(audit, policy, mask),
    alerts: openAlerts({ ...watched, mask, makeId, tell }),
    hostAddresses: hostAddresses(),
    state: { isDraining: false },
  };
}

/** The gate's view of a store and a token verifier. */
export function portsOf(store: Store, tokens: TokenVerifier): Ports {
  const { findKey, findWorkspace, findOwner, findRoles, takeLimits, settleLimits } = store;
  const found = { findKey, findWorkspace, findOwner, findRoles };
  return guardPorts({ ...found, takeLimits, settleLimits, verifyToken: tokens.verify });
}

/** A book of the failures that this process has seen; it outlives every reload of the policy. */
function openFailureBook(): FailureBook {
  return createFailureBook(() => createRecentMap(FAILURE_SUBJECTS_MAX));
}

/** This machine's own addresses. */
export function hostAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => address));
}

function jwksOf(tokens: TokenVerifier) {
  return tokens.state().flatMap(({ issuers, keys, status }) => {
    const isUsable = status === 'fresh' || status === 'stale';
    return issuers.map((issuer) => ({ issuer, keys, isUsable }));
  });
}

/** The version of this program. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String(JSON.parse(text).version);
}
