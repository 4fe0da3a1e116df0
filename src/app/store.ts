import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { RedisTls, Store as StorePlace } from '../config/store.ts';
import { maskEvent } from '../core/audit.ts';
import type { Policy } from '../core/policy.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { Logger } from '../observe/log.ts';
import { openMemoryStore } from '../store/sql/memory.ts';
import { openSqliteStore } from '../store/sql/sqlite.ts';
import type { Store, Trip } from '../store/store.ts';
import { besidePolicy } from './beside.ts';
import { createThrottle } from './throttle.ts';

/** Who hears of an open store. */
export type StoreListeners = {
  readonly log: Logger;
  readonly onTrip?: ((trip: Trip) => void) | undefined;
};

/** What fails is tried again every second or so: it is told of less often. */
const FAILURE_LOG_MS = 10_000;

/**
 * Opens the store that a policy names; a relative path begins beside the policy, for the server and the CLI alike.
 * A Redis that does not answer is opened all the same: its health tells.
 */
export async function openStore(
  settings: Settings,
  policyPath: string,
  { log, onTrip }: StoreListeners,
): Promise<Store> {
  const { limits, onStoreFailure, keyCache } = settings;
  const store = placeBeside(settings.store, policyPath);
  const throttle = createThrottle(FAILURE_LOG_MS);
  const onFailure = (cause: unknown) =>
    throttle(String(cause), (untold) =>
      log.error({ err: cause, untold }, 'the store failed; it is tried again'),
    );
  const options = { ...limits, onFailure, onTrip };
  switch (store.kind) {
    case 'memory':
      return openMemoryStore(options);
    case 'sqlite': {
      mkdirSync(dirname(store.path), { recursive: true });
      return openSqliteStore(store.path, options);
    }
    case 'redis': {
      // Its client takes long to load, and only those who use it need it.
      const { openRedisStore } = await import('../store/redis/redis.ts');
      const { maxStaleMs } = keyCache;
      return openRedisStore(store, { ...options, maxStaleMs, onStoreFailure });
    }
  }
}

/** The place of a store whose files are named relative to a policy. */
export function placeBeside(store: StorePlace, policyPath: string): StorePlace {
  const beside = (path: string) => besidePolicy(policyPath, path);
  switch (store.kind) {
    case 'memory':
      return store;
    case 'sqlite':
      return { ...store, path: beside(store.path) };
    case 'redis':
      return { ...store, tls: store.tls && filesBeside(store.tls, beside) };
  }
}

function filesBeside({ ca, cert, key, serverName }: RedisTls, beside: (path: string) => string) {
  const found = (path: string | undefined) => (path === undefined ? undefined : beside(path));
  return { ca: found(ca), cert: found(cert), key: found(key), serverName };
}

/** The same records, whose events are kept without what the policy masks. */
export function maskingRecords(
  store: RecordStore,
  policy: () => Policy,
  mask: (value: string) => string,
): RecordStore {
  return {
    ...store,
    commit: (commit) =>
      store.commit({
        ...commit,
        events: commit.events.map((event) => maskEvent(event, policy(), mask)),
      }),
  };
}
