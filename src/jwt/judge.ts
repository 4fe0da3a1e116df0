import { type Deny, deny } from '../core/decision.ts';
import type { Issuer, VerifiedToken } from '../core/token.ts';
import { judgeClaims } from './claims.ts';
import type { KeyRing } from './key-ring.ts';
import type { KeyRings } from './key-rings.ts';
import { type Proof, trySignature } from './signature.ts';
import type { ParsedToken } from './token-form.ts';

/** A token that holds. `failed` are the entries before its own; undefined when one of them may yet verify it. */
export type Proven = {
  readonly answer: VerifiedToken;
  readonly proof: Proof;
  readonly failed?: readonly Issuer[] | undefined;
};

/** One pass over all entries with the sets that are at hand. */
type Round = {
  readonly proven?: Proven | undefined;
  /** The first refusal of a token whose signature holds. */
  readonly refusal?: Deny | undefined;
  readonly missing: readonly KeyRing[];
  readonly unknowing: readonly KeyRing[];
};

/**
 * Judges a token against entries, in order; the first that verifies it wins. Sets at hand are tried before any
 * is waited for, and waited for before one is loaded again for an unknown `kid`.
 * Throws when nothing verified it and a set that might have is not to be had.
 */
export async function judgeToken(
  token: ParsedToken,
  issuers: readonly Issuer[],
  rings: KeyRings,
  nowMs: number,
): Promise<Proven | Deny> {
  const asked = new Set<KeyRing>();
  const waits = new Set<Promise<unknown>>();
  const ask = (ring: KeyRing, load: () => Promise<void> | undefined) => {
    if (asked.has(ring)) return;
    asked.add(ring);
    const loading = load();
    if (!loading) return;
    const wait: Promise<unknown> = loading.then(() => waits.delete(wait));
    waits.add(wait);
  };
  for (;;) {
    const round = await tryIssuers(token, issuers, rings, nowMs);
    const answer = round.proven ?? round.refusal;
    if (answer) return answer;
    for (const ring of round.missing) ask(ring, ring.pending);
    if (waits.size === 0) for (const ring of round.unknowing) ask(ring, ring.refetch);
    if (waits.size === 0) return giveUp(round);
    await Promise.race(waits);
  }
}

async function tryIssuers(
  token: ParsedToken,
  issuers: readonly Issuer[],
  rings: KeyRings,
  nowMs: number,
): Promise<Round> {
  const missing: KeyRing[] = [];
  const unknowing: KeyRing[] = [];
  const failed: Issuer[] = [];
  let refusal: Deny | undefined;
  for (const issuer of issuers) {
    const isCertain = missing.length === 0 && !refusal;
    const found = await trySignature(token, issuer, rings.of(issuer));
    missing.push(...found.missing);
    unknowing.push(...found.unknowing);
    if (!found.proof) {
      failed.push(issuer);
      continue;
    }
    const wrong = judgeClaims(issuer, token.claims, nowMs);
    if (!wrong) {
      const answer: VerifiedToken = { kind: 'token', issuer, claims: token.claims };
      const before = isCertain ? failed : undefined;
      return { proven: { answer, proof: found.proof, failed: before }, missing, unknowing };
    }
    refusal ??= wrong;
  }
  return { refusal, missing, unknowing };
}

function giveUp({ missing, unknowing }: Round): Deny {
  const [absent] = missing;
  if (absent) {
    const { location } = absent.state();
    throw new Error(`no key set from ${location}`, { cause: absent.failure() });
  }
  const detail = unknowing.length > 0 ? 'no set has its kid' : 'no key verifies its signature';
  return deny('identify', 'token_invalid', { detail });
}
