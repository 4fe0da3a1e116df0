import { boundOf, deciderOf } from './fault-ledger.ts';
import type { Shot } from './fault-load.ts';
import { HOT_LIMIT } from './fault-policy.ts';
import { type FamilyRun, type FaultRun, isMostlyByRedis } from './fault-run.ts';

/** What a fault did to one family, in figures; times in ms. */
export type Figures = {
  readonly decisions: number;
  readonly unanswered: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  /** The slowest answer to a question that asks no store: what the machine itself took. */
  readonly machineMs: number;
  /** Decisions later than 150 ms and what the machine took at that moment. */
  readonly late: number;
  /** Of the requests followed in the fault: who decided. */
  readonly deciders: { readonly [decider: string]: number };
  /** Outcomes of keys that were remembered and that nobody has, in the fault. */
  readonly stored: { readonly [outcome: string]: number };
  readonly unknown: { readonly [outcome: string]: number };
  readonly admitted: number;
  readonly limit: number;
  readonly bound: number;
  readonly twice: number;
  readonly lost: number;
  readonly left: number;
  readonly followed: number;
  /** From the end of the fault until all members decide by Redis and go on to; in steps of 200 ms. */
  readonly recoveryMs: number;
  /** Of the time since the fault came: in which a member decided mostly without Redis, in such steps. */
  readonly withoutMs: number;
};

const PROMISED_MS = 150;
/** A stall of the machine is seen by a question that asks no store within this time. */
const NEAR_MS = 150;
/** Members are judged by so long a time. */
const MOMENT_MS = 200;
const CALM_MS = 800;
/** A timer of the system is late by so much. */
const TICK_MS = 5;

/** The figures of a family in a run. */
export function figuresOf(run: FaultRun, { family, shots, ledger }: FamilyRun): Figures {
  const tooksMs = shots.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const inFault = shots.filter((shot) => isInFault(run, shot));
  const machine = shots.filter(({ kind }) => kind === 'public');
  const hot = shots.filter((one) => one.kind === 'hot' && one.outcome === 'allow');
  const followed = inFault.filter(({ kind }) => kind === 'spread' || kind === 'pair');
  const outcomes = (kind: string) =>
    countsOf(inFault.filter((one) => one.kind === kind).map(({ outcome }) => outcome));
  return {
    decisions: shots.length,
    unanswered: shots.filter(({ outcome }) => outcome.startsWith('no answer')).length,
    p99Ms: tooksMs[Math.floor(tooksMs.length * 0.99)] ?? 0,
    slowestMs: tooksMs.at(-1) ?? 0,
    machineMs: Math.max(0, ...machine.map(({ tookMs }) => tookMs)),
    late: shots.filter((shot) => isLate(shot, machine)).length,
    deciders: countsOf(followed.map(deciderOf)),
    stored: outcomes('stored'),
    unknown: outcomes('unknown'),
    admitted: hot.length,
    limit: HOT_LIMIT,
    bound: boundOf(family.members.length),
    ...ledger,
    recoveryMs: recoveryOf(shots, run.endedAtMs),
    withoutMs: badMomentsMs(shots, run.beganAtMs).length * MOMENT_MS,
  };
}

/** From when a fault was surely felt until it went. */
function isInFault({ beganAtMs, endedAtMs }: FaultRun, { sentAtMs }: Shot): boolean {
  return sentAtMs >= beganAtMs && sentAtMs < endedAtMs;
}

/** Whether a decision took longer than promised and than the machine was held up at the same time. */
function isLate(shot: Shot, machine: readonly Shot[]): boolean {
  if (shot.tookMs <= PROMISED_MS + TICK_MS) return false;
  const endMs = shot.sentAtMs + shot.tookMs;
  const near = machine.filter(
    (one) =>
      one.by === shot.by &&
      one.sentAtMs < endMs + NEAR_MS &&
      one.sentAtMs + one.tookMs > shot.sentAtMs - NEAR_MS,
  );
  const heldUpMs = Math.max(0, ...near.map(({ tookMs }) => tookMs));
  return shot.tookMs > PROMISED_MS + TICK_MS + heldUpMs;
}

/** When there were moments in which a member decided mostly without Redis, ms from a time on. */
function badMomentsMs(shots: readonly Shot[], fromMs: number): readonly number[] {
  const endMs = Math.max(fromMs, ...shots.map(({ sentAtMs }) => sentAtMs));
  const names = [...new Set(shots.map(({ by }) => by))];
  const bad: number[] = [];
  for (let atMs = fromMs; atMs < endMs; atMs += MOMENT_MS) {
    const isIn = ({ sentAtMs }: Shot) => sentAtMs >= atMs && sentAtMs < atMs + MOMENT_MS;
    const some = shots.filter(isIn);
    if (!names.every((name) => isMostlyByRedis(some, name))) bad.push(atMs - fromMs);
  }
  return bad;
}

/** When all members decided by Redis again and went on to for a while; a busy machine may hold them up later. */
function recoveryOf(shots: readonly Shot[], endedAtMs: number): number {
  let wellFromMs = 0;
  for (const atMs of badMomentsMs(shots, endedAtMs)) {
    if (atMs - wellFromMs >= CALM_MS) break;
    wellFromMs = atMs + MOMENT_MS;
  }
  return wellFromMs;
}

/** How often each text came. */
export function countsOf(texts: readonly string[]): { readonly [text: string]: number } {
  const counts: { [text: string]: number } = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}
