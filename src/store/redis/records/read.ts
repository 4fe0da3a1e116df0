import type { RedisLink } from '../link/link.ts';
import { readScript } from '../script.ts';
import { createNamedKeys } from './named-keys.ts';

/** One read, such as `HGET` with a field. */
export type Read = {
  readonly read: string;
  readonly key: string;
  readonly args?: readonly (string | number)[] | undefined;
};

/** What Redis answers to a read; null for nothing. */
export type Reply = string | number | null | readonly Reply[];

const READ_WITHIN_MS = 3000;
const READ = readScript('read', 'master');

/** Makes reads in one atomic step, on the connection where nothing holds up a check; the answers stand in their order. */
export async function readAll(link: RedisLink, reads: readonly Read[]): Promise<readonly Reply[]> {
  if (reads.length === 0) return [];
  const { keys, placeOf } = createNamedKeys();
  const args: (string | number)[] = [];
  for (const { read, key, args: more = [] } of reads) {
    args.push(read, placeOf(key), more.length, ...more);
  }
  const call = { script: READ, keys: keys(), args, withinMs: READ_WITHIN_MS };
  const replies = await link.runAside(call);
  if (!Array.isArray(replies) || replies.length !== reads.length) throw new Error(BROKEN);
  return replies;
}

/** The members of an answer that is a list. */
export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (!Array.isArray(reply)) throw new Error(BROKEN);
  return reply;
}

/** A text, undefined for nothing. */
export function textOf(reply: Reply | undefined): string | undefined {
  if (reply === null || reply === undefined) return undefined;
  if (typeof reply !== 'string') throw new Error(BROKEN);
  return reply;
}

/** Texts, without those that were not there. */
export function textsOf(reply: Reply | undefined): readonly string[] {
  return listOf(reply).flatMap((one) => textOf(one) ?? []);
}

const BROKEN = 'Redis gave an answer of another shape';
