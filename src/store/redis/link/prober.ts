import { evaluate, readTime } from './errand.ts';
import { inTime } from './in-time.ts';
import type { Call } from './link.ts';
import type { NodeWatch } from './node-health.ts';
import type { RedisClock } from './redis-clock.ts';
import { readFault } from './redis-error.ts';
import { type Rounds, startRounds } from './rounds.ts';
import type { Wire } from './wire.ts';

const PROBE_EVERY_MS = 250;
/** How often a node that serves is looked at: drift makes what is known of its clock vague. */
const LOOK_EVERY_MS = 1000;
/** No answer for so long says as much as several checks without one. */
const SILENT_MS = 250;
const TIME_WITHIN_MS = 50;

/** Tries an open node with the real script until it serves, and looks at the clock of one that serves. */
export function startProber(health: NodeWatch, hot: Wire, probe: () => Call | undefined): Rounds {
  const isOpen = () => health.breaker.state() !== 'closed';
  return startRounds(async () => {
    if (!isOpen()) await lookAtClock(health, hot);
    else if (hot.isUp()) await tryScript(health, hot, probe());
    return isOpen() ? PROBE_EVERY_MS : LOOK_EVERY_MS;
  });
}

async function lookAtClock(health: NodeWatch, hot: Wire): Promise<void> {
  try {
    await inTime(readTime(hot, health.clock), SILENT_MS);
    health.breaker.passed();
  } catch {
    health.silent();
  }
}

/** A server that refuses writes serves look-ups: it passes. One without a slot, as it joins a Cluster, can run no script. */
async function tryScript(health: NodeWatch, hot: Wire, call: Call | undefined): Promise<void> {
  const { breaker, clock } = health;
  breaker.probing();
  let serves = true;
  try {
    await inTime(readTime(hot, clock), TIME_WITHIN_MS);
    if (call) await runProbe(hot, call, clock);
  } catch (cause) {
    serves = readFault(cause)?.kind === 'unwritable';
    health.tell(cause);
  }
  health.probed(serves && hot.isUp());
}

async function runProbe(hot: Wire, call: Call, clock: RedisClock): Promise<void> {
  const dueAtMs = performance.now() + call.withinMs;
  await inTime(evaluate(hot, { call, lane: 'hot', dueAtMs }, clock, false), call.withinMs);
}
