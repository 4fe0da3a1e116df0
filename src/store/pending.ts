import type {
  KeyFilter,
  ListedKey,
  PageRequest,
  RecordStore,
  UsageHour,
} from '../core/record-store.ts';
import { HOUR_MS, type SummedUse } from './batch.ts';

type Pending = (keyId: string) => SummedUse | undefined;
type Read = Pick<RecordStore, 'getKey' | 'getKeyByHash' | 'listKeys' | 'usageOf'>;

/** The same reads, with the uses that are not written yet: what is shown of a key is right at once. */
export function withPending<R extends Read>(records: R, pending: Pending): R {
  return {
    ...records,
    getKey: async (id: string) => used(await records.getKey(id), pending),
    getKeyByHash: async (hash: string) => used(await records.getKeyByHash(hash), pending),
    listKeys: async (filter: KeyFilter, asked: PageRequest) => {
      const page = await records.listKeys(filter, asked);
      const items = page.items.filter(({ record }) => isListed(filter, pending(record.id)));
      return { ...page, items: items.map((item) => used(item, pending)) };
    },
    usageOf: async (keyId: string, fromMs: number) =>
      counted(await records.usageOf(keyId, fromMs), pending(keyId), fromMs),
  };
}

/** Whether a key is still unused since the moment that is asked for; a page may then hold less than its limit. */
function isListed({ unusedSinceMs }: KeyFilter, waiting: SummedUse | undefined): boolean {
  return unusedSinceMs === undefined || (waiting?.lastMs ?? 0) < unusedSinceMs;
}

function used<K extends ListedKey | undefined>(listed: K, pending: Pending): K {
  const lastMs = listed && pending(listed.record.id)?.lastMs;
  if (!listed || !lastMs || lastMs <= (listed.lastUsedAtMs ?? 0)) return listed;
  return { ...listed, lastUsedAtMs: lastMs };
}

function counted(
  written: readonly UsageHour[],
  waiting: SummedUse | undefined,
  fromMs: number,
): readonly UsageHour[] {
  const hours = new Map(written.map((hour) => [hour.startMs, hour]));
  const first = Math.floor(fromMs / HOUR_MS);
  for (const { hour, reason, count } of waiting?.counts ?? []) {
    if (hour < first) continue;
    const startMs = hour * HOUR_MS;
    const empty: UsageHour = { startMs, requests: 0, refusals: {} };
    const { requests, refusals } = hours.get(startMs) ?? empty;
    const more = reason === '' ? {} : { [reason]: (refusals[reason] ?? 0) + count };
    hours.set(startMs, { startMs, requests: requests + count, refusals: { ...refusals, ...more } });
  }
  return [...hours.values()].sort((one, other) => one.startMs - other.startMs);
}
