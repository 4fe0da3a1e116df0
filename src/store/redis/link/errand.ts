import type { Call } from './link.ts';
import type { RedisClock } from './redis-clock.ts';
import { readFault } from './redis-error.ts';
import type { Wire } from './wire.ts';

/** A call on its way: `hot` for checks, `aside` for records. */
export type Errand = {
  readonly call: Call;
  readonly lane: 'hot' | 'aside';
  /** Until when it is wanted, by `performance.now()`. */
  readonly dueAtMs: number;
};

/**
 * Runs a script by its digest, and by its text where Redis has lost it. With `isAsked` the node is told that the slot
 * is on its way to it. Rejects with what ioredis says.
 */
export async function evaluate(
  wire: Wire,
  { call, dueAtMs }: Errand,
  clock: RedisClock,
  isAsked: boolean,
): Promise<unknown> {
  const { script, keys, timed } = call;
  const args = timed ? withDeadline(call.args, timed.deadlineArg, clock, dueAtMs) : call.args;
  const rest = [keys.length, ...keys, ...args];
  const send = async (command: string, what: string) => {
    // The answer of ASKING says nothing that the next one does not.
    if (isAsked) wire.send('asking', []).catch(() => undefined);
    const sentAtMs = performance.now();
    const reply = await wire.send(command, [what, ...rest]);
    const redisMs = timed?.timeOf(reply);
    if (redisMs !== undefined) clock.observe(redisMs, sentAtMs, performance.now());
    return reply;
  };
  try {
    return await send('evalsha', script.sha);
  } catch (cause) {
    if (readFault(cause)?.kind !== 'no_script' || performance.now() >= dueAtMs) throw cause;
    return await send('eval', script.text);
  }
}

function withDeadline(
  args: Call['args'],
  place: number,
  clock: RedisClock,
  dueAtMs: number,
): Call['args'] {
  const deadlineMs = clock.earliestMs(dueAtMs);
  if (deadlineMs === undefined) throw new Error('its clock is not known');
  return args.with(place, Math.floor(deadlineMs));
}

/** Reads Redis' clock. */
export async function readTime(wire: Wire, clock: RedisClock): Promise<void> {
  const sentAtMs = performance.now();
  const reply = await wire.send('time', []);
  const [seconds, micros] = Array.isArray(reply) ? reply.map(Number) : [];
  if (seconds === undefined || micros === undefined) throw new Error('TIME has another answer');
  clock.observe(seconds * 1000 + Math.floor(micros / 1000), sentAtMs, performance.now());
}
