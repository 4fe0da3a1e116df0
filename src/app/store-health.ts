import type { Logger } from '../observe/log.ts';
import type { Store, StoreHealth } from '../store/store.ts';

/** How a store is, in a word. */
export type StoreState = 'up' | 'degraded' | 'down';

const TURN_MS = 500;
/** A store that comes and goes is told of so often at most in such a time. */
const TOLD_MAX = 4;
const TOLD_MS = 20_000;
const WAIT_TURN_MS = 20;

/** The state of a store: `degraded` where some decisions are made without it, though it answers others. */
export function stateOf({ isUp, isDegraded }: StoreHealth): StoreState {
  if (!isUp) return 'down';
  return isDegraded ? 'degraded' : 'up';
}

/** The page about a store for whoever asks whether this process is ready. */
export function storePage(kind: string, health: StoreHealth) {
  const nodes = health.nodes.map(({ node, breaker, sinceMs }) => ({
    node,
    breaker,
    since: new Date(sinceMs).toISOString(),
  }));
  return { kind, state: stateOf(health), ...(nodes.length > 0 && { nodes }) };
}

/** Waits for the first contact with a store; false when there is none in time. One in this process answers at once. */
export async function untilStoreAnswers(
  { health }: Pick<Store, 'health'>,
  withinMs: number,
): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  while (!health().isUp) {
    if (performance.now() >= endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, WAIT_TURN_MS));
  }
  return true;
}

/** Says that a store does not answer, for people; no URL is in it. */
export function writeUnanswered({ nodes, unready }: StoreHealth): string {
  const where = nodes.length === 0 ? '' : ` (${nodes.map(({ node }) => node).join(', ')})`;
  const why = unready === undefined ? '' : `: ${unready}`;
  return `the store${where} does not answer${why}`;
}

export type Watched = {
  readonly store: Pick<Store, 'health'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Called at each turn at which the store answers. */
  readonly onUp: () => void;
};

const TEXTS: { readonly [state in StoreState]: string } = {
  up: 'the store answers again',
  degraded: 'the store is degraded: some decisions are made without it',
  down: 'the store does not answer: decisions are made by what this process remembers and counts itself',
};
const ADVICE =
  'the store does not answer: Postern is not ready, and will be by itself as soon as it does; see whether Redis runs, and whether its address, user, password and TLS in the policy are right';

/** Logs when a store goes and when it is back, each once, until it is closed. */
export function watchStore({ store, log, onUp }: Watched): { readonly close: () => void } {
  let told: StoreState = 'up';
  const toldAtMs: number[] = [];
  const tell = (health: StoreHealth) => {
    const state = stateOf(health);
    if (state === told) return;
    const nowMs = performance.now();
    const oldestMs = toldAtMs.at(-TOLD_MAX);
    if (oldestMs !== undefined && nowMs - oldestMs < TOLD_MS) return;
    told = state;
    toldAtMs.push(nowMs);
    if (toldAtMs.length > TOLD_MAX) toldAtMs.shift();
    const { unready } = health;
    const facts = { nodes: health.nodes.map(({ node, breaker }) => `${node} ${breaker}`) };
    if (state === 'up') log.info(facts, TEXTS.up);
    else if (unready === undefined) log.warn(facts, TEXTS[state]);
    else log.warn({ ...facts, because: unready }, ADVICE);
  };
  const turn = () => {
    const health = store.health();
    tell(health);
    if (health.isUp) onUp();
  };
  const timer = setInterval(turn, TURN_MS).unref();
  turn();
  return { close: () => clearInterval(timer) };
}
