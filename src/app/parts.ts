import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Environment } from '../config/environment.ts';
import type { OpenPolicy } from '../config/open-policy.ts';
import { createEventIds } from '../core/ksuid.ts';
import { guardPorts, type Ports } from '../core/ports.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { AuditEvent } from '../core/records.ts';
import { openTokenVerifier, type TokenVerifier } from '../jwt/verifier.ts';
import type { LineWriter } from '../observe/audit/line-writer.ts';
import { createMask, type Mask } from '../observe/audit/recorder.ts';
import type { Logger } from '../observe/log.ts';
import { createMetrics, type Metrics } from '../observe/metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import { hearToken } from './changes.ts';
import { maskingRecords } from './store.ts';

/** Everything that is open while Postern serves, but the listeners. */
export type Parts = {
  readonly opened: OpenPolicy;
  readonly env: Environment;
  readonly log: Logger;
  readonly writer: LineWriter;
  readonly store: Store;
  /** The store as changes go into it: their events hold no name that the policy masks. */
  readonly records: RecordStore;
  readonly ports: Ports;
  readonly tokens: TokenVerifier;
  readonly metrics: Metrics;
  readonly mask: Mask;
  /** Ids of events and audit lines, which sort by time. */
  readonly makeId: (nowMs: number) => string;
  /** Writes an event to the audit stream. */
  readonly tell: (event: AuditEvent) => void;
  readonly hostAddresses: ReadonlySet<string>;
  readonly state: { isDraining: boolean };
};

const ID_BYTES = 16;

/** Makes the parts of what is given. */
export function openParts(
  given: Pick<Parts, 'opened' | 'env' | 'log' | 'writer' | 'store'>,
): Parts {
  const { opened, log, writer, env, store } = given;
  const metrics = createMetrics({
    store: store.counts,
    health: store.health,
    audit: writer.counts,
    jwks: () => jwksOf(tokens),
    build: { version: version(), node: process.versions.node },
  });
  const tokens = openTokenVerifier({ onEvent: (event) => hearToken(event, { metrics, log }) });
  tokens.use(opened.policy().issuers);
  metrics.reload(true, Date.now(), opened.policy().hash);
  const mask = createMask(env['POSTERN_MASK_KEY']);
  return {
    ...given,
    records: maskingRecords(store, opened.policy, mask),
    ports: portsOf(store, tokens),
    tokens,
    metrics,
    mask,
    makeId: createEventIds(() => randomBytes(ID_BYTES)),
    tell: (event) => writer.write(JSON.stringify(event)),
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

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String(JSON.parse(text).version);
}
