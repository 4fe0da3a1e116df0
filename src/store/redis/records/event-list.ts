import type { EventFilter, Page, PageRequest } from '../../../core/record-store.ts';
import type { AuditEvent } from '../../../core/records.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { readEvent } from './events.ts';
import { type Reply, readAll, textsOf } from './read.ts';
import { inTuples } from './tuples.ts';

/** A place among the events; the score is the text of a number. */
type Place = { readonly score: string; readonly id: string };
type Found = Place & { readonly json: string };
type Slice = { readonly found: readonly Found[]; readonly next: Place | undefined };
/** Indexes of which an event stands in one. */
type Group = readonly string[];
type Walk = { readonly groups: readonly Group[]; readonly from: string; readonly wanted: number };

/** Look-ups in one run, after which other work may come between: about a millisecond of Redis. */
const RUN_LOOK_UPS = 1000;
const WITHIN_MS = 3000;
const LIST_EVENTS = readScript('list-events', 'place');

/** A page of events, the newest first. `next` is a place, which stands also when its event is forgotten. */
export async function listEvents(
  link: RedisLink,
  keyspace: Keyspace,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<AuditEvent>> {
  const groups = await groupsOf(link, keyspace, filter);
  const from = filter.fromMs === undefined ? '-inf' : String(filter.fromMs);
  const found: Found[] = [];
  let place = groups.some((group) => group.length === 0) ? undefined : beginOf(filter, page.after);
  while (place && found.length <= page.limit) {
    const walk = { groups, from, wanted: page.limit + 1 - found.length };
    const slice = await readSlice(link, keyspace, walk, place);
    found.push(...slice.found);
    place = slice.next;
  }
  const shown = found.slice(0, page.limit);
  const last = found.length > page.limit ? shown.at(-1) : undefined;
  return {
    items: shown.map(({ id, json }) => readEvent(id, json)),
    next: last && `${last.score} ${last.id}`,
  };
}

async function readSlice(
  link: RedisLink,
  keyspace: Keyspace,
  { groups, from, wanted }: Walk,
  place: Place,
): Promise<Slice> {
  const sizes = groups.map((group) => group.length);
  const reply = await link.runAside({
    script: LIST_EVENTS,
    keys: [keyspace.events, ...groups.flat()],
    args: [place.score, place.id, from, wanted, RUN_LOOK_UPS, ...sizes],
    withinMs: WITHIN_MS,
  });
  const [score = '', id = '', ...texts] = textsOf(reply as Reply);
  const found = inTuples(texts, 3).flatMap(([at = '', of = '', json = '']) =>
    json === '' ? [] : [{ score: at, id: of, json }],
  );
  return { found, next: score === '' ? undefined : { score, id } };
}

/** The groups of a filter: an event that it means stands in each. */
async function groupsOf(
  link: RedisLink,
  keyspace: Keyspace,
  filter: EventFilter,
): Promise<readonly Group[]> {
  const { workspace, event, object, actor, reason } = filter;
  const groups: Group[] = [];
  if (workspace !== undefined) groups.push([keyspace.eventsWith('workspace', workspace ?? '')]);
  if (object !== undefined) groups.push([keyspace.eventsWith('object', object)]);
  if (actor !== undefined) groups.push([keyspace.eventsWith('actor', actor)]);
  if (reason !== undefined) groups.push([keyspace.eventsWith('reason', reason)]);
  if (event !== undefined && event !== '*') {
    const names = await eventNames(link, keyspace, event);
    groups.push(names.map((name) => keyspace.eventsWith('event', name)));
  }
  return groups.length === 0 ? [[keyspace.eventsByTime]] : groups;
}

async function eventNames(
  link: RedisLink,
  keyspace: Keyspace,
  event: string,
): Promise<readonly string[]> {
  if (!event.endsWith('*')) return [event];
  const start = event.slice(0, -1);
  const read = 'ZRANGEBYLEX';
  const [names] = await readAll(link, [
    { read, key: keyspace.eventNames, args: [`[${start}`, '+'] },
  ]);
  return textsOf(names).filter((name) => name.startsWith(start));
}

/** The place that a page begins below; undefined for a text that no page named. */
function beginOf({ toMs }: EventFilter, after: string | undefined): Place | undefined {
  const end = { score: toMs === undefined ? '+inf' : String(toMs), id: '' };
  if (after === undefined) return end;
  const space = after.indexOf(' ');
  const score = after.slice(0, space);
  if (!/^\d{1,16}(\.\d{1,17})?$/.test(score)) return undefined;
  const isBefore = toMs === undefined || Number(score) < toMs;
  return isBefore ? { score, id: after.slice(space + 1) } : end;
}
