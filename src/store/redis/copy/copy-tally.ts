import { type Tally, UNFINISHED_SETTING } from '../../../core/store-copy.ts';
import { readAll, textsOf } from '../records/read.ts';
import { readScript } from '../script.ts';
import { walkAnswers } from './copy-answers.ts';
import { walkCounters } from './copy-counters.ts';
import type { CopyPlace } from './copy-place.ts';
import { walkMembers } from './copy-walk.ts';

/** Keys of which one run counts what is kept of them. */
const TOLD_SLICE = 500;
const USAGE_SLICE = 20;
const WITHIN_MS = 3000;
const TALLY = readScript('tally', 'master');

/** How many of each kind are kept. */
export async function tally(place: CopyPlace, nowMs: number): Promise<Tally> {
  const { keyspace } = place;
  const { recordNames } = keyspace;
  const cards = [
    ...['workspace', 'role', 'user', 'team'].map(recordNames),
    keyspace.keys,
    keyspace.eventsByTime,
  ];
  const [settings, ...counts] = await readAll(place.link, [
    { read: 'HKEYS', key: keyspace.settings },
    ...cards.map((key) => ({ read: 'ZCARD', key })),
  ]);
  const [workspace = 0, role = 0, user = 0, team = 0, key = 0, event = 0] = counts.map(Number);
  return {
    setting: textsOf(settings).filter((name) => name !== UNFINISHED_SETTING).length,
    ...{ workspace, role, user, team, key, event },
    notice: await sumOver(place, 'told', TOLD_SLICE),
    usage: await sumOver(place, 'usage', USAGE_SLICE),
    counter: await lengthOf(walkCounters(place, nowMs)),
    answer: await lengthOf(walkAnswers(place, nowMs)),
  };
}

async function sumOver(place: CopyPlace, what: 'told' | 'usage', slice: number): Promise<number> {
  const { link, keyspace } = place;
  let sum = 0;
  const index = what === 'told' ? keyspace.keys : keyspace.usageOldest;
  for await (const members of walkMembers(place, index, slice)) {
    const keys = members.map(({ member }) => keyspace[what](member));
    const reply = await link.runAside({ script: TALLY, keys, args: [what], withinMs: WITHIN_MS });
    sum += Number(reply);
  }
  return sum;
}

async function lengthOf(parts: AsyncIterable<readonly unknown[]>): Promise<number> {
  let length = 0;
  for await (const part of parts) length += part.length;
  return length;
}
