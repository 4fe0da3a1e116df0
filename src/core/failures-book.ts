import type { FailureRule } from './alert.ts';
import type { Reached } from './decision.ts';
import type { Usage } from './limit.ts';

/** A map of bounded size that forgets what was longest not put. */
export type Table<V> = {
  readonly get: (key: string) => V | undefined;
  readonly put: (key: string, value: V) => void;
  readonly remove: (key: string) => void;
};

/**
 * What is remembered of failed authentications, by subject. Whoever opens the gate holds it, so that it outlives
 * every policy. Who is refused stands in tables of its own: new subjects, however many, never push one of them out.
 */
export type FailureBook = {
  readonly counts: Table<readonly FailureWindow[]>;
  /** Until when a rule refuses a subject, epoch ms. */
  readonly blocks: Table<number>;
  /** The windows of a route's limits on failures that a subject has used up. */
  readonly holds: Table<readonly Usage[]>;
};

/** The failures of one subject in the fixed UTC window of a length that began at `startMs`. */
export type FailureWindow = {
  readonly lengthMs: number;
  readonly startMs: number;
  readonly count: number;
};

/** Whom a rule counts: an address by `addressSubject`, or the id of a key. */
export type FailureSubject = { readonly by: FailureRule['by']; readonly id: string };

/** Makes a book of empty tables. */
export function createFailureBook(createTable: <V>() => Table<V>): FailureBook {
  return { counts: createTable(), blocks: createTable(), holds: createTable() };
}

/**
 * When the block of a subject ends (epoch ms); undefined where none runs, or no rule blocks any more. It never lies
 * further ahead than the rules in force block: a reload may have shortened them, and a clock may have been set back.
 */
export function blockEnd(
  { blocks }: FailureBook,
  rules: readonly FailureRule[],
  subject: FailureSubject,
  nowMs: number,
): number | undefined {
  const longestMs = longestBlockMs(rules, subject.by);
  if (longestMs === 0) return undefined;
  const entry = entryOf(subject);
  const setMs = blocks.get(entry);
  if (setMs === undefined) return undefined;
  const untilMs = Math.min(setMs, nowMs + longestMs);
  if (nowMs >= untilMs) {
    blocks.remove(entry);
    return undefined;
  }
  // Who goes on stays among those in use, and so is not forgotten before the block ends.
  blocks.put(entry, untilMs);
  return untilMs;
}

/**
 * Counts one failure of a subject, and blocks it where a rule says so: from the failure that comes to the limit on,
 * and again with each failure beyond it in the same window. Answers the limits that this failure has come to.
 */
export function noteFailure(
  book: FailureBook,
  rules: readonly FailureRule[],
  subject: FailureSubject,
  nowMs: number,
): readonly Reached[] {
  const own = rules.filter(({ by }) => by === subject.by);
  if (own.length === 0) return [];
  const entry = entryOf(subject);
  const windows = countFailure(book.counts.get(entry) ?? [], lengthsOf(own), nowMs);
  book.counts.put(entry, windows);
  const ends = own.map((rule) => nowMs + blockMsOf(rule, windows));
  const untilMs = Math.max(book.blocks.get(entry) ?? 0, ...ends);
  if (untilMs > nowMs) book.blocks.put(entry, untilMs);
  return own.flatMap((rule) => reachedOf(rule, windows));
}

/** The windows with one more failure; a clock that was set back opens none of them again. */
function countFailure(
  held: readonly FailureWindow[],
  lengthsMs: ReadonlySet<number>,
  nowMs: number,
): readonly FailureWindow[] {
  return [...lengthsMs].map((lengthMs) => {
    const before = held.find((window) => window.lengthMs === lengthMs);
    const currentMs = Math.floor(nowMs / lengthMs) * lengthMs;
    const startMs = Math.max(currentMs, before?.startMs ?? currentMs);
    const count = before?.startMs === startMs ? before.count + 1 : 1;
    return { lengthMs, startMs, count };
  });
}

function longestBlockMs(rules: readonly FailureRule[], by: FailureRule['by']): number {
  let longestMs = 0;
  for (const rule of rules) if (rule.by === by) longestMs = Math.max(longestMs, rule.blockMs ?? 0);
  return longestMs;
}

function lengthsOf(rules: readonly FailureRule[]): ReadonlySet<number> {
  return new Set(rules.flatMap(({ windows }) => windows.map(({ lengthMs }) => lengthMs)));
}

function countIn(windows: readonly FailureWindow[], lengthMs: number): number {
  return windows.find((window) => window.lengthMs === lengthMs)?.count ?? 0;
}

function reachedOf(rule: FailureRule, counted: readonly FailureWindow[]): readonly Reached[] {
  return rule.windows
    .filter(({ limit, lengthMs }) => countIn(counted, lengthMs) === limit)
    .map(({ limit, lengthMs }) => ({ by: rule.by, limit, windowMs: lengthMs }));
}

/** How long a rule blocks who has these counts; 0 for not. */
function blockMsOf({ windows, blockMs = 0 }: FailureRule, counted: readonly FailureWindow[]) {
  const isOver = windows.some(({ limit, lengthMs }) => countIn(counted, lengthMs) >= limit);
  return isOver ? blockMs : 0;
}

function entryOf({ by, id }: FailureSubject): string {
  return `${by}\n${id}`;
}
