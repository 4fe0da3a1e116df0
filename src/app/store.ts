import { mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { maskEvent } from '../core/audit.ts';
import type { Policy } from '../core/policy.ts';
import type { RecordStore } from '../core/record-store.ts';
import type { Logger } from '../observe/log.ts';
import { openMemoryStore } from '../store/sql/memory.ts';
import { openSqliteStore } from '../store/sql/sqlite.ts';
import type { Store } from '../store/store.ts';

/** Opens the store that a policy names; a relative path begins beside the policy, for the server and the CLI alike. */
export async function openStore(
  settings: Settings,
  policyPath: string,
  log: Logger,
): Promise<Store> {
  const { store, limits } = settings;
  const options = {
    ...limits,
    onFailure: (cause: unknown) => log.error({ err: cause }, 'the store could not be written'),
  };
  switch (store.kind) {
    case 'memory':
      return openMemoryStore(options);
    case 'sqlite': {
      const path = isAbsolute(store.path) ? store.path : join(dirname(policyPath), store.path);
      mkdirSync(dirname(path), { recursive: true });
      return openSqliteStore(path, options);
    }
    case 'redis':
      throw new Error('store: redis is not part of this version; use sqlite:PATH or memory');
  }
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

/** Names that both the policy and the store have, as problems: neither may hide the other. */
export async function findClashes(
  store: RecordStore,
  { written }: Pick<Policy, 'written'>,
): Promise<readonly string[]> {
  const keys = await store.existing('key', [...written.keys.keys()]);
  const workspaces = await store.existing('workspace', [...written.workspaces.keys()]);
  const tell = (place: string, noun: string) => (id: string) =>
    `${place}: the id ${JSON.stringify(id)} is also that of a ${noun} in the store; rename or remove one`;
  return [
    ...keys.map(tell('api_keys.declared', 'key')),
    ...workspaces.map(tell('workspaces', 'workspace')),
  ];
}
