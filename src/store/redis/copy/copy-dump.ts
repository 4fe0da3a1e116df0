import type { RecordKind } from '../../../core/records.ts';
import { type ItemKind, type StoredItem, UNFINISHED_SETTING } from '../../../core/store-copy.ts';
import { readEvent } from '../records/events.ts';
import { listOf, readAll, textOf, textsOf } from '../records/read.ts';
import { KEY_FIELDS, readKeptKey, readVersioned } from '../records/records-layout.ts';
import { inTuples } from '../records/tuples.ts';
import { readDay } from '../records/usage.ts';
import { walkAnswers } from './copy-answers.ts';
import { walkCounters } from './copy-counters.ts';
import type { CopyPlace } from './copy-place.ts';
import { type Member, walkMembers } from './copy-walk.ts';

/** Items of one part, whose reading takes Redis a millisecond or two. */
const SLICE = 250;
/** A key may have many hours. */
const USAGE_SLICE = 20;

type Stage = (place: CopyPlace, nowMs: number) => AsyncIterable<readonly StoredItem[]>;

/** All items of some kinds, in parts. */
export async function* dump(
  place: CopyPlace,
  kinds: readonly ItemKind[],
  nowMs: number,
): AsyncGenerator<readonly StoredItem[]> {
  for (const kind of kinds) {
    for await (const items of STAGES[kind](place, nowMs)) if (items.length > 0) yield items;
  }
}

const STAGES: { readonly [K in ItemKind]: Stage } = {
  setting: dumpSettings,
  workspace: recordStage('workspace'),
  role: recordStage('role'),
  user: recordStage('user'),
  team: recordStage('team'),
  key: dumpKeys,
  notice: dumpNotices,
  counter: walkCounters,
  usage: dumpUsage,
  event: dumpEvents,
  answer: dumpAnswers,
};

async function* dumpSettings({ link, keyspace }: CopyPlace): AsyncGenerator<readonly StoredItem[]> {
  const [reply] = await readAll(link, [{ read: 'HGETALL', key: keyspace.settings }]);
  yield inTuples(textsOf(reply), 2)
    .filter(([name]) => name !== UNFINISHED_SETTING)
    .map(([name = '', value = '']) => ({ kind: 'setting', name, value }));
}

function recordStage<K extends Exclude<RecordKind, 'key'>>(kind: K): Stage {
  return async function* dumpRecords(place) {
    const { link, keyspace } = place;
    for await (const members of walkMembers(place, keyspace.recordNames(kind), SLICE)) {
      const fields = members.map(({ member }) => member);
      const read = { read: 'HMGET', key: keyspace.records(kind), args: fields };
      const texts = listOf((await readAll(link, [read]))[0]).map(textOf);
      yield fields.flatMap((field, at) => {
        const text = texts[at];
        return text === undefined
          ? []
          : [{ kind, ...readVersioned(kind, field, text) } as StoredItem];
      });
    }
  };
}

async function* dumpKeys(place: CopyPlace): AsyncGenerator<readonly StoredItem[]> {
  const { link, keyspace } = place;
  for await (const members of walkMembers(place, keyspace.keys, SLICE)) {
    const replies = await readAll(
      link,
      members.map(({ member }) => ({
        read: 'HMGET',
        key: keyspace.key(member),
        args: KEY_FIELDS,
      })),
    );
    yield members.flatMap(({ member }, at) => {
      const key = readKeptKey(member, replies[at]);
      return key ? [{ kind: 'key', ...key } as const] : [];
    });
  }
}

async function* dumpNotices(place: CopyPlace): AsyncGenerator<readonly StoredItem[]> {
  const { link, keyspace } = place;
  for await (const members of walkMembers(place, keyspace.keys, SLICE)) {
    const replies = await readAll(
      link,
      members.map(({ member }) => ({ read: 'SMEMBERS', key: keyspace.told(member) })),
    );
    yield members.flatMap(({ member: keyId }, at) =>
      textsOf(replies[at]).map((told): StoredItem => {
        const end = told.indexOf('\0');
        return { kind: 'notice', keyId, notice: told.slice(0, end), mark: told.slice(end + 1) };
      }),
    );
  }
}

async function* dumpUsage(place: CopyPlace): AsyncGenerator<readonly StoredItem[]> {
  const { link, keyspace } = place;
  for await (const members of walkMembers(place, keyspace.usageOldest, USAGE_SLICE)) {
    const replies = await readAll(
      link,
      members.map(({ member }) => ({ read: 'HGETALL', key: keyspace.usage(member) })),
    );
    yield members.flatMap(({ member: keyId }, at) =>
      inTuples(textsOf(replies[at]), 2)
        .flatMap(readDay)
        .map((counted): StoredItem => ({ kind: 'usage', keyId, ...counted })),
    );
  }
}

/** Scores of one millisecond differ in their fraction. */
async function* dumpEvents(place: CopyPlace): AsyncGenerator<readonly StoredItem[]> {
  let last = { timeMs: Number.NEGATIVE_INFINITY, at: -1 };
  for await (const members of walkMembers(place, place.keyspace.eventsByTime, SLICE)) {
    const { texts, told } = await readEvents(place, members);
    const items: StoredItem[] = [];
    for (const [index, { member, score }] of members.entries()) {
      const timeMs = Math.floor(Number(score));
      last = { timeMs, at: timeMs === last.timeMs ? last.at + 1 : 0 };
      const text = texts[index];
      if (text === undefined) continue;
      const isTold = told[index] !== undefined;
      items.push({ kind: 'event', event: readEvent(member, text), isTold, at: last.at });
    }
    yield items;
  }
}

async function readEvents({ link, keyspace }: CopyPlace, members: readonly Member[]) {
  const ids = members.map(({ member }) => member);
  const [texts, told] = await readAll(link, [
    { read: 'HMGET', key: keyspace.events, args: ids },
    { read: 'ZMSCORE', key: keyspace.eventsTold, args: ids },
  ]);
  return { texts: listOf(texts).map(textOf), told: listOf(told).map(textOf) };
}

async function* dumpAnswers(
  place: CopyPlace,
  nowMs: number,
): AsyncGenerator<readonly StoredItem[]> {
  for await (const answers of walkAnswers(place, nowMs)) {
    yield answers.map((answer) => ({ kind: 'answer', answer }));
  }
}
