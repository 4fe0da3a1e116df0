import { deny } from '../core/decision.ts';
import type { VerifyToken } from '../core/ports.ts';
import type { Issuer, TokenAnswer } from '../core/token.ts';
import { chooseIssuers } from './candidate.ts';
import { judgeClaims } from './claims.ts';
import { judgeToken } from './judge.ts';
import type { KeyRingState } from './key-ring.ts';
import { type KeyRings, openKeyRings } from './key-rings.ts';
import {
  TOKEN_DEFAULTS,
  type TokenEvent,
  type TokenSettings,
  type TokenTools,
} from './settings.ts';
import { createTokenCache, digestToken, type Remembered, type TokenCache } from './token-cache.ts';
import { type ParsedToken, parseToken } from './token-form.ts';

/** Figures not given are those of `TOKEN_DEFAULTS`. `now` (epoch ms) tells the age of key sets. */
export type TokenVerifierOptions = Partial<TokenSettings> & {
  readonly now?: (() => number) | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Must not throw. */
  readonly onEvent?: ((event: TokenEvent) => void) | undefined;
};

export type TokenVerifier = AsyncDisposable & {
  /** Answers at once, without a promise, when the token's signature was verified a short while ago. */
  readonly verify: VerifyToken;
  /**
   * Names the entries of the policy, at start and at each reload: loads their sets in the background, keeps
   * those at hand, closes the others, forgets tokens that other entries verified.
   */
  readonly use: (issuers: readonly Issuer[]) => void;
  readonly state: () => readonly KeyRingState[];
};

const HIT: TokenEvent = Object.freeze({ kind: 'cache', hit: true });
const MISS: TokenEvent = Object.freeze({ kind: 'cache', hit: false });

type Parts = {
  readonly tools: TokenTools;
  readonly rings: KeyRings;
  readonly cache: TokenCache;
};

/** Opens a verifier of signed tokens (RFC 7519, RFC 8725) that holds key sets and verified signatures. */
export function openTokenVerifier(options: TokenVerifierOptions = {}): TokenVerifier {
  const { now = Date.now, fetch = globalThis.fetch, onEvent = () => {}, ...figures } = options;
  const tools = { settings: { ...TOKEN_DEFAULTS, ...figures }, now, fetch, onEvent };
  const rings = openKeyRings(tools);
  const cache = createTokenCache(tools.settings.cacheEntriesMax);
  const parts = { tools, rings, cache };
  return {
    verify: (token, issuers, nowMs) => {
      if (token.length > tools.settings.tokenCharsMax) {
        return deny('identify', 'token_invalid', { detail: 'longer than a token may be' });
      }
      const digest = digestToken(token);
      const known = cache.find(digest, nowMs);
      if (known && standsFirst(known, issuers) && holdsNow(known, nowMs)) {
        onEvent(HIT);
        return known.answer;
      }
      return verifyNew({ text: token, digest }, issuers, nowMs, parts);
    },
    use: (issuers) => {
      rings.use(issuers);
      cache.keepOnly(rings.isCurrent);
    },
    state: rings.state,
    [Symbol.asyncDispose]: rings.close,
  };
}

/** Claims that fail are judged the long way: another entry may take them. */
function holdsNow({ answer }: Remembered, nowMs: number): boolean {
  return !judgeClaims(answer.issuer, answer.claims, nowMs);
}

/** Whether the entry that verified a token is the one that these entries, in their order, would come to. */
function standsFirst(known: Remembered, issuers: readonly Issuer[]): boolean {
  const chosen = chooseIssuers(issuers, known.marks);
  if ('kind' in chosen) return false;
  const first = chosen.find((issuer) => !known.failed.has(issuer));
  return first === known.answer.issuer;
}

function verifyNew(
  { text, digest }: { readonly text: string; readonly digest: string },
  issuers: readonly Issuer[],
  nowMs: number,
  parts: Parts,
): TokenAnswer | Promise<TokenAnswer> {
  const token = parseToken(text, parts.tools.settings);
  if ('problem' in token) return deny('identify', 'token_invalid', { detail: token.problem });
  const chosen = chooseIssuers(issuers, token);
  if ('kind' in chosen) return chosen;
  parts.tools.onEvent(MISS);
  return verifySignature(token, chosen, { digest, nowMs }, parts);
}

async function verifySignature(
  token: ParsedToken,
  issuers: readonly Issuer[],
  { digest, nowMs }: { readonly digest: string; readonly nowMs: number },
  { tools, rings, cache }: Parts,
): Promise<TokenAnswer> {
  const proven = await judgeToken(token, issuers, rings, nowMs);
  if ('kind' in proven) return proven;
  const { answer, proof, failed } = proven;
  if (failed && rings.isCurrent(answer.issuer)) {
    const exp = Number(token.claims['exp'] ?? Number.POSITIVE_INFINITY);
    cache.remember(digest, {
      answer,
      proof,
      marks: { alg: token.alg, typ: token.typ, iss: token.iss },
      failed: new Set(failed),
      untilMs: Math.min(exp * 1000, nowMs + tools.settings.cacheTtlMs),
    });
  }
  return answer;
}
