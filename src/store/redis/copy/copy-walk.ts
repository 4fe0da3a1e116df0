import { slotOf } from '../link/slots.ts';
import { listOf, type Reply, readAll, textOf, textsOf } from '../records/read.ts';
import { inTuples } from '../records/tuples.ts';
import { readScript } from '../script.ts';
import type { CopyPlace } from './copy-place.ts';

/** A member of a sorted set; the score is the text of a number. */
export type Member = { readonly member: string; readonly score: string };

const WITHIN_MS = 3000;
/** Names that one run looks at: about a millisecond of Redis. */
const SCAN_NAMES = 1000;
const SCAN = readScript('scan', 'master');
const RANGE_OF = readScript('range-of', 'place');

/** All members of a sorted set in their order, in slices. */
export async function* walkMembers(
  { link }: CopyPlace,
  key: string,
  slice: number,
): AsyncGenerator<readonly Member[]> {
  let last: Member = { member: '', score: '-inf' };
  for (;;) {
    const args = [last.score, last.member, 'inf', slice];
    const reply = await link.runAside({ script: RANGE_OF, keys: [key], args, withinMs: WITHIN_MS });
    const found = inTuples(textsOf(reply as Reply), 2).map(([member = '', score = '']) => {
      return { member, score };
    });
    if (found.length > 0) yield found;
    const end = found.at(-1);
    if (!end || found.length < slice) return;
    last = end;
  }
}

/** Texts under all names that match a pattern, of the server that a key lies on; some may be met twice. */
export async function* walkTexts(
  place: CopyPlace,
  nodeKey: string,
  pattern: string,
): AsyncGenerator<readonly (readonly [name: string, text: string])[]> {
  const { link } = place;
  let cursor = '0';
  do {
    const args = [cursor, pattern, SCAN_NAMES];
    const reply = await link.runAside({ script: SCAN, keys: [nodeKey], args, withinMs: WITHIN_MS });
    const [next, found] = listOf(reply as Reply);
    const names = [...new Set(textsOf(found))];
    const texts = await readTexts(place, names);
    const standing = names.flatMap((name, at) => {
      const text = texts[at];
      return text === undefined ? [] : [[name, text] as const];
    });
    if (standing.length > 0) yield standing;
    cursor = textOf(next) ?? '0';
  } while (cursor !== '0');
}

/** On a Cluster each slot is asked by itself. */
async function readTexts(
  { link }: CopyPlace,
  names: readonly string[],
): Promise<readonly (string | undefined)[]> {
  const slots = Map.groupBy(names, (name) => (link.isCluster ? slotOf(name) : 0));
  const texts = new Map<string, string | undefined>();
  const reads = [...slots.values()].map(async (group) => {
    const replies = await readAll(
      link,
      group.map((key) => ({ read: 'GET', key })),
    );
    for (const [at, name] of group.entries()) texts.set(name, textOf(replies[at]));
  });
  await Promise.all(reads);
  return names.map((name) => texts.get(name));
}
