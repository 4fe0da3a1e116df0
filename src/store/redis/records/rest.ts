import type { KeptRecords } from '../../assemble.ts';
import type { Batch } from '../../batch.ts';
import type { StoreOptions } from '../../store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { findAnswer } from './answers.ts';
import { listEvents } from './event-list.ts';
import { getSetting, putSetting } from './kept-settings.ts';
import { keysDue } from './notices.ts';
import { prune } from './prune.ts';
import { usageOf } from './usage.ts';
import { createBatchWriter } from './write-batch.ts';

export type RestOptions = Pick<StoreOptions, 'onFailure'> & {
  /** At most so many of the events that no change caused are kept; some 1.2 KB of Redis' memory each. */
  readonly toldMax?: number | undefined;
};

/** What a store keeps beside records and what their commits write. */
export type Rest = Pick<
  KeptRecords,
  'listEvents' | 'usageOf' | 'keysDue' | 'getSetting' | 'putSetting' | 'prune' | 'findAnswer'
> & {
  /** Writes what was buffered, all of it or nothing; a batch has at most `BATCH_ITEMS`. */
  readonly write: (batch: Batch) => Promise<void>;
};

const TOLD_MAX = 100_000;

/** Makes the rest of the store over a connection. */
export function createRedisRest(
  link: RedisLink,
  keyspace: Keyspace,
  options: RestOptions = {},
): Rest {
  const records = { link, keyspace };
  const { toldMax = TOLD_MAX, onFailure } = options;
  return {
    listEvents: (filter, page) => listEvents(link, keyspace, filter, page),
    usageOf: (keyId, fromMs) => usageOf(records, keyId, fromMs),
    keysDue: (span, notice, limit) => keysDue(records, span, notice, limit),
    getSetting: (name) => getSetting(link, keyspace, name),
    putSetting: (name, value) => putSetting(link, keyspace, name, value),
    prune: (times) => prune(link, keyspace, times),
    findAnswer: (id, nowMs) => findAnswer(link, keyspace, id, nowMs),
    write: createBatchWriter(link, keyspace, { toldMax, onFailure }),
  };
}
