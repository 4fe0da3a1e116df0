import { setTimeout as sleep } from 'node:timers/promises';
import { deciderOf, isFollowed, type Ledger, readLedger } from './fault-ledger.ts';
import { type PacedLoad, type Shot, startPacedLoad, type Target } from './fault-load.ts';
import type { Kind } from './fault-policy.ts';
import type { Family, Member, MemberHealth, World } from './fault-world.ts';

/** Something that happens to Redis, or on the way to it. */
export type Fault = {
  readonly name: string;
  /** Waits until it can come. */
  readonly before?: (() => Promise<unknown>) | undefined;
  /** Resolves when the fault is there. */
  readonly begin: (load: PacedLoad) => Promise<unknown>;
  /** Takes it away; nothing where it passes by itself in the time that it stays. */
  readonly end?: ((load: PacedLoad) => Promise<unknown>) | undefined;
  readonly staysMs: number;
};

/** What happened to the members of one family in one fault. */
export type FamilyRun = {
  readonly family: Family;
  readonly shots: readonly Shot[];
  readonly ledger: Ledger;
};

export type FaultRun = {
  readonly fault: Fault;
  readonly hotUser: string;
  /** When it began to come and was there, and when it began to go and was gone, by `performance.now()`. */
  readonly beganAtMs: number;
  readonly stoodFromMs: number;
  readonly endsAtMs: number;
  readonly endedAtMs: number;
  readonly families: readonly FamilyRun[];
  /** How each member saw its store in the middle of the fault, and when it was well again. */
  readonly during: ReadonlyMap<string, MemberHealth>;
  readonly after: ReadonlyMap<string, MemberHealth>;
  /** What each member wrote to its log. */
  readonly logged: ReadonlyMap<string, readonly string[]>;
};

/** So long all must be well before a fault comes, and before a run ends. */
const CALM_MS = 1000;
const PATIENCE_MS = 20_000;
/** Looking costs the members time. */
const LOOK_EVERY_MS = 250;
/** A question that asks no store and takes so long was held up by the machine; so was one that waited here for so long. */
const HELD_UP_MS = 20;
/** What a stall of the machine does to a breaker is over after this time. */
const REACH_MS = 500;
/** What was charged late is given back within this time. */
const GIVE_BACK_MS = 2000;

/** Puts a fault on a world under load, and waits until it is well again. Throws when it is not, by itself, in time. */
export async function runFault(world: World, fault: Fault): Promise<FaultRun> {
  await fault.before?.();
  const logs = world.members.map(({ name, postern }) => ({
    name,
    postern,
    from: postern.stderr().length,
  }));
  const load = await startPacedLoad(world.families.flatMap(targetsOf));
  let stopped = false;
  try {
    await untilWell(world, load.shots, performance.now());
    const beganAtMs = performance.now();
    await fault.begin(load);
    const stoodFromMs = performance.now();
    await sleep(fault.staysMs / 2);
    const during = await healthOf(world.members);
    await sleep(Math.max(0, beganAtMs + fault.staysMs - performance.now()));
    const endsAtMs = performance.now();
    await fault.end?.(load);
    const endedAtMs = performance.now();
    const after = await untilWell(world, load.shots, endedAtMs);
    stopped = true;
    await load.stop();
    const families = await Promise.all(world.families.map((one) => runOf(world, one, load.shots)));
    const logged = new Map(
      logs.map((one) => [one.name, linesOf(one.postern.stderr().slice(one.from))]),
    );
    const times = { beganAtMs, stoodFromMs, endsAtMs, endedAtMs };
    return { fault, hotUser: load.hotUser, ...times, families, during, after, logged };
  } finally {
    if (!stopped) await load.stop();
  }
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function targetsOf({ keys, members }: Family): readonly Target[] {
  return members.map(({ name, client }) => ({ name, client, keys }));
}

async function healthOf(members: readonly Member[]): Promise<ReadonlyMap<string, MemberHealth>> {
  return new Map(
    await Promise.all(members.map(async (one) => [one.name, await one.health()] as const)),
  );
}

/** Waits until each member has said that it is well, and has been deciding by Redis for a while from a moment on. */
async function untilWell(
  { members }: World,
  shots: readonly Shot[],
  fromMs: number,
): Promise<ReadonlyMap<string, MemberHealth>> {
  const well = new Map<string, MemberHealth>();
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    await sleep(LOOK_EVERY_MS);
    const now = await healthOf(members);
    for (const [name, health] of now)
      if (saysWell(health) && !well.has(name)) well.set(name, health);
    const sinceMs = performance.now() - CALM_MS;
    const recent = shots.filter((shot) => shot.sentAtMs > sinceMs);
    const ill = members.filter(({ name }) => !well.has(name) || !isMostlyByRedis(recent, name));
    if (ill.length === 0 && sinceMs >= fromMs) return well;
    if (performance.now() < untilMs) continue;
    const texts = ill.map((one) => `${one.name} ${tellOf(one, recent, now)}`);
    throw new Error(`it is not decided by Redis: ${texts.join('; ')}`);
  }
}

