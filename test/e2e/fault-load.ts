import { randomBytes } from 'node:crypto';
import type { CheckClient, CheckQuestion } from './check-client.ts';
import { type Kind, pathOf, tokenOf } from './fault-policy.ts';
import { mint } from './policy.ts';

/** One check of a load and what became of it. */
export type Shot = {
  /** The name of the Postern that was asked. */
  readonly by: string;
  readonly kind: Kind;
  /** The address that it came from; no other request of the load has it. */
  readonly address: string;
  readonly user: string;
  /** The id of the stored key that was shown, where one was. */
  readonly key: string | undefined;
  readonly sentAtMs: number;
  /** Without the time in which this process was held up itself. */
  readonly tookMs: number;
  /** That time. */
  readonly heldUpMs: number;
  /** `allow`, the reason of the refusal, or how the call itself failed. */
  readonly outcome: string;
  /** Of `x-ratelimit-limit` and `x-ratelimit-remaining`. */
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
};

/** Who is asked: a Postern, and keys that it knows. */
export type Target = {
  readonly name: string;
  readonly client: CheckClient;
  readonly keys: readonly HeldKey[];
};

/** A stored key. */
export type HeldKey = { readonly id: string; readonly raw: string };

export type PacedLoad = {
  readonly shots: readonly Shot[];
  /** The user of the hot subject. */
  readonly hotUser: string;
  readonly stop: () => Promise<void>;
};

/** Questions a second to each Postern. A slow answer holds up no other question. */
const RATES: Readonly<Record<Kind, number>> = {
  public: 20,
  hot: 30,
  spread: 25,
  pair: 10,
  stored: 15,
  unknown: 5,
};
const WIDE_USERS = 4;
const ANSWER_MS = 2000;
const JITTER = 0.4;
const TICK_MS = 5;

/** Sends questions of all kinds to all targets, until it is stopped. */
export async function startPacedLoad(targets: readonly Target[]): Promise<PacedLoad> {
  const run = randomBytes(4).toString('hex');
  const hotUser = `hot-${run}`;
  const users = [hotUser, ...Array.from({ length: WIDE_USERS }, (_, at) => `wide-${run}-${at}`)];
  const tokens = new Map<string, string>();
  for (const user of users) tokens.set(user, await tokenOf(user));
  const shots: Shot[] = [];
  const running = new Set<Promise<void>>();
  const watch = watchOwnStalls();
  const addresses = createAddresses();
  let turn = 0;
  const fire = (target: Target, kind: Kind) => {
    turn += 1;
    const address = addresses();
    const user = kind === 'hot' ? hotUser : (users[1 + (turn % WIDE_USERS)] ?? hotUser);
    const held = kind === 'stored' ? target.keys[turn % target.keys.length] : undefined;
    const credential = credentialOf(kind, tokens.get(user), held);
    const question = { path: pathOf(kind), source: address, headers: credential };
    const shot = shoot(target, question).then(({ endedAtMs, ...answer }) => {
      const heldUpMs = watch.heldUpMs(answer.sentAtMs, endedAtMs);
      const tookMs = endedAtMs - answer.sentAtMs - heldUpMs;
      const asked = { by: target.name, kind, address, user, key: held?.id };
      shots.push({ ...asked, tookMs, heldUpMs, ...answer });
    });
    running.add(shot);
    void shot.finally(() => running.delete(shot));
  };
  const timers = targets.flatMap((target) =>
    Object.entries(RATES).map(([kind, rate]) =>
      repeat(1000 / rate, () => fire(target, kind as Kind)),
    ),
  );
  return {
    shots,
    hotUser,
    stop: async () => {
      for (const end of timers) end();
      await Promise.all(running);
      watch.stop();
    },
  };
}

/** Calls again and again, at random times around the period. */
function repeat(everyMs: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    const part = 1 + JITTER * (Math.random() - 0.5);
    timer = setTimeout(() => {
      wait();
      act();
    }, everyMs * part);
  };
  wait();
  return () => clearTimeout(timer);
}

/** Addresses of 10.0.0.0/8, each once; a run begins anywhere, so that none meets the counters of another. */
function createAddresses(): () => string {
  let next = randomBytes(3).readUIntBE(0, 3);
  return () => {
    next = (next + 1) % 0x1000000;
    return `10.${next >> 16}.${(next >> 8) & 255}.${next & 255}`;
  };
}

function credentialOf(kind: Kind, token: string | undefined, held: HeldKey | undefined) {
  const header = (name: string, value: string) => [[name, value] as const];
  if (kind === 'hot' || kind === 'pair') return header('authorization', `Bearer ${token}`);
  if (held) return header('x-api-key', held.raw);
  return kind === 'unknown' ? header('x-api-key', mint().raw) : [];
}

/** Knows when this process was held up, as it is on a busy machine: answers then wait here, not in Postern. */
function watchOwnStalls() {
  const stalls: { readonly fromMs: number; readonly toMs: number }[] = [];
  let lastMs = performance.now();
  const tick = () => {
    const nowMs = performance.now();
    if (nowMs - lastMs > 2 * TICK_MS) stalls.push({ fromMs: lastMs + TICK_MS, toMs: nowMs });
    lastMs = nowMs;
  };
  const timer = setInterval(tick, TICK_MS);
  return {
    heldUpMs(fromMs: number, toMs: number): number {
      tick();
      return stalls
        .map((stall) => Math.min(toMs, stall.toMs) - Math.max(fromMs, stall.fromMs))
        .reduce((sum, overlap) => sum + Math.max(0, overlap), 0);
    },
    stop: () => clearInterval(timer),
  };
}

type Answer = Pick<Shot, 'sentAtMs' | 'outcome' | 'limit' | 'remaining'> & {
  readonly endedAtMs: number;
};

async function shoot({ client }: Target, question: CheckQuestion): Promise<Answer> {
  const sentAtMs = performance.now();
  const end = (outcome: string, headers: { readonly [name: string]: string }): Answer => ({
    sentAtMs,
    endedAtMs: performance.now(),
    outcome,
    limit: numberOf(headers['x-ratelimit-limit']),
    remaining: numberOf(headers['x-ratelimit-remaining']),
  });
  try {
    const { allowed, reason, responseHeaders } = await client.check({
      ...question,
      timeoutMs: ANSWER_MS,
    });
    return end(allowed ? 'allow' : String(reason), responseHeaders);
  } catch (cause) {
    return end(`no answer: ${String(cause)}`, {});
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
