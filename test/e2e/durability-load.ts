import {
  type Entry,
  type KeyState,
  type Server,
  type Step,
  type Steps,
  settle,
} from './durability-ledger.ts';

/** Everything that changes and asks until the server is killed. */
export type Load = {
  /** Ends when all have seen that the server is gone. */
  readonly gone: Promise<void>;
  /** What went wrong while it ran. */
  readonly faults: readonly string[];
  /** When each counted request was known to be let in (`performance.now()`), and how many were sent. */
  readonly counted: { readonly atMs: readonly number[]; readonly sent: () => number };
  /** The changes that were acknowledged. */
  readonly told: readonly { readonly name: string; readonly entry: Entry }[];
};

export type Actors = {
  readonly server: Server;
  readonly steps: Steps;
  readonly random: () => number;
  /** The keys of each client: nobody else changes them. */
  readonly clients: readonly Entry[][];
  readonly countedKey: string;
  /** Whether the server was sent its signal: from then on no answer is owed. */
  readonly isKilled: () => boolean;
};

const COUNTERS = 2;
const CHECKERS = 2;
/** Most changes are of keys that were made lately: an old one is worth less than one in the middle of its life. */
const LATELY = 8;

/** Starts clients that change keys, some that ask the gate about them, and some that are counted. */
export function startLoad(actors: Actors): Load {
  const faults: string[] = [];
  const told: Load['told'][number][] = [];
  const atMs: number[] = [];
  let sent = 0;
  const { clients, countedKey, server } = actors;
  const work = { ...actors, faults, told };
  const count = async () => {
    sent += 1;
    const answer = await checkKey(server, '/counted', countedKey);
    if (answer?.allowed) atMs.push(performance.now());
    else if (answer) faults.push(`a counted request was refused: ${answer.reason}`);
    return answer !== undefined;
  };
  const running = [
    ...clients.map((entries) => untilGone(() => changeOne(work, entries))),
    ...Array.from({ length: CHECKERS }, () => untilGone(() => checkOne(work))),
    ...Array.from({ length: COUNTERS }, () => untilGone(count)),
  ];
  const gone = Promise.all(running).then(() => {});
  return { gone, faults, told, counted: { atMs, sent: () => sent } };
}

/** An answer of the gate for a key; undefined where no answer came. */
export async function checkKey({ checks }: Server, path: string, key: string) {
  try {
    return await checks.check({ path, headers: [['x-api-key', key]] });
  } catch {
    return undefined;
  }
}

type Work = Actors & { readonly faults: string[]; readonly told: Load['told'][number][] };

async function untilGone(turn: () => Promise<boolean>): Promise<void> {
  while (await turn());
}

async function changeOne(work: Work, entries: Entry[]): Promise<boolean> {
  const { server, isKilled, faults, told } = work;
  const { entry, step } = chooseStep(work, entries);
  entry.pending = step;
  const answer = await server.ask(step.call);
  if (!answer) {
    if (!isKilled()) faults.push(`${step.name} had no answer from a server that lives`);
    return false;
  }
  if (answer.status > 299 || answer.isReplayed) {
    const { status, body } = answer;
    faults.push(`${step.name} ${step.call.path}: ${status} ${JSON.stringify(body)}`);
    return !isKilled();
  }
  settle(entry, step, answer.body);
  told.push({ name: step.name, entry });
  return true;
}

function chooseStep({ steps, random }: Work, entries: Entry[]): { entry: Entry; step: Step } {
  const alive = entries.slice(-LATELY).filter(({ state }) => isAlive(state));
  const entry = alive[Math.floor(random() * alive.length)];
  if (entry?.state && random() > 0.25) return { entry, step: steps.change(entry.state) };
  const made = steps.create();
  entries.push(made.entry);
  return made;
}

function isAlive(state: KeyState | undefined): boolean {
  return state !== undefined && state.status !== 'revoked';
}

/** Asks about a key that nobody is changing: what was acknowledged holds for the next check. */
async function checkOne({ server, clients, random, faults }: Work): Promise<boolean> {
  const entries = clients[Math.floor(random() * clients.length)] ?? [];
  const entry = entries.at(-1 - Math.floor(random() * LATELY));
  const state = entry?.state;
  const secret = state?.secret ?? 'none';
  const isStill = entry?.pending === undefined;
  const answer = await checkKey(server, '/read', secret);
  if (!answer) return false;
  const isSame = isStill && entry?.pending === undefined && entry?.state === state;
  if (state && isSame && answer.allowed !== (state.status === 'active')) {
    faults.push(`${entry.name} is ${state.status}, and the gate said ${answer.reason ?? 'allow'}`);
  }
  return true;
}
