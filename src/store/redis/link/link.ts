import type { NodeHealth } from '../../store.ts';
import type { Script } from '../script.ts';

/** What a script is given: keys, all of them declared, and arguments. */
export type Call = {
  readonly script: Script;
  /** On a Cluster all of them lie in one slot. */
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** How long the answer may take, ms; then the promise rejects, and the command is never sent again. */
  readonly withinMs: number;
  /** For a script that must not act when its caller has given up. */
  readonly timed?: Timed | undefined;
  /** Hears an answer that came too late. */
  readonly onLate?: ((reply: unknown) => void) | undefined;
};

export type Timed = {
  /** The argument that is replaced by the end of `withinMs` by the clock of the node that is asked, whole epoch ms. */
  readonly deadlineArg: number;
  /** Redis' time in an answer, epoch ms: by these the link knows each node's clock. */
  readonly timeOf: (reply: unknown) => number | undefined;
};

/**
 * The connections to one Redis, Sentinel group or Cluster. Everything goes through scripts; no command waits in a
 * queue for a connection, and none is sent twice.
 */
export type RedisLink = {
  /**
   * Runs a script, by its digest. Rejects with a `RedisDown` when it cannot be answered in time, at once while the
   * breaker is open; with a `ScriptFailure` when Redis answered with an error.
   */
  readonly run: (call: Call) => Promise<unknown>;
  /** The same on a connection of its own, where something slow holds up no check; the breaker does not count it. */
  readonly runAside: (call: Call) => Promise<unknown>;
  /**
   * Redis' clock as this process estimates it, epoch ms: never ahead of the clock, and behind it by a trip at most. On
   * a Cluster the clock of the node that has the key, of the records' without one. Undefined before the first answer.
   */
  readonly redisNowMs: (key?: string) => number | undefined;
  /**
   * Hears what is published; the listener is called with undefined when messages may have been missed. Resolves with
   * the subscription, or without it where Redis cannot be reached: it comes later, and is told by an undefined.
   */
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

/** Redis did not answer, or not with what was asked: not connected, too late, not able to serve, or the breaker is open. */
export class RedisDown extends Error {
  override readonly name = 'RedisDown';
}

/** Redis answered a script with an error, which is not the server's health: `code` is its first word, such as `WRONGTYPE`. */
export class ScriptFailure extends Error {
  override readonly name = 'ScriptFailure';
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}
