import type { KeptAnswer } from '../../../core/record-store.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import type { PlanPart } from './plan-part.ts';
import { readAll, textOf } from './read.ts';

/**
 * An answer as it stands, so that a commit can be held to it: one that is past its end makes room. `text` is
 * undefined where there is none.
 */
export type StandingAnswer = { readonly text: string | undefined; readonly hasEnded: boolean };

/** Redis forgets an answer so long after its end: the clock that ends it is that of whoever asks. */
const SLACK_MS = 60_000;

/**
 * Keeps an answer; the condition fails when another than the standing one is kept: an `answer` conflict, unless that
 * one has ended. One that ends no later than `nowMs` (epoch ms) is not kept at all.
 */
export function answerOps(
  keyspace: Keyspace,
  answer: KeptAnswer,
  { standing, nowMs }: { readonly standing?: string | undefined; readonly nowMs: number },
): PlanPart {
  const key = keyspace.answer(answer.id);
  const leftMs = answer.expiresAtMs - nowMs;
  const keep = { write: 'SET', key, args: [writeAnswer(answer), 'PX', leftMs + SLACK_MS] };
  return {
    conditions: [{ read: 'GET', key, args: [], is: standing }],
    ops: leftMs > 0 ? [keep] : [{ write: 'DEL', key, args: [] }],
  };
}

/** What stands under the id of an answer. */
export async function readStanding(
  link: RedisLink,
  keyspace: Keyspace,
  id: string,
  nowMs: number,
): Promise<StandingAnswer> {
  const text = await readText(link, keyspace.answer(id));
  return { text, hasEnded: text === undefined || readAnswer(id, text).expiresAtMs <= nowMs };
}

/** An answer that is kept and has not ended. */
export async function findAnswer(
  link: RedisLink,
  keyspace: Keyspace,
  id: string,
  nowMs: number,
): Promise<KeptAnswer | undefined> {
  const text = await readText(link, keyspace.answer(id));
  if (text === undefined) return undefined;
  const answer = readAnswer(id, text);
  return answer.expiresAtMs > nowMs ? answer : undefined;
}

async function readText(link: RedisLink, key: string): Promise<string | undefined> {
  const [reply] = await readAll(link, [{ read: 'GET', key }]);
  return textOf(reply);
}

/** A list of the end, the digest and the sealed bytes in base64. */
function writeAnswer({ bodyDigest, sealed, expiresAtMs }: KeptAnswer): string {
  return JSON.stringify([expiresAtMs, bodyDigest, Buffer.from(sealed).toString('base64')]);
}

/** Reads an answer as it is kept; throws with the id of a broken one. */
export function readAnswer(id: string, text: string): KeptAnswer {
  const [expiresAtMs, bodyDigest, sealed] = parseList(text);
  if (
    typeof expiresAtMs !== 'number' ||
    typeof bodyDigest !== 'string' ||
    typeof sealed !== 'string'
  ) {
    throw new Error(`the answer ${id} in the store is broken`);
  }
  return { id, bodyDigest, sealed: new Uint8Array(Buffer.from(sealed, 'base64')), expiresAtMs };
}

/** The error of a parser would tell what it read. */
function parseList(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
