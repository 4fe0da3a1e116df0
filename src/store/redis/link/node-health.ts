import { type Breaker, createBreaker } from './breaker.ts';
import { type Errand, evaluate } from './errand.ts';
import { RedisDown } from './link.ts';
import { createRedisClock, type RedisClock } from './redis-clock.ts';
import { connectionFailure, readFault } from './redis-error.ts';
import type { Wire } from './wire.ts';

/** How a node is, as the checks find it. */
export type NodeWatch = {
  readonly breaker: Breaker;
  readonly clock: RedisClock;
  /** Sends a check, and counts how it went; rejects at once while the breaker is open. */
  readonly watch: (wire: Wire, errand: Errand, isAsked: boolean) => Promise<unknown>;
  /** A check was not answered in time. */
  readonly late: () => void;
  /** It said nothing for long. */
  readonly silent: () => void;
  /** The connection is gone. */
  readonly lost: () => void;
  /** A probe came to its end. */
  readonly probed: (serves: boolean) => void;
  /** Tells what is wrong. */
  readonly tell: (cause: unknown) => void;
  readonly wasUp: () => boolean;
  readonly close: () => void;
};

export type NodeHealthOptions = {
  readonly name: () => string;
  readonly now: () => number;
  readonly onFailure: (cause: Error) => void;
  /** The breaker was opened, or closed. */
  readonly onTurn: (isUp: boolean) => void;
};

export function createNodeHealth(options: NodeHealthOptions): NodeWatch {
  const breaker = createBreaker(options.now);
  const clock = createRedisClock();
  let failure: Error | undefined;
  let wasUp = false;
  let isClosed = false;

  const tell = (cause: unknown) => {
    if (isClosed) return;
    failure = connectionFailure(cause, options.name());
    options.onFailure(failure);
  };
  const turned = (hasTurned: boolean) => {
    const isUp = breaker.state() === 'closed';
    wasUp ||= isUp;
    if (hasTurned && !isClosed) options.onTurn(isUp);
  };
  const unanswered = (count: () => boolean) => {
    failure = new RedisDown(`Redis at ${options.name()} did not answer in time`);
    turned(count());
  };
  return {
    breaker,
    clock,
    watch: async (wire, errand, isAsked) => {
      if (breaker.state() !== 'closed') {
        throw new RedisDown(`Redis at ${options.name()} is not asked`, { cause: failure });
      }
      try {
        const reply = await evaluate(wire, errand, clock, isAsked);
        if (performance.now() <= errand.dueAtMs) breaker.passed();
        return reply;
      } catch (cause) {
        if (isSick(cause)) tell(cause);
        if (isAnswer(cause)) breaker.passed();
        else turned(breaker.failed());
        throw cause;
      }
    },
    late: () => unanswered(breaker.failed),
    silent: () => unanswered(breaker.open),
    lost: () => {
      clock.forget();
      turned(breaker.open());
    },
    probed: (serves) => turned(breaker.probed(serves)),
    tell,
    wasUp: () => wasUp,
    close: () => {
      isClosed = true;
    },
  };
}

function isSick(cause: unknown): boolean {
  return readFault(cause)?.kind === 'sick';
}

/** Redis answered, and could have done so to another call. */
function isAnswer(cause: unknown): boolean {
  return readFault(cause) !== undefined && !isSick(cause);
}
