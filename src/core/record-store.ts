import type { AuditEvent, RecordKind, RecordOf, StoredKey } from './records.ts';

/**
 * The name of a record. Users, teams and roles are unique within their workspace; keys and workspaces everywhere, and
 * of their names only the id counts.
 */
export type RecordName = { readonly workspace?: string | undefined; readonly id: string };

/** A record and its version, which every change raises by one; the first is 1. */
export type Versioned<T> = { readonly record: T; readonly version: number };

/** One step of a commit: `expected` is the version that must stand now, 0 where there must be none. */
export type Write = {
  readonly [K in RecordKind]:
    | { readonly kind: K; readonly put: RecordOf[K]; readonly expected: number }
    | { readonly kind: K; readonly remove: RecordName; readonly expected: number }
    /** Changes nothing; the commit fails unless the record has this version. */
    | { readonly kind: K; readonly require: RecordName; readonly expected: number };
}[RecordKind];

/** The answer to a POST with an Idempotency-Key, sealed by whoever keeps it. */
export type KeptAnswer = {
  /** Digest of actor, method, path and Idempotency-Key. */
  readonly id: string;
  /** Digest of the request body: the same key with another body is an error. */
  readonly bodyDigest: string;
  /** Encrypted: the answer may hold a raw key. */
  readonly sealed: Uint8Array;
  readonly expiresAtMs: number;
};

/** All of it happens, or nothing. */
export type Commit = {
  readonly writes: readonly Write[];
  readonly events: readonly AuditEvent[];
  readonly answer?: KeptAnswer | undefined;
  /** Marks a key as told of: the commit fails when it was told of this before. */
  readonly notice?: Notice | undefined;
};

/** A step in a key's life that is told once; `mark` tells one end (or last use) of the key from the next. */
export type Notice = { readonly keyId: string; readonly notice: string; readonly mark: string };

/**
 * What stood in the way of a commit: another version than expected, a hash or a slug that another record has,
 * an answer that is kept or a notice that was given already. `at` is the index of the write, 0 without one.
 */
export type Conflict = {
  readonly conflict: 'version' | 'hash' | 'slug' | 'answer' | 'notice';
  readonly at: number;
};

/**
 * A page is at most `limit` items (1 to 200) after the place that `after` names: the `next` of the page before, which
 * is absent on the last page. Going on from page to page meets each item once that was there all the time.
 */
export type PageRequest = { readonly limit: number; readonly after?: string | undefined };
export type Page<T> = { readonly items: readonly T[]; readonly next?: string | undefined };

/** Undefined members do not filter. `workspace: null` means records without one. */
export type KeyFilter = {
  readonly workspace?: string | null | undefined;
  readonly kind?: StoredKey['kind'] | undefined;
  readonly owner?: string | undefined;
  readonly environment?: string | undefined;
  /** `expired`: active by status, but ended before `nowMs`; `active` leaves those out. */
  readonly status?: 'active' | 'disabled' | 'revoked' | 'expired' | undefined;
  /** Begins with this text: `key_prefix`. */
  readonly prefix?: string | undefined;
  /** Not used at or after this time (epoch ms); a key never used counts by its creation. */
  readonly unusedSinceMs?: number | undefined;
  readonly nowMs: number;
};
/** A workspace counts as its own. */
export type RecordFilter = { readonly workspace?: string | null | undefined };
export type EventFilter = {
  readonly workspace?: string | null | undefined;
  /** Exact, or `key.*` for all that begin with `key.`. */
  readonly event?: string | undefined;
  readonly object?: string | undefined;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
};

/** A key with what its use has left behind; `lastUsedAtMs` is right within the flush interval. */
export type ListedKey = Versioned<StoredKey> & { readonly lastUsedAtMs?: number | undefined };

/** One hour of a key: all its requests, and how many of them were refused, by reason. */
export type UsageHour = {
  readonly startMs: number;
  readonly requests: number;
  readonly refusals: Readonly<Record<string, number>>;
};

/**
 * One use of a key as the gate reports it; `reason` is that of a refusal. Each counts as the last use, also one
 * that was refused, unless the key itself was. Buffered, never awaited. A key that only a policy declares has hours, but no last use.
 */
export type KeyUse = {
  readonly keyId: string;
  readonly nowMs: number;
  readonly reason?: string | undefined;
  /** The key itself was refused, as one that is revoked: it is counted, but that was no use of it. */
  readonly isKeyRefused?: boolean | undefined;
};

/**
 * Keys whose time lies in a span, for events of their life: from `fromMs` on and before `toMs`, or last used (or
 * made, when never used) before `beforeMs`; epoch ms.
 */
export type KeySpan =
  | {
      readonly by: 'expires_at' | 'created_at' | 'rotated_at';
      readonly fromMs: number;
      readonly toMs: number;
    }
  | { readonly by: 'unused'; readonly beforeMs: number };

/**
 * The port for everything that is managed, beside the ports of the gate. Whatever is committed is durable when
 * the promise resolves, and holds for the next check of this process. Rejects only when the store fails.
 */
export type RecordStore = {
  readonly get: <K extends RecordKind>(
    kind: K,
    name: RecordName,
  ) => Promise<Versioned<RecordOf[K]> | undefined>;
  /** A key with its last use. */
  readonly getKey: (id: string) => Promise<ListedKey | undefined>;
  /** A key by the hash of any of its secrets. */
  readonly getKeyByHash: (hash: string) => Promise<ListedKey | undefined>;
  /** Newest first: the one that came last into the store. */
  readonly listKeys: (filter: KeyFilter, page: PageRequest) => Promise<Page<ListedKey>>;
  /** In the order of ids (by workspace first). */
  readonly list: <K extends Exclude<RecordKind, 'key'>>(
    kind: K,
    filter: RecordFilter,
    page: PageRequest,
  ) => Promise<Page<Versioned<RecordOf[K]>>>;
  readonly commit: (commit: Commit) => Promise<Conflict | undefined>;
  readonly findAnswer: (id: string, nowMs: number) => Promise<KeptAnswer | undefined>;
  /** Newest first, by their time. */
  readonly listEvents: (filter: EventFilter, page: PageRequest) => Promise<Page<AuditEvent>>;
  /** Keeps events that no change caused, as refused decisions; buffered, bounded, never awaited. */
  readonly recordEvent: (event: AuditEvent) => void;
  readonly recordUse: (use: KeyUse) => void;
  /** Hours from `fromMs` on, oldest first; hours without use are left out. */
  readonly usageOf: (keyId: string, fromMs: number) => Promise<readonly UsageHour[]>;
  /**
   * Active keys of a span that have not had this notice yet with the mark they have now: the text of the span's
   * own field, or of the last use (epoch ms; empty when never used). At most `limit`.
   */
  readonly keysDue: (span: KeySpan, notice: string, limit: number) => Promise<readonly ListedKey[]>;
  /** Facts of the installation, such as the hash of the admin token. */
  readonly getSetting: (name: string) => Promise<string | undefined>;
  readonly putSetting: (name: string, value: string) => Promise<void>;
  /** Forgets events before a time and answers past theirs; usage hours before `usageBeforeMs`. */
  readonly prune: (before: {
    readonly eventsMs: number;
    readonly usageMs: number;
    readonly nowMs: number;
  }) => Promise<void>;
  /** Ids that stand in the store, of those given; for names that a policy declares too. */
  readonly existing: (
    kind: 'key' | 'workspace',
    ids: readonly string[],
  ) => Promise<readonly string[]>;
  /** Everything buffered is written when it resolves. */
  readonly flush: () => Promise<void>;
  readonly close: () => Promise<void>;
};
