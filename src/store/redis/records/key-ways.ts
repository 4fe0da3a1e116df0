import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import type { Group, Path, Span } from './key-paths.ts';
import { type Read, readAll } from './read.ts';

/** How to walk over a path: sets or bitmaps or the blocks of a span, from the newest on; and what is to be checked. */
export type Way = { readonly checks: Path } & (
  | { readonly sets: Group }
  | { readonly bits: readonly Group[] }
  | { readonly span: Span }
);

/** The smallest way of each path, without those that nothing stands on. */
export async function chooseWays(
  link: RedisLink,
  keyspace: Keyspace,
  paths: readonly Path[],
): Promise<readonly Way[]> {
  const sizes = await readSizes(link, keyspace, paths);
  return paths.flatMap((path) => {
    const [best] = waysOf(keyspace, path, sizes).toSorted((one, other) => one.size - other.size);
    return best && best.size > 0 ? [best.way] : [];
  });
}

type Sizes = (name: string) => number;

async function readSizes(
  link: RedisLink,
  keyspace: Keyspace,
  paths: readonly Path[],
): Promise<Sizes> {
  const reads = new Map<string, Read>([[keyspace.keys, { read: 'ZCARD', key: keyspace.keys }]]);
  for (const { sets, bits, spans } of paths) {
    for (const key of sets.flat()) reads.set(key, { read: 'ZCARD', key });
    for (const key of bits.flat()) reads.set(key, { read: 'BITCOUNT', key });
    for (const span of spans) {
      reads.set(span.key, { read: 'ZCOUNT', key: span.key, args: ['-inf', endOf(span)] });
    }
  }
  const replies = await readAll(link, [...reads.values()]);
  const sizes = new Map([...reads.keys()].map((key, at) => [key, Number(replies[at])]));
  return (name) => sizes.get(name) ?? 0;
}

/** The end of a span as ZCOUNT has it. */
export function endOf({ is, bound }: Span): string {
  return is === 'below' ? `(${bound}` : String(bound);
}

type SizedWay = { readonly way: Way; readonly size: number };

function waysOf(keyspace: Keyspace, path: Path, sizeOf: Sizes): readonly SizedWay[] {
  const { sets, bits, spans } = path;
  const sizeOfGroup = (names: readonly string[]) =>
    names.reduce((sum, name) => sum + sizeOf(name), 0);
  // The bitmap with the fewest bits leads the walk over all of them.
  const bySize = bits.toSorted((one, other) => sizeOfGroup(one) - sizeOfGroup(other));
  const all = { way: { checks: path, sets: [keyspace.keys] }, size: sizeOf(keyspace.keys) };
  return [
    ...sets.map((group) => {
      const others = sets.filter((other) => other !== group);
      return { way: { checks: { ...path, sets: others }, sets: group }, size: sizeOfGroup(group) };
    }),
    ...bySize.slice(0, 1).map((group) => {
      return { way: { checks: { ...path, bits: [] }, bits: bySize }, size: sizeOfGroup(group) };
    }),
    ...spans.filter(isRange).map((span) => {
      const others = spans.filter((other) => other !== span);
      return { way: { checks: { ...path, spans: others }, span }, size: sizeOf(span.key) };
    }),
    all,
  ];
}

function isRange({ is }: Span): boolean {
  return is !== 'not_at_most';
}