/** What a member says, and what became of its checks, for whoever wonders why it is not well. */
function tellOf({ name }: Member, shots: readonly Shot[], health: ReadonlyMap<string, unknown>) {
  const without = shots.filter((shot) => shot.by === name && isWithoutRedis(shot));
  const outcomes = without.map(({ kind, outcome, remaining }) => `${kind} ${outcome} ${remaining}`);
  return JSON.stringify([health.get(name), outcomes]);
}

function saysWell({ isUp, isDegraded, breakers }: MemberHealth): boolean {
  return isUp && !isDegraded && Object.values(breakers).every((state) => state === 'closed');
}

/** A check now and then waits longer for its turn than a trip may take. */
const MISSES_PART = 0.25;

/** Whether nearly all requests to a member were decided by Redis, where that can be told. */
export function isMostlyByRedis(shots: readonly Shot[], name: string): boolean {
  const own = shots.filter(({ by }) => by === name);
  const stalls = own.filter(
    ({ kind, tookMs, heldUpMs }) => heldUpMs + (kind === 'public' ? tookMs : 0) > HELD_UP_MS,
  );
  const isHeldUp = ({ sentAtMs }: Shot) =>
    stalls.some((stall) => Math.abs(stall.sentAtMs - sentAtMs) < REACH_MS);
  const judged = own.filter((shot) => shot.kind !== 'public' && !isHeldUp(shot));
  return judged.filter(isWithoutRedis).length <= judged.length * MISSES_PART;
}

/** Whether a request was decided without Redis, where that can be told. */
export function isWithoutRedis(shot: Shot): boolean {
  if (isFollowed(shot)) return deciderOf(shot) !== 'redis';
  return shot.kind !== 'public' && !EXPECTED[shot.kind].includes(shot.outcome);
}

const EXPECTED: Readonly<Record<Exclude<Kind, 'public'>, readonly string[]>> = {
  hot: ['allow', 'rate_limited'],
  stored: ['allow', 'key_revoked'],
  unknown: ['unknown_key'],
  spread: ['allow'],
  pair: ['allow'],
};

/** Waits for what is given back, because that goes on after the answer. */
async function runOf(world: World, family: Family, all: readonly Shot[]): Promise<FamilyRun> {
  const names = new Set(family.members.map(({ name }) => name));
  const shots = all.filter(({ by }) => names.has(by));
  const masters = await world.masters();
  const untilMs = performance.now() + GIVE_BACK_MS;
  for (;;) {
    const ledger = await readLedger(masters, family.namespace, shots);
    if (ledger.left === 0 || performance.now() > untilMs) return { family, shots, ledger };
    await sleep(100);
  }
}
