import type { StoreOptions } from '../store.ts';

/** Where Redis is and how it is spoken to. URLs and passwords are never logged. */
export type RedisSettings = {
  /** One `redis://` or `rediss://` URL; several of a Cluster; those of the sentinels where `sentinel` is set. */
  readonly urls: readonly string[];
  readonly cluster: boolean;
  /** The name of the master that sentinels know. */
  readonly sentinel?: string | undefined;
  /** An ACL user, in place of those in the URLs. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Files, PEM; read at each connection, so that a rotated one is taken up. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
        readonly serverName?: string | undefined;
      }
    | undefined;
  /** Letters, digits, `_` and `-`: what all names in Redis begin with. */
  readonly namespace: string;
};

/** What happens to limits while Redis does not answer. */
export type FailureMode = 'local' | 'allow' | 'deny';

export type RedisStoreOptions = StoreOptions & {
  /** How long answers that are remembered hold without contact, ms. */
  readonly maxStaleMs: number;
  readonly onStoreFailure: {
    readonly limits: FailureMode;
    /** Processes that share a limit then; as many as were seen alive last when undefined. */
    readonly replicas?: number | undefined;
  };
  readonly mode: 'exact' | 'leased';
  /** Whose clock limits go by: Redis' own, or the times that callers give (for tests). */
  readonly clock?: 'redis' | 'caller' | undefined;
  /** How long one trip for limits may take, ms; 50 unless told (for tests on a busy machine). */
  readonly limitsWithinMs?: number | undefined;
};
