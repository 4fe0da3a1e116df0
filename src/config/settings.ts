import { parseDuration } from '../schema/duration.ts';
import { type AuditSettings, readAuditSettings } from './audit-settings.ts';
import { listOf } from './check-issuers.ts';
import { checkListener } from './check-shell.ts';
import { type Listen, parseListen } from './location.ts';
import type { Config } from './schema.ts';
import { readStore, type Store } from './store.ts';

/** What a process is set up with at its start; a change needs a restart, but for the product's name. */
export type Settings = {
  readonly product: string;
  readonly listen: {
    readonly check: { readonly address: Listen; readonly tls?: TlsFiles | undefined };
    readonly api: Listen;
    readonly ops: Listen;
  };
  readonly store: Store;
  readonly limits: { readonly maxSubjects: number; readonly mode: 'exact' | 'leased' };
  readonly onStoreFailure: {
    readonly limits: 'local' | 'allow' | 'deny';
    /** Processes that share a limit then; as many as were seen alive when undefined. */
    readonly replicas?: number | undefined;
  };
  /** How long keys that are remembered hold without contact, ms. */
  readonly keyCache: { readonly maxStaleMs: number };
  readonly audit: AuditSettings;
  /** Databases of places, relative to the policy, and what a key is known by. */
  readonly places?:
    | { readonly files: readonly string[]; readonly by: readonly ('country' | 'network')[] }
    | undefined;
};

/** Files of a TLS listener, PEM. With `clientCa`, clients must show a certificate. */
export type TlsFiles = {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
  readonly clientNames?: readonly string[] | undefined;
};

/** Reads the settings of a checked policy. */
export function readSettings(config: Config): Settings {
  const { address, tls } = checkListener(config.listen.check);
  return {
    product: config.product,
    listen: {
      check: {
        address: listenOf(address),
        tls: tls && {
          cert: tls.cert,
          key: tls.key,
          clientCa: tls.client_ca,
          clientNames: tls.client_names,
        },
      },
      api: listenOf(config.listen.api),
      ops: listenOf(config.listen.ops),
    },
    store: readStore(config.store),
    limits: { maxSubjects: config.limits.max_subjects, mode: config.limits.mode },
    onStoreFailure: config.on_store_failure,
    keyCache: { maxStaleMs: parseDuration(config.key_cache.max_stale) ?? 0 },
    audit: readAuditSettings(config),
    places: readPlaces(config.alerts.places),
  };
}

/** Settings that differ and take a restart to change, as keys of the policy. */
export function restartNeeds(before: Settings, after: Settings): readonly string[] {
  const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);
  const needs: string[] = [];
  for (const listener of ['check', 'api', 'ops'] as const) {
    if (differs(before.listen[listener], after.listen[listener])) needs.push(`listen.${listener}`);
  }
  if (differs(before.store, after.store)) needs.push('store');
  if (differs(before.limits, after.limits)) needs.push('limits');
  if (differs(before.onStoreFailure, after.onStoreFailure)) needs.push('on_store_failure');
  if (differs(before.keyCache, after.keyCache)) needs.push('key_cache');
  if (differs(before.audit, after.audit)) needs.push('audit');
  if (differs(before.places, after.places)) needs.push('alerts.places');
  return needs;
}

function readPlaces(written: Config['alerts']['places']): Settings['places'] {
  return written && { files: listOf(written.database), by: written.by };
}

function listenOf(text: string): Listen {
  const listen = parseListen(text);
  if (!listen) throw new Error('a listen address was not checked');
  return listen;
}
