import { randomBytes } from 'node:crypto';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { createNamedKeys } from './named-keys.ts';

/** What must stand when operations are applied: the answer of a read, undefined for none; counts are digits. */
export type Condition = {
  readonly read: 'GET' | 'HGET' | 'EXISTS' | 'SISMEMBER';
  readonly key: string;
  readonly args: readonly string[];
  readonly is: string | undefined;
};

/** One write, such as `HSET` with its arguments, of which there are at most `OP_ARGS_MAX`. */
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

/** Lua takes a few thousand values off its stack. */
export const OP_ARGS_MAX = 4000;
/** A process that lags further behind drops its whole cache. */
const CHANGES_KEPT = 20_000;
const APPLY_WITHIN_MS = 3000;
const APPLY = readScript('apply', 'arguments');

/**
 * Applies operations to records in one atomic step, or none where a condition fails: `failed` is its index. With
 * changes it raises the stamp, writes them to the stream and publishes it. Rejects when Redis did not answer in time,
 * and then nobody knows whether it was done, or refused: then nothing was.
 */
export async function apply(
  link: RedisLink,
  keyspace: Keyspace,
  applied: Applied,
): Promise<Outcome> {
  const { keys, args } = encode(keyspace, applied);
  const reply = await link.runAside({ script: APPLY, keys, args, withinMs: APPLY_WITHIN_MS });
  return readOutcome(reply);
}

function encode(keyspace: Keyspace, { conditions, ops, changes = [] }: Applied) {
  const { keys, placeOf } = createNamedKeys([keyspace.stamp, keyspace.changes]);
  const args: (string | number)[] = [
    keyspace.channel,
    randomBytes(8).toString('hex'),
    CHANGES_KEPT,
    conditions.length,
  ];
  for (const { read, key, args: more, is } of conditions) {
    const wanted = is === undefined ? ['0', ''] : ['1', is];
    args.push(`?${read}`, placeOf(key), ...wanted, more.length, ...more);
  }
  args.push(ops.length);
  for (const { write, key, args: more } of ops) {
    if (more.length > OP_ARGS_MAX) throw new Error(`too many arguments for one ${write}`);
    args.push(write, placeOf(key), more.length, ...more);
  }
  args.push(changes.length, ...changes.flatMap(({ kind, name }) => [kind, name]));
  return { keys: keys(), args };
}

function readOutcome(reply: unknown): Outcome {
  const [word, value] = Array.isArray(reply) ? reply : [];
  if (word === 'failed') return { failed: Number(value) };
  if (word === 'applied') return { stamp: value === '' ? undefined : String(value) };
  throw new Error('Redis gave an answer that no commit has');
}
