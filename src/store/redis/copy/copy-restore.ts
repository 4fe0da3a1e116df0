import type { ItemKind, ItemOf, StoredItem } from '../../../core/store-copy.ts';
import type { Keyspace } from '../keyspace.ts';
import { answerOps } from '../records/answers.ts';
import { apply, type Op } from '../records/apply.ts';
import { putEventOps } from '../records/events.ts';
import { noticeOps } from '../records/notices.ts';
import { usageCounts } from '../records/usage.ts';
import { readScript } from '../script.ts';
import { restoreCounters } from './copy-counters.ts';
import { raiseArrivals, restoreKeys } from './copy-keys.ts';
import type { CopyPlace } from './copy-place.ts';
import { restoreRecords } from './copy-records.ts';

/** Items that one script writes: some milliseconds of Redis. */
const SLICE = 100;
const WITHIN_MS = 3000;
const RESTORE_USAGE = readScript('restore-usage', 'usage');

/** Adds items of one kind. */
export async function restore(
  place: CopyPlace,
  items: readonly StoredItem[],
  nowMs: number,
): Promise<void> {
  await raiseArrivals(place, items);
  const slices = Array.from({ length: Math.ceil(items.length / SLICE) }, (_, at) =>
    items.slice(at * SLICE, (at + 1) * SLICE),
  );
  await Promise.all(slices.map((slice) => restoreSlice(place, slice, nowMs)));
}

async function restoreSlice(
  place: CopyPlace,
  items: readonly StoredItem[],
  nowMs: number,
): Promise<void> {
  const of = <K extends ItemKind>(kind: K) =>
    items.filter((item): item is ItemOf<K> => item.kind === kind);
  const usage = of('usage');
  const counters = of('counter');
  const records = [...of('workspace'), ...of('role'), ...of('user'), ...of('team')];
  const keys = of('key');
  if (records.length > 0) await restoreRecords(place, records);
  if (keys.length > 0) await restoreKeys(place, keys);
  if (counters.length > 0) await restoreCounters(place, counters, nowMs);
  if (usage.length > 0) await restoreUsage(place, usage);
  const { keyspace } = place;
  const ops = [
    ...putEventOps(keyspace, of('event')),
    ...items.flatMap((item) => plainOps(keyspace, item, nowMs)),
  ];
  if (ops.length > 0) await apply(place.link, keyspace, { conditions: [], ops });
}

/** What may be written again as it is. */
function plainOps(keyspace: Keyspace, item: StoredItem, nowMs: number): readonly Op[] {
  switch (item.kind) {
    case 'setting':
      return [{ write: 'HSET', key: keyspace.settings, args: [item.name, item.value] }];
    case 'notice':
      return noticeOps(keyspace, item).ops;
    case 'answer':
      return answerOps(keyspace, item.answer, { nowMs }).ops;
    default:
      return [];
  }
}

async function restoreUsage(
  { link, keyspace }: CopyPlace,
  items: readonly ItemOf<'usage'>[],
): Promise<void> {
  const ofKeys = [...Map.groupBy(items, ({ keyId }) => keyId)];
  const args = ofKeys.flatMap(([keyId, counts]) => {
    const oldest = Math.min(...counts.map(({ hour }) => hour));
    const written = usageCounts({ keyId, lastMs: 0, counts });
    return [
      ...[keyId, oldest, written.length],
      ...written.flatMap(({ field, hour, count }) => [field, hour, count]),
    ];
  });
  const keys = [keyspace.usageOldest, ...ofKeys.map(([keyId]) => keyspace.usage(keyId))];
  await link.runAside({ script: RESTORE_USAGE, keys, args, withinMs: WITHIN_MS });
}
