import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EventFilter } from '../../../src/core/record-store.ts';
import type { AuditEvent } from '../../../src/core/records.ts';
import type { Store } from '../../../src/store/store.ts';
import { describeRedis, redisUrl } from '../../redis-harness/shared.ts';
import { auditEvent, time } from '../build.ts';
import { openRecords } from './open-records.ts';
import { openScriptLink, type ScriptLink } from './script-link.ts';

describeRedis('events in Redis', () => {
  let here: ScriptLink;
  let store: Store;
  beforeEach(() => {
    here = openScriptLink(redisUrl);
    store = openRecords(here, { toldMax: 10 });
  });
  afterEach(async () => {
    await store.close();
    await here.end();
  });

  const keep = (...events: readonly AuditEvent[]) => store.commit({ writes: [], events });
  const tell = async (...events: readonly AuditEvent[]) => {
    for (const event of events) store.recordEvent(event);
    await store.flush();
  };
  const listed = async (filter: EventFilter = {}, limit = 200) => {
    const met: string[] = [];
    let after: string | undefined;
    do {
      const page = await store.listEvents(filter, { limit, after });
      met.push(...page.items.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined);
    return met;
  };
  const refused = (id: string, more: Partial<AuditEvent> = {}) =>
    auditEvent(id, { event: 'decision.refused', reason: 'rate_limited', ...more });

  test('of one commit stand in its order within a millisecond, the last first', async () => {
    await keep(auditEvent('c'), auditEvent('a'), auditEvent('b'));
    expect(await listed()).toEqual(['b', 'a', 'c']);
    expect(await listed({}, 1)).toEqual(['b', 'a', 'c']);
  });

  test('of one moment are ordered by the bytes of their ids, and pages of one meet each once', async () => {
    const ids = ['a', 'B', 'b', 'A', 'é', 'a0', '_', '~', 'Z', 'z'];
    for (const id of ids) await keep(auditEvent(id));
    const byBytes = [...ids].sort((one, other) =>
      Buffer.compare(Buffer.from(one), Buffer.from(other)),
    );
    expect(await listed()).toEqual([...byBytes].reverse());
    for (const limit of [1, 2, 3]) expect(await listed({}, limit)).toEqual([...byBytes].reverse());
    expect(await listed({ event: 'key.*' }, 1)).toEqual([...byBytes].reverse());
  });

  test('by every two filters are those that a plain look at all of them finds', async () => {
    const events = oddEvents();
    for (let at = 0; at < events.length; at += 80) await keep(...events.slice(at, at + 80));
    const ordered = [...events].reverse();
    for (const filter of pairsOf(SINGLE)) {
      const wanted = ordered.filter((event) => matches(filter, event)).map(({ id }) => id);
      expect(await listed(filter, 97), JSON.stringify(filter)).toEqual(wanted);
    }
  });

  test('that are rare among thousands are found, by whichever two filters', async () => {
    const many = Array.from({ length: 3000 }, (_, at) =>
      auditEvent(`m${at}`, { workspace_id: 'w', object: { kind: 'key', id: `k${at % 2}` } }),
    );
    const rare = auditEvent('rare', { workspace_id: 'w', event: 'user.updated', time: time(-1) });
    const other = auditEvent('other', { workspace_id: 'x', object: { kind: 'key', id: 'k0' } });
    await keep(rare, ...many, other);
    expect(await listed({ workspace: 'w', event: 'user.*' })).toEqual(['rare']);
    expect(await listed({ workspace: 'x', object: 'k0' })).toEqual(['other']);
    expect(await listed({ workspace: 'w', event: 'key.created', object: 'k1' }, 150)).toHaveLength(
      1500,
    );
    expect(await listed({ object: 'k0', event: 'user.*' })).toEqual([]);
  });

  test('go on at the right place where the last one shown was forgotten', async () => {
    await keep(...['a', 'b', 'c'].map((id, at) => auditEvent(id, { time: time(at) })));
    const { items, next } = await store.listEvents({}, { limit: 1 });
    expect(items.map(({ id }) => id)).toEqual(['c']);
    await store.prune({ eventsMs: Infinity, usageMs: 0, nowMs: 0 });
    await keep(auditEvent('a2', { time: time(1) }), auditEvent('d', { time: time(9) }));
    const more = await store.listEvents({}, { limit: 9, after: next });
    expect(more.items.map(({ id }) => id)).toEqual(['a2']);
  });

  test.each(['', 'a', ' a', 'NaN a', 'inf ', '-1 a', '1e9 a', `${'9'.repeat(400)} a`, '5'])(
    'after %j, which no page named, there are none',
    async (after) => {
      await keep(auditEvent('a'));
      expect(await store.listEvents({}, { limit: 9, after })).toEqual({ items: [] });
    },
  );

  test('of an id that is kept already are an error, and nothing of the commit is done', async () => {
    await keep(auditEvent('a'));
    const again = auditEvent('a', { event: 'user.updated' });
    await expect(keep(auditEvent('b'), again)).rejects.toThrow('same id');
    await expect(keep(auditEvent('c'), auditEvent('c'))).rejects.toThrow('same id');
    expect(await listed()).toEqual(['a']);
    expect(await listed({ event: 'user.*' })).toEqual([]);
  });

  test('that were told twice stay as they were kept first', async () => {
    await tell(refused('a'));
    await tell(refused('a', { reason: 'unknown_key' }), refused('b'));
    expect(await listed({ reason: 'unknown_key' })).toEqual([]);
    expect(await listed({ reason: 'rate_limited' })).toEqual(['b', 'a']);
  });

  test('that no change caused are bounded, and those of changes stay', async () => {
    await keep(...Array.from({ length: 20 }, (_, at) => auditEvent(`c${at}`, { time: time(-99) })));
    const ids = Array.from({ length: 25 }, (_, at) => `t${String(at).padStart(2, '0')}`);
    await tell(...ids.map((id, at) => refused(id, { workspace_id: 'w', time: time(at) })));
    const newest = ids.slice(-10).reverse();
    for (const filter of [
      { workspace: 'w' },
      { event: 'decision.refused' },
      { reason: 'rate_limited' },
    ]) {
      expect(await listed(filter)).toEqual(newest);
    }
    expect(await listed()).toHaveLength(30);
    expect(await here.client.hlen(here.keyspace.events)).toBe(30);
  });
});

const ODD = ['w', 'w:event', '', 'a\0b', 'events-with', '{x}', '*', 'é'];
const NAMES = ['key.created', 'key.revoked', 'keys.odd', 'key.', 'user.updated'];

/** Events whose values look like parts of names in Redis; their ids and times rise. */
function oddEvents(): readonly AuditEvent[] {
  const pick = <T>(values: readonly T[], at: number) => values[at % values.length];
  return Array.from({ length: 400 }, (_, at) => {
    const [workspace, object, actor] = [
      pick(ODD, at),
      pick(ODD, at * 3 + 1),
      pick(ODD, at * 5 + 2),
    ];
    const reason = at % 3 === 0 ? pick(ODD, at + 4) : undefined;
    return auditEvent(`e${String(at).padStart(4, '0')}`, {
      time: time(Math.floor(at / 4)),
      event: pick(NAMES, at * 7 + Math.floor(at / 9)) ?? '',
      ...(workspace ? { workspace_id: workspace } : {}),
      ...(at % 2 === 0 ? { object: { kind: 'key', id: object ?? '' } } : {}),
      ...(at % 5 === 0 ? { actor: { kind: 'admin', id: actor ?? '' } } : {}),
      ...(reason === undefined ? {} : { reason }),
    });
  });
}

const SINGLE: readonly EventFilter[] = [
  {},
  ...['w', 'w:event', 'a\0b', 'nobody', null].map((workspace) => ({ workspace })),
  ...['w:event', 'a\0b', 'events-with', '*', 'nobody'].map((object) => ({ object })),
  ...['{x}', 'é', ''].map((actor) => ({ actor })),
  ...['w', '*', 'nobody'].map((reason) => ({ reason })),
  ...['key.created', 'key.*', 'key.', 'k*', '*', 'none.*'].map((event) => ({ event })),
  { fromMs: Date.parse(time(20)) },
  { toMs: Date.parse(time(80)) },
  { fromMs: Date.parse(time(20)), toMs: Date.parse(time(21)) },
];

function pairsOf(filters: readonly EventFilter[]): readonly EventFilter[] {
  return filters.flatMap((one) => filters.map((other) => ({ ...one, ...other })));
}

/** What a filter means, said again without an index. */
function matches(filter: EventFilter, event: AuditEvent): boolean {
  const { workspace, object, actor, reason, fromMs, toMs } = filter;
  const timeMs = Date.parse(event.time);
  const name = filter.event;
  return (
    (workspace === undefined || (event.workspace_id ?? null) === workspace) &&
    (object === undefined || event.object?.id === object) &&
    (actor === undefined || event.actor?.id === actor) &&
    (reason === undefined || event.reason === reason) &&
    (fromMs === undefined || timeMs >= fromMs) &&
    (toMs === undefined || timeMs < toMs) &&
    (name === undefined ||
      (name.endsWith('*') ? event.event.startsWith(name.slice(0, -1)) : event.event === name))
  );
}
