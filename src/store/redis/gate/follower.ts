import { randomBytes, randomInt } from 'node:crypto';
import { CHANGE_POLL_MS } from '../../store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { createCensus } from './census.ts';
import {
  type Change,
  type Entry,
  judgeNews,
  type Place,
  type Polled,
  readEntry,
  readStamp,
  type Stamp,
} from './news.ts';

/** What changes are told to. */
export type Followed = {
  /** Forgets what was read of a record before the change of this number. */
  readonly drop: (change: Change, number: number) => void;
  readonly clear: () => void;
};

export type FollowerOptions = {
  /** A clock that never goes back, ms. */
  readonly now: () => number;
  /** Hears once why changes cannot be followed, until they can again. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

/** How changes by other processes are followed. */
export type Follower = {
  /** Follows at once, or very soon where it did so just now. */
  readonly nudge: () => void;
  /** Whether what was read with this stamp is no older than what was followed, so that later changes will drop it. */
  readonly isNews: (stamp: Stamp) => boolean;
  /** When the last poll was sent after whose answer nothing was left to follow, by the clock; undefined before. */
  readonly confirmedAtMs: () => number | undefined;
  /** Processes that follow, as they were seen lately; this one always. */
  readonly instances: () => number;
  readonly close: () => Promise<void>;
};

/** A poll ends before the next begins. */
const POLL_WITHIN_MS = 200;
/** Part of the period by which polls of many processes drift apart. */
const JITTER = 0.1;
/** Messages that come faster are followed together. */
const NUDGE_MS = 10;
/** From so many changes on it costs less to begin anew. */
const CHANGES_MAX = 5000;
const POLL = readScript('poll', 'master');

/** Polls once, then again and again until it is closed; rejects never. */
export async function createFollower(
  link: RedisLink,
  keyspace: Keyspace,
  { followed, ...options }: FollowerOptions & { readonly followed: Followed },
): Promise<Follower> {
  const path = createPath(followed);
  const poll = createPoll(link, keyspace);
  let confirmedAtMs: number | undefined;
  const catchUp = async (isClosed: () => boolean): Promise<void> => {
    let count = 0;
    for (let isBehind = true; isBehind; ) {
      const sentAtMs = options.now();
      const { ahead: aheadWhenSent } = path.now();
      const polled = await poll.send(path.now().seen);
      if (isClosed()) return;
      count += path.follow(polled, { aheadWhenSent, isTooMuch: count > CHANGES_MAX });
      isBehind = path.now().seen?.text !== polled.stamp.text;
      if (!isBehind) confirmedAtMs = sentAtMs;
    }
  };
  const loop = createLoop(catchUp, options.onFailure);
  await loop.run();
  return {
    nudge: loop.nudge,
    isNews(stamp) {
      if (stamp.text !== path.now().seen?.text) loop.nudge();
      return path.isNews(stamp);
    },
    confirmedAtMs: () => confirmedAtMs,
    instances: poll.instances,
    close: loop.close,
  };
}

/** The place in the history of changes up to which a cache was told of them. */
function createPath({ drop, clear }: Followed) {
  let seen: Stamp | undefined;
  let ahead: Stamp | undefined;
  const beginAnew = (at: Stamp): void => {
    clear();
    seen = at;
    ahead = undefined;
  };
  const pass = (entries: readonly Entry[]): number => {
    let count = 0;
    for (const { stamp, changes } of entries) {
      for (const change of changes) drop(change, stamp.number);
      count += changes.length;
    }
    return count;
  };
  return {
    now: () => ({ seen, ahead }),
    /** Tells the cache what is new; the answer is how many changes that were. */
    follow(
      polled: Polled,
      { aheadWhenSent, isTooMuch }: Pick<Place, 'aheadWhenSent'> & { readonly isTooMuch: boolean },
    ): number {
      const news = seen && judgeNews({ seen, ahead, aheadWhenSent }, polled);
      if (!news || isTooMuch || news.changed === 'all') {
        beginAnew(polled.stamp);
        return 0;
      }
      if (news.changed === 'nothing') return 0;
      seen = news.seen;
      if (ahead && ahead.number <= seen.number) ahead = undefined;
      return pass(news.entries);
    },
    isNews(stamp: Stamp): boolean {
      if (!seen || stamp.number < seen.number) return false;
      if (stamp.number === seen.number) return stamp.text === seen.text;
      if (!ahead || stamp.number > ahead.number) ahead = stamp;
      return true;
    },
  };
}

/** The poll of one process, which also counts the processes alive. */
function createPoll(link: RedisLink, { stamp, changes, instances }: Keyspace) {
  const census = createCensus(randomBytes(8).toString('hex'));
  return {
    instances: census.count,
    async send(seen: Stamp | undefined): Promise<Polled> {
      const reply = await link.run({
        script: POLL,
        keys: [stamp, changes, instances],
        args: [seen?.text ?? '', firstEntry(seen), ...census.args()],
        withinMs: POLL_WITHIN_MS,
      });
      const [text, alive, entries] = reply as [
        unknown,
        unknown,
        readonly [string, string[]][] | null,
      ];
      census.learn(alive);
      return { stamp: readStamp(text), entries: entries ? readEntries(entries) : undefined };
    },
  };
}

/** The entry to read from: the one seen last too, because it tells whether its history goes on. */
function firstEntry(seen: Stamp | undefined): string {
  if (!seen) return '';
  return seen.number === 0 ? '0-1' : `${seen.number}-0`;
}

function readEntries(raw: readonly (readonly [string, string[]])[]): readonly Entry[] | undefined {
  const entries = raw.map(readEntry);
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}

/** Runs a task again and again, never twice at once, and soon after a nudge. */
function createLoop(
  task: (isClosed: () => boolean) => Promise<void>,
  onFailure: ((cause: unknown) => void) | undefined,
) {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let [isClosed, isNudged, isTold] = [false, false, false];
  let beganAtMs = Number.NEGATIVE_INFINITY;
  const attempt = async (): Promise<void> => {
    try {
      await task(() => isClosed);
      isTold = false;
    } catch (cause) {
      if (!isTold && !isClosed) onFailure?.(cause);
      isTold = true;
    }
  };
  const wakeAfter = (delayMs: number): void => {
    clearTimeout(timer);
    if (!isClosed) timer = setTimeout(() => void run(), delayMs).unref();
  };
  const run = async (): Promise<void> => {
    clearTimeout(timer);
    beganAtMs = performance.now();
    isNudged = false;
    running = attempt();
    await running;
    running = undefined;
    wakeAfter(isNudged ? NUDGE_MS : period());
  };
  return {
    run,
    nudge(): void {
      if (running !== undefined) isNudged = true;
      else wakeAfter(Math.max(0, beganAtMs + NUDGE_MS - performance.now()));
    },
    close(): Promise<void> {
      isClosed = true;
      clearTimeout(timer);
      return running ?? Promise.resolve();
    },
  };
}

function period(): number {
  const part = randomInt(1001) / 1000;
  return CHANGE_POLL_MS * (1 - JITTER + 2 * JITTER * part);
}
