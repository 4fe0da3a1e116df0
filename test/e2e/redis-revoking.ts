import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckQuestion } from './check-client.ts';
import { type Family, FOUR, outcomeOf, type Sibling } from './redis-four.ts';
import { inLanes } from './redis-storm.ts';

/** A key that was made through the API. */
export type Made = { readonly id: string; readonly raw: string };

/** How long something took, ms. */
export type Spread = { readonly p50: number; readonly p99: number; readonly most: number };

/** What siblings are asked for with these keys: to read, and to write. */
export const REVOCATION_POLICY = {
  audit: 'none',
  key_cache: { max_stale: '2s' },
  scopes: { 'reports:read': 'Read reports', 'reports:write': 'Write reports' },
  roles: { writer: { scopes: ['reports:read', 'reports:write'] } },
  api_keys: { prefixes: { pst_: {}, old_: { checksum: false } } },
  routes: [
    {
      name: 'reports',
      path: '/v1/reports',
      access: ['api_key'],
      scopes: { GET: ['reports:read'], '*': ['reports:write'] },
    },
  ],
};

const LANES = 4;
const LOOK_AGAIN_MS = 1;
const PATIENCE_MS = 20_000;

/** Makes a key at a sibling; `reports:read` when nothing is said. */
export async function makeKey({ api }: Sibling, draft: object = {}): Promise<Made> {
  const body = { name: 'a key', scopes: ['reports:read'], ...draft };
  const made = await api.make('/v1/api-keys', { method: 'POST', body });
  return { id: String(made['id']), raw: String(made['key']) };
}

/** What becomes of a request with a key. */
export async function outcomeAt(
  sibling: Sibling,
  raw: string,
  question: Partial<CheckQuestion> = {},
): Promise<string> {
  const headers = [['x-api-key', raw]] as const;
  return outcomeOf(await sibling.check({ path: '/v1/reports', headers, ...question }));
}

/** The same, asked again as long as the sibling cannot judge: this machine may be too slow for its budget. */
export async function verdictAt(
  sibling: Sibling,
  raw: string,
  question: Partial<CheckQuestion> = {},
): Promise<string> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const outcome = await outcomeAt(sibling, raw, question);
    if (outcome !== 'unavailable' || performance.now() > untilMs) return outcome;
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Asks each sibling for a key so often that it remembers it. */
export async function remember(siblings: readonly Sibling[], raw: string): Promise<void> {
  for (let time = 0; time < 2; time += 1) {
    await Promise.all(siblings.map((sibling) => verdictAt(sibling, raw)));
  }
}

/** Looks until it sees what it waits for; answers after how long that look began, ms. Throws when it does not come. */
export async function timeUntil(
  expected: string,
  look: () => Promise<string>,
  sinceMs = performance.now(),
): Promise<number> {
  for (;;) {
    const tookMs = performance.now() - sinceMs;
    const outcome = await look();
    if (outcome === expected) return tookMs;
    if (tookMs > PATIENCE_MS) throw new Error(`still ${outcome}, not ${expected}`);
    await sleep(LOOK_AGAIN_MS);
  }
}

/** The siblings other than that of this turn. */
export function othersThan(family: Family, turn: number): readonly Sibling[] {
  return family.siblings.filter((_, at) => at !== turn % FOUR);
}

/**
 * Revokes so many keys, each through one sibling in turn and remembered by the others; `lanes` at the same time. Answers
 * after how long each was refused by all others, from the answer to the check that saw it, ms.
 */
export async function timeRevocations(
  family: Family,
  count: number,
  lanes = LANES,
): Promise<readonly number[]> {
  const turns = Array.from({ length: count }, (_, turn) => turn);
  const keys = await inLanes(turns, LANES, (turn) => makeKey(family.at(turn)));
  await inLanes(keys, LANES, ({ raw }, turn) => remember(othersThan(family, turn), raw));
  return await inLanes(keys, lanes, async ({ id, raw }, turn) => {
    const through = family.at(turn);
    const { status } = await through.api.ask(`/v1/api-keys/${id}`, { method: 'DELETE' });
    const revokedMs = performance.now();
    if (status !== 204) throw new Error(`the revocation was answered ${status}`);
    const seen = othersThan(family, turn).map((other) =>
      timeUntil('key_revoked', () => outcomeAt(other, raw), revokedMs),
    );
    const own = await verdictAt(through, raw);
    if (own !== 'key_revoked') throw new Error(`who revoked it answers ${own}`);
    return Math.max(...(await Promise.all(seen)));
  });
}

/** The middle, the longest but one in a hundred, and the longest. */
export function spreadOf(tookMs: readonly number[]): Spread {
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
}

/** `p50 3.1 ms, p99 9.4 ms, most 14.0 ms`. */
export function writeSpread({ p50, p99, most }: Spread): string {
  const write = (ms: number) => `${ms.toFixed(1)} ms`;
  return `p50 ${write(p50)}, p99 ${write(p99)}, most ${write(most)}`;
}
