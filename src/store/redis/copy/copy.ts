import { type StoreCopy, UNFINISHED_SETTING } from '../../../core/store-copy.ts';
import { readStamp } from '../gate/news.ts';
import { createKeyspace } from '../keyspace.ts';
import { probeCall } from '../limits/limit-trips.ts';
import { openRedisLink } from '../link/open-link.ts';
import type { RedisSettings } from '../options.ts';
import { apply, type Op } from '../records/apply.ts';
import { getSetting, putSetting } from '../records/kept-settings.ts';
import { readAll, textOf } from '../records/read.ts';
import { dump } from './copy-dump.ts';
import { type CopyPlace, patientLink } from './copy-place.ts';
import { restore } from './copy-restore.ts';
import { tally } from './copy-tally.ts';

/**
 * Opens Redis to copy what it holds, or to copy into it. Rejects where it does not answer, or where the settings cannot
 * be used, or a newer version wrote what it holds. Once open, it outlives some seconds without an answer.
 */
export async function openRedisCopy(settings: RedisSettings): Promise<StoreCopy> {
  const keyspace = createKeyspace(settings.namespace);
  let failure: unknown;
  const link = await openRedisLink(settings, {
    probe: (number) => probeCall(keyspace, number),
    recordsKey: keyspace.stamp,
    onFailure: (cause) => {
      failure ??= cause;
    },
  });
  try {
    const [stamp] = await readAll(link, [{ read: 'GET', key: keyspace.stamp }]);
    readStamp(textOf(stamp) ?? '');
  } catch (cause) {
    await link.close();
    // Why there is no connection says more than that there is none.
    throw failure ?? cause;
  }
  const place: CopyPlace = { link: patientLink(link), keyspace };
  return {
    countersBy: 'digest',
    tally: (nowMs) => tally(place, nowMs),
    dump: (kinds, nowMs) => dump(place, kinds, nowMs),
    restore: (items, nowMs) => restore(place, items, nowMs),
    isUnfinished: async () =>
      (await getSetting(place.link, keyspace, UNFINISHED_SETTING)) !== undefined,
    begin: () => putSetting(place.link, keyspace, UNFINISHED_SETTING, 'yes'),
    finish: () => finish(place),
    close: link.close,
  };
}

/** Whoever follows the changes finds a gap among their numbers, and forgets all that it remembers. */
async function finish({ link, keyspace }: CopyPlace): Promise<void> {
  const changes = [{ kind: 'copy', name: '' }];
  const forget: Op = { write: 'DEL', key: keyspace.changes, args: [] };
  const end: Op = { write: 'HDEL', key: keyspace.settings, args: [UNFINISHED_SETTING] };
  await apply(link, keyspace, { conditions: [], ops: [], changes });
  await apply(link, keyspace, { conditions: [], ops: [forget, end], changes });
}
