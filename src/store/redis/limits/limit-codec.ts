import type { CounterState, Figures, LimitGroup } from '../../../core/limit.ts';

/** How counters stood, in the order of their keys, and Redis' clock then. */
export type Counted = {
  readonly outcome: 'taken' | 'refused' | 'peeked';
  readonly clockMs: number;
  readonly states: readonly (CounterState | undefined)[];
};

/** The script came after its deadline, and changed nothing. */
export type Late = { readonly outcome: 'late'; readonly clockMs: number };

const OUTCOMES = ['taken', 'refused', 'peeked'] as const;
const WINDOW_NUMBERS = 3;
const BUCKET_NUMBERS = 4;

const writtenFigures = new WeakMap<Figures, string>();

/** A group as `take.lua` reads it: cost, slot and limit of each window, and the bucket's size, limit and length. */
export function writeGroup({ cost, figures }: LimitGroup): string {
  let written = writtenFigures.get(figures);
  if (written === undefined) {
    written = writeFigures(figures);
    writtenFigures.set(figures, written);
  }
  return `[${cost}${written}]`;
}

function writeFigures({ windows, bucket }: Figures): string {
  const numbers = windows.flatMap(({ slot, limit }) => [slot, limit]);
  if (bucket) numbers.push(bucket.size, bucket.limit, bucket.lengthMs);
  return numbers.map((number) => `,${number}`).join('');
}

/** Reads what `take.lua` and `peek.lua` answer. Throws when it is anything else, without telling what it was. */
export function readCounted(reply: unknown): Counted | Late {
  const [word, clock, ...texts] = typeof reply === 'string' ? reply.split(';') : [];
  const clockMs = readNumber(clock);
  if (word === 'late') return { outcome: 'late', clockMs };
  const outcome = OUTCOMES.find((one) => one === word);
  if (!outcome) throw new Error('the script of limits answered something else');
  return { outcome, clockMs, states: texts.map(readState) };
}

/** Redis' clock (epoch ms) as the scripts of limits answer it; undefined where the answer is none of theirs. */
export function readClock(reply: unknown): number | undefined {
  if (typeof reply !== 'string') return undefined;
  const clockMs = Number(reply.split(';', 2).at(-1));
  return clockMs > 0 ? clockMs : undefined;
}

/** A counter's text: slot, start and count of each window, then level, time, length and end of the bucket, if any. */
export function readState(text: string): CounterState | undefined {
  if (text === '') return undefined;
  const numbers = text.split(',').map(readNumber);
  const bucketNumbers = numbers.length % WINDOW_NUMBERS === 1 ? BUCKET_NUMBERS : 0;
  const windowsEnd = numbers.length - bucketNumbers;
  if (windowsEnd % WINDOW_NUMBERS !== 0) throw new Error('a counter holds something else');
  const windows: { slot: number; startMs: number; count: number }[] = [];
  for (let at = 0; at < windowsEnd; at += WINDOW_NUMBERS) {
    const [slot = 0, startMs = 0, count = 0] = numbers.slice(at, at + WINDOW_NUMBERS);
    windows.push({ slot, startMs, count });
  }
  if (bucketNumbers === 0) return { windows };
  const [level = 0, atMs = 0, lengthMs = 0] = numbers.slice(windowsEnd);
  return { windows, bucket: { level, atMs, lengthMs } };
}

function readNumber(text: string | undefined): number {
  const number = Number(text === '' ? undefined : text);
  if (!Number.isFinite(number)) throw new Error('a counter holds something else');
  return number;
}
