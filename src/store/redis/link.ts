import type { NodeHealth } from '../store.ts';
import type { Script } from './script.ts';

/** What a script is given: keys, all of them declared, and arguments. */
export type Call = {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** How long the answer may take, ms; then the promise rejects, and the command is never sent again. */
  readonly withinMs: number;
  /** Hears an answer that came too late. */
  readonly onLate?: ((reply: unknown) => void) | undefined;
};

/**
 * The connections to one Redis, Sentinel group or Cluster. Everything goes through scripts; no command waits in a
 * queue for a connection, and none is sent twice.
 */
export type RedisLink = {
  /** Runs a script, by its digest. Rejects with a `RedisDown` when it cannot be answered in time, at once while the breaker is open. */
  readonly run: (call: Call) => Promise<unknown>;
  /** The same on a connection of its own, where something slow holds up no check. */
  readonly runAside: (call: Call) => Promise<unknown>;
  /** Redis' clock as this process estimates it, epoch ms; undefined before the first answer. */
  readonly redisNowMs: () => number | undefined;
  /** Hears what is published; the listener is called with undefined when messages may have been missed. */
  readonly subscribe: (
    channel: string,
    listener: (message: string | undefined) => void,
  ) => Promise<void>;
  readonly isCluster: boolean;
  /** Waits until the last writes of `runAside` are on a replica, where there are replicas; false when none said so in time. */
  readonly isReplicated: (withinMs: number) => Promise<boolean>;
  readonly nodes: () => readonly NodeHealth[];
  readonly close: () => Promise<void>;
};

/** Redis did not answer: not connected, too late, or the breaker is open. */
export class RedisDown extends Error {
  override readonly name = 'RedisDown';
}
