import type { UsageHour } from '../../../core/record-store.ts';
import { HOUR_MS, type SummedUse } from '../../batch.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readAll, textsOf } from './read.ts';
import { inTuples } from './tuples.ts';

const DAY_HOURS = 24;

/** One count as `usage.lua` keeps it: the field of its day and reason, its hour in the day. */
export type UsageCount = { readonly field: string; readonly hour: number; readonly count: number };

export function usageCounts({ counts }: SummedUse): readonly UsageCount[] {
  return counts.map(({ hour, reason, count }) => ({
    field: `${dayOf(hour)} ${reason}`,
    hour: hour % DAY_HOURS,
    count,
  }));
}

/** The day of an hour, both counted from the epoch. */
export function dayOf(hour: number): number {
  return Math.floor(hour / DAY_HOURS);
}

/** Uses of a key by hour, oldest first; `requests` are all, `refusals` those of them that were refused. */
export async function usageOf(
  { link, keyspace }: { readonly link: RedisLink; readonly keyspace: Keyspace },
  keyId: string,
  fromMs: number,
): Promise<readonly UsageHour[]> {
  const [reply] = await readAll(link, [{ read: 'HGETALL', key: keyspace.usage(keyId) }]);
  const first = Math.floor(fromMs / HOUR_MS);
  const hours = new Map<number, { requests: number; refusals: Map<string, number> }>();
  for (const { hour, reason, count } of inTuples(textsOf(reply), 2).flatMap(readDay)) {
    if (hour < first) continue;
    const known = hours.get(hour) ?? { requests: 0, refusals: new Map() };
    hours.set(hour, known);
    known.requests += count;
    if (reason !== '') known.refusals.set(reason, count);
  }
  return [...hours]
    .sort(([one], [other]) => one - other)
    .map(([hour, { requests, refusals }]) => ({
      startMs: hour * HOUR_MS,
      requests,
      refusals: Object.fromEntries([...refusals].sort()),
    }));
}

/** Reads `<day> <reason>` and the counts of its hours, as `0:7 23:1`. */
export function readDay([field = '', text = '']: readonly string[]) {
  const space = field.indexOf(' ');
  const day = Number(field.slice(0, space));
  const reason = field.slice(space + 1);
  return text.split(' ').map((pair) => {
    const [hour, count] = pair.split(':').map(Number);
    if (hour === undefined || !count) throw new Error('the usage of a key in the store is broken');
    return { hour: day * DAY_HOURS + hour, reason, count };
  });
}
