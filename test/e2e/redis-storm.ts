import type { CheckQuestion } from './check-client.ts';
import { countsOf, type Family, outcomeOf } from './redis-four.ts';

/** A question of a storm, and what became of it in the end. */
export type Verdict = { readonly question: CheckQuestion; readonly outcome: string };

export type Storm = {
  readonly admitted: readonly Verdict[];
  readonly counts: { readonly [outcome: string]: number };
  /** Questions that were answered 503 at first, because this machine was too slow for them. */
  readonly late: number;
};

export type StormOptions = {
  /** Questions that are asked at the same moment; all of them unless given. */
  readonly atOnce?: number | undefined;
  /** Waits until nothing is held for those who were answered 503; hears who was admitted until then. */
  readonly settled: (admitted: readonly Verdict[]) => Promise<void>;
};

/** How many of those who ask again do so at the same time. */
const AGAIN_AT_ONCE = 64;
const ROUNDS_MAX = 20;

/** Asks all siblings in turn. Who is told that Postern cannot judge now asks again, as `retry-after` says. */
export async function storm(
  family: Family,
  questions: readonly CheckQuestion[],
  { atOnce = questions.length, settled }: StormOptions,
): Promise<Storm> {
  const ask = async (question: CheckQuestion, turn: number): Promise<Verdict> => {
    return { question, outcome: outcomeOf(await family.at(turn).check(question)) };
  };
  let answers = await inLanes(questions, atOnce, ask);
  const verdicts = answers.filter(isVerdict);
  const late = answers.length - verdicts.length;
  for (let round = 1; verdicts.length < questions.length; round += 1) {
    if (round > ROUNDS_MAX) throw new Error('some are never judged');
    await settled(verdicts.filter(isAdmitted));
    const again = answers.filter((answer) => !isVerdict(answer)).map(({ question }) => question);
    answers = await inLanes(again, AGAIN_AT_ONCE, ask);
    verdicts.push(...answers.filter(isVerdict));
  }
  const admitted = verdicts.filter(isAdmitted);
  await settled(admitted);
  return { admitted, counts: countsOf(verdicts.map(({ outcome }) => outcome)), late };
}

/** How many were admitted, by what a question is asked for; from many to few. */
export function admittedBy(
  admitted: readonly Verdict[],
  facet: (question: CheckQuestion) => string,
): readonly number[] {
  return fromMost(Object.values(countsOf(admitted.map(({ question }) => facet(question)))));
}

/** Numbers from many to few, without those of none. */
export function fromMost(counts: readonly number[]): readonly number[] {
  return counts.filter((count) => count > 0).sort((a, b) => b - a);
}

/** Runs tasks, so many at a time; answers come in any order. */
export async function inLanes<T, R>(
  items: readonly T[],
  lanes: number,
  task: (item: T, turn: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const run = async () => {
    for (const [turn, item] of waiting) results.push(await task(item, turn));
  };
  await Promise.all(Array.from({ length: lanes }, run));
  return results;
}

function isVerdict({ outcome }: Verdict): boolean {
  return outcome !== 'unavailable';
}

function isAdmitted({ outcome }: Verdict): boolean {
  return outcome === 'allow';
}
