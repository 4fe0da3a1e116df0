/** The number of the newest change with a random part, which tells one history of a Redis from another; text as it stands in Redis. */
export type Stamp = { readonly number: number; readonly text: string };

/**
 * A record that changed, as the gate's caches know it: a key by each hash of it, a workspace by its id, a user by
 * `userName`, roles by their workspace (empty for none).
 */
export type Change = { readonly kind: string; readonly name: string };

/** One entry of the stream of changes. */
export type Entry = { readonly stamp: Stamp; readonly changes: readonly Change[] };

/** What a poll read in one step: the stamp, and what follows the one seen last; undefined where that cannot be read. */
export type Polled = { readonly stamp: Stamp; readonly entries: readonly Entry[] | undefined };

/** What a poll means for a cache; `all`: what changed cannot be told. */
export type News =
  | { readonly changed: 'nothing' }
  | { readonly changed: 'some'; readonly entries: readonly Entry[]; readonly seen: Stamp }
  | { readonly changed: 'all'; readonly seen: Stamp };

/**
 * Reads a stamp, `<number>:<random>`; the empty text is that of a Redis where nothing was changed yet. Throws where it
 * is something else: a version that keeps records in another way writes its stamps in another form, and so shuts out
 * the older ones, whose look-ups and commits all read it.
 */
export function readStamp(text: unknown): Stamp {
  if (text === '') return { number: 0, text };
  const number = typeof text === 'string' ? Number(text.slice(0, text.indexOf(':'))) : Number.NaN;
  if (typeof text !== 'string' || !Number.isSafeInteger(number) || number < 1) {
    throw new Error('the stamp of changes in Redis is that of a newer version, or broken');
  }
  return { number, text };
}

/** Reads an entry of the stream, as Redis answers it; undefined for one that no commit wrote. */
export function readEntry([id, fields]: readonly [string, readonly string[]]): Entry | undefined {
  const [word, text, ...pairs] = fields;
  if (word !== 'stamp' || text === undefined || pairs.length % 2 !== 0) return undefined;
  const stamp = readStamp(text);
  if (id !== `${stamp.number}-0`) return undefined;
  const changes: Change[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    changes.push({ kind: pairs[at] ?? '', name: pairs[at + 1] ?? '' });
  }
  return { stamp, changes };
}

/** Where a cache stands in the history of changes. */
export type Place = {
  /** The stamp up to which it was told of all changes. */
  readonly seen: Stamp;
  /** The newest stamp that a look-up met since, and the one met before the poll was sent. */
  readonly ahead: Stamp | undefined;
  readonly aheadWhenSent: Stamp | undefined;
};

/**
 * What happened since a place. The stream must go on from `seen` without a gap, in one history: after a restart with
 * older data, a failover that lost writes or a flush it does not. What a look-up met must stand in that history too.
 */
export function judgeNews({ seen, ahead, aheadWhenSent }: Place, polled: Polled): News {
  const { stamp } = polled;
  if (aheadWhenSent && aheadWhenSent.number > stamp.number) return { changed: 'all', seen: stamp };
  if (stamp.text === seen.text) return { changed: 'nothing' };
  const entries = entriesAfter(seen, polled);
  const last = entries?.at(-1);
  const isOtherHistory = entries?.some((entry) => isOther(entry.stamp, ahead));
  if (!entries || !last || isOtherHistory || isOther(last.stamp, stamp)) {
    return { changed: 'all', seen: stamp };
  }
  return { changed: 'some', entries, seen: last.stamp };
}

/** The entries after `seen`; undefined unless it comes first and each follows the one before. */
function entriesAfter(seen: Stamp, { stamp, entries }: Polled): readonly Entry[] | undefined {
  const [first] = entries ?? [];
  if (seen.number > 0 && first?.stamp.text !== seen.text) return undefined;
  const after = seen.number > 0 ? entries?.slice(1) : entries;
  const isWhole = after?.every(
    (entry, at) =>
      entry.stamp.number === seen.number + at + 1 && entry.stamp.number <= stamp.number,
  );
  return isWhole ? after : undefined;
}

function isOther(stamp: Stamp, expected: Stamp | undefined): boolean {
  return expected?.number === stamp.number && expected.text !== stamp.text;
}
