import type { KeyFilter } from '../../../core/record-store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { type Read, readAll, textsOf } from './read.ts';
import { SHOWN_CHARS, shownUnder } from './records-layout.ts';

/** Names in Redis; who stands in one of them stands in the group. */
export type Group = readonly string[];
/** A time of keys, with a bound (epoch ms); `not_at_most` also holds for keys without that time. */
export type Span = {
  readonly key: string;
  /** Blocks of arrivals by the least such time. */
  readonly blocks: string;
  readonly is: 'at_most' | 'below' | 'not_at_most';
  readonly bound: number;
};

/** What a key stands in: in each group of sorted sets by arrival, in each group of bitmaps, and in each span. */
export type Path = {
  readonly sets: readonly Group[];
  readonly bits: readonly Group[];
  readonly spans: readonly Span[];
};

/** The paths that together meet each key of a filter, some of them perhaps twice. */
export async function keyPaths(
  link: RedisLink,
  keyspace: Keyspace,
  filter: KeyFilter,
): Promise<readonly Path[]> {
  const always = pathOf(keyspace, filter);
  const { prefix } = filter;
  if (prefix === undefined || prefix === '') return [always];
  const { whole, shown } = await prefixGroups(link, keyspace, prefix);
  return [
    ...(whole.length === 0 ? [] : [{ ...always, bits: [whole, ...always.bits] }]),
    ...(shown.length === 0 ? [] : [{ ...always, sets: [shown, ...always.sets] }]),
  ];
}

function pathOf({ keysWith, keysBy, keysSeen, blocksBy }: Keyspace, filter: KeyFilter): Path {
  const { workspace, owner, kind, environment, status, unusedSinceMs, nowMs } = filter;
  const group = (field: string, value: string | null | undefined): readonly Group[] =>
    value === undefined ? [] : [[keysWith(field, value ?? '')]];
  // Only active keys have an end among the times.
  const ends = {
    key: keysBy('expires_at'),
    blocks: blocksBy('expires_at'),
    is: status === 'expired' ? 'at_most' : 'not_at_most',
    bound: nowMs,
  } as const;
  const seen = { key: keysSeen, blocks: blocksBy('seen'), is: 'below' } as const;
  return {
    sets: [...group('owner', owner), ...group('workspace', workspace)],
    bits: [
      ...group('status', status === 'expired' ? undefined : status),
      ...group('kind', kind),
      ...group('environment', environment),
    ],
    spans: [
      ...(status === 'active' || status === 'expired' ? [ends] : []),
      ...(unusedSinceMs === undefined ? [] : [{ ...seen, bound: unusedSinceMs }]),
    ],
  };
}

/**
 * `key_prefix` is the prefix of a policy and two characters. There are few prefixes: where one begins with the text,
 * all its keys match; where the text goes on after it, only those of some of its `key_prefix`es.
 */
async function prefixGroups(
  link: RedisLink,
  { keysWith, valuesOf }: Keyspace,
  text: string,
): Promise<{ readonly whole: Group; readonly shown: Group }> {
  const all: Read = { read: 'ZRANGE', key: valuesOf('prefix'), args: [0, -1] };
  const prefixes = textsOf((await readAll(link, [all]))[0]);
  const isCut = (prefix: string) =>
    text.startsWith(prefix) && text !== prefix && text.length <= prefix.length + SHOWN_CHARS;
  const reads = prefixes.filter(isCut).map((prefix) => ({
    read: 'ZRANGEBYLEX',
    key: valuesOf(shownUnder(prefix)),
    args: [`[${text}`, `[${text}${LAST_CHAR}`],
  }));
  const shown = (await readAll(link, reads)).flatMap(textsOf);
  return {
    whole: prefixes
      .filter((prefix) => prefix.startsWith(text))
      .map((prefix) => keysWith('prefix', prefix)),
    shown: [...new Set(shown)].map((value) => keysWith('key_prefix', value)),
  };
}

const LAST_CHAR = '\u{10ffff}';
