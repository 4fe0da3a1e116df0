import { expect } from 'vitest';
import { countsOf, type Figures, figuresOf } from './fault-figures.ts';
import { deciderOf, isFollowed } from './fault-ledger.ts';
import type { Shot } from './fault-load.ts';
import { FAR_LIMIT, HOT_LIMIT } from './fault-policy.ts';
import { type FamilyRun, type FaultRun, isMostlyByRedis } from './fault-run.ts';

/** What holds in a fault, whatever it is, but for what is said here. */
export type Exceptions = {
  /** Requests that Redis admitted may be forgotten by it. */
  readonly mayForget?: boolean | undefined;
  /** Requests that may stay charged though they were decided without Redis. */
  readonly leftMost?: number | undefined;
  readonly recoveryMs?: number | undefined;
};

const RECOVERY_MS = 3000;
const LINES_MOST = 40;
/** A busy machine may hold up an answer at the very moment of a fault, so that it cannot be given back. */
const STRAYS = 1;
/** Of what is on its way when a connection breaks, nobody hears whether it was charged. */
export const IN_FLIGHT = 5;
/** From a fault to the moment from which everyone knows of it. */
export const NOTICED_MS = 700;
/** Checks what is promised of every fault; answers the figures by mode. */
export function expectPromises(
  run: FaultRun,
  { mayForget = false, leftMost = STRAYS, recoveryMs = RECOVERY_MS }: Exceptions = {},
): ReadonlyMap<string, Figures> {
  const figures = new Map(run.families.map((one) => [one.family.mode, figuresOf(run, one)]));
  for (const [mode, one] of figures) {
    expect
      .soft([mode, one], 'every decision comes, within 150 ms')
      .toMatchObject([mode, { unanswered: 0, late: 0 }]);
    expect.soft([mode, one.twice], 'nothing is charged twice').toEqual([mode, 0]);
    expect.soft(one.left, `${mode}: charged in vain`).toBeLessThanOrEqual(leftMost);
    if (!mayForget) expect.soft([mode, one.lost], 'nothing is forgotten').toEqual([mode, 0]);
    expect.soft(one.recoveryMs, `${mode}: recovery`).toBeLessThan(recoveryMs);
    const most = mostOf(mode, one) + (mayForget ? one.limit : 0);
    expect.soft(one.admitted, `${mode}: admitted`).toBeLessThanOrEqual(most);
  }
  for (const one of run.families) expectTrueHeaders(one);
  expectQuietLogs(run);
  return figures;
}

/** In the mode `deny` never more than the limit; in `allow` there is no bound. */
function mostOf(mode: string, { bound, limit }: Figures): number {
  return { local: bound, deny: limit }[mode] ?? Number.POSITIVE_INFINITY;
}

/** Headers name the limit of the plan, and what remains in Redis or of the share of the process. */
function expectTrueHeaders({ family, shots }: FamilyRun): void {
  const share = (limit: number) => Math.floor(limit / family.members.length);
  const followed = shots.filter((shot) => isFollowed(shot) && shot.outcome === 'allow');
  const told = new Set(followed.map(({ limit, remaining }) => `${limit} ${remaining}`));
  const possible = [FAR_LIMIT, share(FAR_LIMIT)].map((left) => `${FAR_LIMIT} ${left - 1}`);
  if (family.mode === 'allow') possible.push('undefined undefined');
  expect.soft(possible, family.mode).toEqual(expect.arrayContaining([...told]));
  const hot = shots.filter((shot) => shot.kind === 'hot' && shot.limit !== undefined);
  for (const { limit, remaining = -1, outcome } of hot) {
    expect.soft(limit).toBe(HOT_LIMIT);
    expect.soft(remaining).toBeGreaterThanOrEqual(0);
    if (outcome === 'rate_limited') expect.soft(remaining).toBe(0);
  }
}

/** No process ended, nothing went unhandled, and no log was flooded. */
function expectQuietLogs({ logged }: FaultRun): void {
  for (const [name, lines] of logged) {
    expect.soft(lines.length, name).toBeLessThan(LINES_MOST);
    for (const line of lines) expect.soft(line, name).toMatch(/^\{"level":\d0,/);
    expect.soft(lines.join('\n'), name).not.toMatch(/unhandled|uncaught/i);
  }
}

/** Checks of some members that were made while a fault stood and everybody knew. */
export function whileItStood(
  { stoodFromMs, endsAtMs, families }: FaultRun,
  names: readonly string[],
): readonly Shot[] {
  const all = families.flatMap(({ shots }) => shots);
  const isIn = ({ sentAtMs, tookMs }: Shot) =>
    sentAtMs > stoodFromMs + NOTICED_MS && sentAtMs + tookMs < endsAtMs;
  return all.filter((shot) => names.includes(shot.by) && isIn(shot));
}

/** Who decided about limits in these checks. */
export function decidersIn(shots: readonly Shot[]) {
  return countsOf(shots.filter(isFollowed).map(deciderOf));
}

/** The outcomes of a kind of question in these checks. */
export function outcomesIn(shots: readonly Shot[], kind: Shot['kind']): ReadonlySet<string> {
  return new Set(shots.filter((shot) => shot.kind === kind).map(({ outcome }) => outcome));
}

/** Nearly all of these checks were decided by Redis. */
export function expectMostlyRedis(shots: readonly Shot[]): void {
  const names = new Set(shots.map(({ by }) => by));
  expect.soft(names.size).toBeGreaterThan(0);
  for (const name of names) expect.soft(isMostlyByRedis(shots, name), name).toBe(true);
}
