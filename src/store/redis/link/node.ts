import type { NodeHealth } from '../../store.ts';
import type { Connections } from './connect.ts';
import { type Errand, evaluate } from './errand.ts';
import type { Call } from './link.ts';
import { createNodeHealth } from './node-health.ts';
import { startProber } from './prober.ts';
import { openWire, type Wire } from './wire.ts';

/** One server: a connection for checks and one for records, its clock, and the breaker that watches over the first. */
export type RedisNode = {
  readonly name: () => string;
  readonly health: () => NodeHealth;
  /** Asks it to run a script; `isAsked` where it is about to take the slot over. Rejects with what ioredis says. */
  readonly ask: (errand: Errand, isAsked?: boolean) => Promise<unknown>;
  /** A check was not answered in time. */
  readonly wasLate: () => void;
  readonly aside: Wire;
  readonly nowMs: () => number | undefined;
  /** Resolves once checks may ask it. */
  readonly ready: () => Promise<void>;
  /** Whether it was never up, but may be at any moment. */
  readonly isComing: () => boolean;
  readonly isUp: () => boolean;
  /** Its place was taken by the server at this address: what leads elsewhere is connected again. */
  readonly replaced: (by: string) => void;
  readonly close: () => void;
};

export type NodeOptions = {
  readonly connections: Connections;
  readonly address?: string | undefined;
  readonly now: () => number;
  /** The script that proves that it serves; undefined where it has no slot at the moment. */
  readonly probe: () => Call | undefined;
  readonly onFailure: (cause: Error) => void;
  /** It stopped or began to serve. */
  readonly onTurn: (isUp: boolean) => void;
};

/** How soon a node that stopped to serve is tried again; after that it is the prober's turn. */
const AGAIN_MS = 25;
/** A node just found is waited for, so long. */
const COMING_MS = 1000;

export function openNode(options: NodeOptions): RedisNode {
  const { connections, address } = options;
  const bornAtMs = performance.now();
  const name = () => address ?? hot.remote() ?? connections.addresses[0] ?? '';
  const health = createNodeHealth({
    ...options,
    name,
    onTurn: (isUp) => {
      if (!isUp) prober.soon(AGAIN_MS);
      options.onTurn(isUp);
    },
  });
  const hot = openWire(connections.make('hot', address), {
    onUp: () => prober.soon(0),
    onDown: health.lost,
    onError: health.tell,
  });
  const aside = openWire(connections.make('aside', address), { onError: health.tell });
  const prober = startProber(health, hot, options.probe);
  const { breaker, clock } = health;

  return {
    name,
    health: () => ({ node: name(), breaker: breaker.state(), sinceMs: breaker.sinceMs() }),
    ask: (errand, isAsked = false) =>
      errand.lane === 'hot'
        ? health.watch(hot, errand, isAsked)
        : evaluate(aside, errand, clock, isAsked),
    wasLate: health.late,
    aside,
    nowMs: () => clock.earliestMs(performance.now()),
    ready: breaker.closed,
    isComing: () => !health.wasUp() && performance.now() - bornAtMs < COMING_MS,
    isUp: () => breaker.state() === 'closed',
    replaced: (by) => {
      hot.renew(by);
      aside.renew(by);
    },
    close: () => {
      health.close();
      prober.close();
      hot.close();
      aside.close();
    },
  };
}
