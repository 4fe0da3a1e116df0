/**
 * The names of everything in Redis. Two tags decide where it lies on a Cluster: all records stand in one slot, so that
 * a commit is one atomic step; the counters of each subject stand in a slot of their own. Nothing that a client chose
 * is ever inside a tag.
 */
export type Keyspace = {
  /** Hash of one key: see `records-layout.ts`. */
  readonly key: (id: string) => string;
  /** Hash: the hash of a secret (hex) to `<until ms or empty> <key id>`. */
  readonly secrets: string;
  /** Number of the newest key: the order in which keys came. */
  readonly arrivals: string;
  /** Sorted set of key ids by arrival, of all keys or of those with one value of a field. */
  readonly keys: string;
  readonly keysWith: (field: string, value: string) => string;
  /** Sorted set of the ids of active keys by a time (epoch ms): `expires_at`, `created_at`, `rotated_at`. */
  readonly keysBy: (time: 'expires_at' | 'created_at' | 'rotated_at') => string;
  /** Sorted set of key ids by last use, else creation (epoch ms). */
  readonly keysSeen: string;
  /** Sorted set of blocks of arrivals by the least such time of their keys, or less: see `records-layout.ts`. */
  readonly blocksBy: (time: 'expires_at' | 'seen') => string;
  /** Sorted set of the values that a field of keys has, each with score 0. */
  readonly valuesOf: (field: string) => string;
  /** Hash of all records of a kind other than key: `<workspace>\0<id>` to `<version> <JSON>`. */
  readonly records: (kind: string) => string;
  /** Sorted set, all with score 0, of the fields of `records`: the order of the list. */
  readonly recordNames: (kind: string) => string;
  /** Hash: slug to workspace id. */
  readonly slugs: string;
  /** Hash: event id to JSON. */
  readonly events: string;
  /** Sorted set of event ids by time (epoch ms), of all events or of those with one value of a field. */
  readonly eventsByTime: string;
  readonly eventsWith: (field: string, value: string) => string;
  /** Sorted set of the ids of events that no change caused, by time. */
  readonly eventsTold: string;
  /** Sorted set of the names that events have, each with score 0. */
  readonly eventNames: string;
  /** Hash of one key's use: `<day> <reason>` to the counts of the day's hours; see `usage.lua`. */
  readonly usage: (keyId: string) => string;
  /** Sorted set of key ids by the oldest hour that `usage` has of them. */
  readonly usageOldest: string;
  /** Number of the last batch of uses that a process wrote. */
  readonly writer: (process: string) => string;
  /** Set of `<notice>\0<mark>` that a key was told of. */
  readonly told: (keyId: string) => string;
  readonly answer: (id: string) => string;
  readonly settings: string;
  /** `<number>:<random>` of the newest change. */
  readonly stamp: string;
  /** Stream of changes: entry `<number>-0` with `stamp` and pairs `kind`, `name`. */
  readonly changes: string;
  /** Channel: each commit publishes its stamp. */
  readonly channel: string;
  /** Channel: a counter of which a process needs what others lease. */
  readonly needs: string;
  /** Sorted set of the processes that were seen lately, by Redis' clock (epoch ms). */
  readonly instances: string;
  /** The counter of a subject; both are digests. */
  readonly counter: (subject: string, counter: string) => string;
  /** A counter for the probe of a node, in the slot of a number that the caller finds. */
  readonly probe: (number: number) => string;
};

/** The keyspace of a namespace, which holds letters, digits, `_` and `-` only. */
export function createKeyspace(namespace: string): Keyspace {
  const record = (...parts: readonly string[]) => `{${namespace}}:${parts.join(':')}`;
  return {
    key: (id) => record('key', id),
    secrets: record('secrets'),
    arrivals: record('arrivals'),
    keys: record('keys'),
    keysWith: (field, value) => record('keys', field, value),
    keysBy: (time) => record('keys-by', time),
    keysSeen: record('keys-seen'),
    blocksBy: (time) => record('blocks-by', time),
    valuesOf: (field) => record('values', field),
    records: (kind) => record('records', kind),
    recordNames: (kind) => record('names', kind),
    slugs: record('slugs'),
    events: record('events'),
    eventsByTime: record('events-by-time'),
    eventsWith: (field, value) => record('events-with', field, value),
    eventsTold: record('events-told'),
    eventNames: record('event-names'),
    usage: (keyId) => record('usage', keyId),
    usageOldest: record('usage-oldest'),
    writer: (process) => record('writer', process),
    told: (keyId) => record('told', keyId),
    answer: (id) => record('answer', id),
    settings: record('settings'),
    stamp: record('stamp'),
    changes: record('changes'),
    channel: record('changed'),
    needs: record('needs'),
    instances: record('instances'),
    counter: (subject, counter) => `${namespace}:{${subject}}:${counter}`,
    probe: (number) => `${namespace}:{probe-${number}}`,
  };
}
