import { assembleStore } from '../../../src/store/assemble.ts';
import { createCounters } from '../../../src/store/counters.ts';
import { createRedisRecords } from '../../../src/store/redis/records/records.ts';
import { createRedisRest, type RestOptions } from '../../../src/store/redis/records/rest.ts';
import { BATCH_ITEMS } from '../../../src/store/redis/records/write-batch.ts';
import type { Store, StoreOptions } from '../../../src/store/store.ts';
import type { ScriptLink } from './script-link.ts';

/** Records and all that is kept beside them, over one connection; the gate finds nothing here. */
export function openRecords(
  { link, keyspace }: Pick<ScriptLink, 'link' | 'keyspace'>,
  { now = Date.now, ...options }: Partial<StoreOptions> & RestOptions = {},
): Store {
  const { write, ...rest } = createRedisRest(link, keyspace, options);
  const nothing = () => undefined;
  return assembleStore(
    {
      records: { ...createRedisRecords(link, keyspace, { now }), ...rest },
      write,
      lookUps: {
        findKey: nothing,
        findWorkspace: nothing,
        findOwner: nothing,
        findRoles: nothing,
      },
      counters: createCounters(100),
      closeParts: async () => undefined,
    },
    { maxSubjects: 100, partSize: BATCH_ITEMS, uses: { least: 1000, turns: 20 }, ...options },
  );
}
