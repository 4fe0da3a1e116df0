import type { UsageHour } from './record-store.ts';

/** What this hour of a key has of requests, or of refusals, beside its busiest hour of the last seven days. */
export type Unusual = { readonly inHour: number; readonly busiest: number };

/** Requests and refusals that are far above a key's own history; undefined where they are not. */
export type JudgedUsage = {
  readonly requests?: Unusual | undefined;
  readonly refusals?: Unusual | undefined;
};

type Rules = { readonly factor: number; readonly atLeast: number };

const HOUR_MS = 3_600_000;
/** A key that was first used a shorter time ago has no history to differ from. */
const KNOWN_MS = 24 * HOUR_MS;
const COMPARED_MS = 7 * 24 * HOUR_MS;

/** When the hour of a moment began. */
export function hourOf(timeMs: number): number {
  return timeMs - (timeMs % HOUR_MS);
}

/**
 * Judges the hour of `nowMs` by the hours before it. Unusual is what is at least `atLeast`, and more than `factor`
 * times the busiest hour of seven days; a week without any use makes everything unusual. In its first day a key has
 * nothing unusual.
 */
export function judgeUsage(hours: readonly UsageHour[], nowMs: number, rules: Rules): JudgedUsage {
  const thisHourMs = hourOf(nowMs);
  const before = hours.filter(({ startMs }) => startMs < thisHourMs);
  if (!before.some(({ startMs }) => startMs <= nowMs - KNOWN_MS)) return {};
  const current = hours.find(({ startMs }) => startMs === thisHourMs);
  const compared = before.filter(({ startMs }) => startMs >= nowMs - COMPARED_MS);
  const judge = (count: (hour: UsageHour) => number): Unusual | undefined => {
    const inHour = current ? count(current) : 0;
    const busiest = compared.reduce((most, hour) => Math.max(most, count(hour)), 0);
    return inHour >= rules.atLeast && inHour > rules.factor * busiest
      ? { inHour, busiest }
      : undefined;
  };
  return { requests: judge(({ requests }) => requests), refusals: judge(refusalsOf) };
}

/** The few hours that are judged in the hour of `nowMs` as all are: a month of a key is not to be held in memory. */
export function tellingHours(hours: readonly UsageHour[], nowMs: number): readonly UsageHour[] {
  const thisHourMs = hourOf(nowMs);
  const compared = hours.filter(
    ({ startMs }) => startMs >= nowMs - COMPARED_MS && startMs < thisHourMs,
  );
  const telling = [
    greatest(hours, ({ startMs }) => -startMs),
    greatest(compared, ({ requests }) => requests),
    greatest(compared, refusalsOf),
    hours.find(({ startMs }) => startMs === thisHourMs),
  ];
  return [...new Set(telling.filter((hour) => hour !== undefined))];
}

function greatest(
  hours: readonly UsageHour[],
  count: (hour: UsageHour) => number,
): UsageHour | undefined {
  return hours.reduce<UsageHour | undefined>(
    (most, hour) => (most && count(most) >= count(hour) ? most : hour),
    undefined,
  );
}

/** All refusals of an hour. */
export function refusalsOf({ refusals }: Pick<UsageHour, 'refusals'>): number {
  return Object.values(refusals).reduce((sum, count) => sum + count, 0);
}
