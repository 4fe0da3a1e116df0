import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import type { Path } from './key-paths.ts';
import { endOf, type Way } from './key-ways.ts';
import { createNamedKeys } from './named-keys.ts';
import { type Reply, textsOf } from './read.ts';

export type Place = { readonly link: RedisLink; readonly keyspace: Keyspace };
/** A key and the number of its arrival. */
export type Met = { readonly id: string; readonly arrival: number };
/** How many are wanted of those that came before an arrival. */
export type Wanted = { readonly below: number; readonly wanted: number };

const LIST_KEYS = readScript('list-keys', 'master', 'key-checks');
const LIST_BY_TIME = readScript('list-keys-by-time', 'master', 'block', 'key-checks');
const SLICE_WITHIN_MS = 3000;
/** Keys looked at by one run of a script, with one check each, which hold up Redis for some 2 ms at most. */
const SLICE_KEYS = 750;
const FIRST_SLICE_KEYS = 300;
const LEAST_SLICE_KEYS = 100;

/** The newest keys on a way, in slices, so that no run of a script holds up Redis for long. */
export async function walk(
  { link, keyspace }: Place,
  way: Way,
  { below, wanted }: Wanted,
): Promise<readonly Met[]> {
  const { script, keys, args: walked } = encode(keyspace, way);
  const most = sliceOf(way.checks);
  const met: Met[] = [];
  let budget = Math.min(most, Math.max(FIRST_SLICE_KEYS, wanted));
  let from: number | 'inf' = below === Number.POSITIVE_INFINITY ? 'inf' : below;
  for (;;) {
    const args = [from, wanted - met.length, budget, ...walked];
    const call = { script, keys, args, withinMs: SLICE_WITHIN_MS };
    const [next, ...found] = textsOf((await link.runAside(call)) as Reply);
    met.push(...pairsOf(found));
    if (!next || met.length >= wanted) return met;
    from = Number(next);
    budget = most;
  }
}

function encode(keyspace: Keyspace, way: Way) {
  if ('span' in way) {
    const { span, checks } = way;
    const names = createNames([keyspace.keys, span.key, span.blocks]);
    const args = [endOf(span), ...names.checks(checks)];
    return { script: LIST_BY_TIME, keys: names.keys(), args };
  }
  const names = createNames([keyspace.keys]);
  const args = [
    ...names.group('sets' in way ? way.sets : []),
    ...names.groups('bits' in way ? way.bits : []),
    ...names.checks(way.checks),
  ];
  return { script: LIST_KEYS, keys: names.keys(), args };
}

/** How many keys one run of a script looks at: the fewer, the more there is to check of each. */
function sliceOf({ sets, bits, spans }: Path): number {
  const checks = sets.flat().length + bits.flat().length + spans.length;
  return Math.max(LEAST_SLICE_KEYS, Math.floor((2 * SLICE_KEYS) / (1 + Math.max(1, checks))));
}

/** Ids and arrivals in turn. */
function pairsOf(texts: readonly string[]): readonly Met[] {
  return Array.from({ length: texts.length / 2 }, (_, at) => {
    return { id: texts[2 * at] ?? '', arrival: Number(texts[2 * at + 1]) };
  });
}

/** Writes groups and checks as the scripts read them, and gathers the names that they mean by their places. */
function createNames(first: readonly string[]) {
  const { keys, placeOf } = createNamedKeys(first);
  const group = (names: readonly string[]) => [names.length, ...names.map(placeOf)];
  const groups = (all: readonly (readonly string[])[]) => [all.length, ...all.flatMap(group)];
  const checks = ({ sets, bits, spans }: Path): readonly (string | number)[] => [
    ...groups(sets),
    ...groups(bits),
    spans.length,
    ...spans.flatMap(({ is, bound, key }) => [is, bound, placeOf(key)]),
  ];
  return { keys, group, groups, checks };
}
