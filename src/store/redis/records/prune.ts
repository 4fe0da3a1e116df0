import { HOUR_MS } from '../../batch.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { apply } from './apply.ts';
import { forgetOps, type KeptEvent, readEvent } from './events.ts';
import { listOf, readAll, textOf, textsOf } from './read.ts';
import { dayOf } from './usage.ts';

/** Events, and keys whose usage is looked at, in one slice, after which other work may come between. */
const SLICE_EVENTS = 100;
const SLICE_KEYS = 20;
const WITHIN_MS = 3000;
const PRUNE_USAGE = readScript('prune-usage', 'usage');

/** Before when events and hours of usage are forgotten, epoch ms. Redis forgets answers by itself. */
export type PruneTimes = { readonly eventsMs: number; readonly usageMs: number };

/** Forgets what is past its time, in slices. */
export async function prune(
  link: RedisLink,
  keyspace: Keyspace,
  { eventsMs, usageMs }: PruneTimes,
): Promise<void> {
  const events = { index: keyspace.eventsByTime, upTo: `(${eventsMs}` };
  let forgotten: number;
  do forgotten = await forgetOldest(link, keyspace, events, SLICE_EVENTS);
  while (forgotten === SLICE_EVENTS);
  await pruneUsage(link, keyspace, Math.floor(usageMs / HOUR_MS));
}

/** Forgets so many of the oldest events that no change caused: whoever is refused a lot must not fill the memory. */
export async function trimTold(link: RedisLink, keyspace: Keyspace, count: number): Promise<void> {
  const told = { index: keyspace.eventsTold, upTo: '+inf' };
  for (let left = count; left > 0; left -= SLICE_EVENTS) {
    const forgotten = await forgetOldest(link, keyspace, told, Math.min(left, SLICE_EVENTS));
    if (forgotten === 0) return;
  }
}

/** Forgets the oldest events of an index; the answer is how many there were. */
async function forgetOldest(
  link: RedisLink,
  keyspace: Keyspace,
  { index, upTo }: { readonly index: string; readonly upTo: string },
  count: number,
): Promise<number> {
  const range = { read: 'ZRANGEBYSCORE', key: index, args: ['-inf', upTo, 'LIMIT', 0, count] };
  const ids = textsOf((await readAll(link, [range]))[0]);
  if (ids.length === 0) return 0;
  const [records] = await readAll(link, [{ read: 'HMGET', key: keyspace.events, args: ids }]);
  const kept = listOf(records).map((json, at) => keptEvent(ids[at] ?? '', textOf(json)));
  await apply(link, keyspace, { conditions: [], ops: forgetOps(keyspace, kept) });
  return ids.length;
}

/** A broken event is forgotten, too. */
function keptEvent(id: string, json: string | undefined): KeptEvent {
  try {
    return { id, event: json === undefined ? undefined : readEvent(id, json) };
  } catch {
    return { id, event: undefined };
  }
}

async function pruneUsage(link: RedisLink, keyspace: Keyspace, firstHour: number): Promise<void> {
  const day = dayOf(firstHour);
  const limit = ['LIMIT', 0, SLICE_KEYS];
  const range = {
    read: 'ZRANGEBYSCORE',
    key: keyspace.usageOldest,
    args: ['-inf', `(${firstHour}`, ...limit],
  };
  for (;;) {
    const ids = textsOf((await readAll(link, [range]))[0]);
    if (ids.length === 0) return;
    await link.runAside({
      script: PRUNE_USAGE,
      keys: [keyspace.usageOldest, ...ids.map((id) => keyspace.usage(id))],
      args: [day, firstHour - day * 24, ...ids],
      withinMs: WITHIN_MS,
    });
  }
}
