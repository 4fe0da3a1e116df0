import type { Keyspace } from './keyspace.ts';
import type { RedisLink } from './link.ts';

/** What must stand when operations are applied: the answer of a read, undefined for none. */
export type Condition = {
  readonly read: 'GET' | 'HGET' | 'EXISTS' | 'SISMEMBER';
  readonly key: string;
  readonly args: readonly string[];
  readonly is: string | undefined;
};

/** One write, such as `HSET` with its arguments. */
export type Op = {
  readonly write: string;
  readonly key: string;
  readonly args: readonly (string | number)[];
};

/** Changes are told to every process; `kind` and `name` as the gate's caches know them. */
export type Applied = {
  readonly conditions: readonly Condition[];
  readonly ops: readonly Op[];
  readonly changes?: readonly { readonly kind: string; readonly name: string }[] | undefined;
};

export type Outcome = { readonly failed: number } | { readonly stamp: string | undefined };

/**
 * Applies operations to records in one atomic step, or none where a condition fails: `failed` is its index. With
 * changes it raises the stamp, writes them to the stream and publishes it.
 */
export async function apply(
  _link: RedisLink,
  _keyspace: Keyspace,
  _applied: Applied,
): Promise<Outcome> {
  throw new Error('not written yet');
}
