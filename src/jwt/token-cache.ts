import { hash } from 'node:crypto';
import type { Issuer, VerifiedToken } from '../core/token.ts';
import type { TokenMarks } from './candidate.ts';
import type { Proof } from './signature.ts';

/** A signature that was found to hold. Nothing else about the token is decided by it. */
export type Remembered = {
  readonly answer: VerifiedToken;
  readonly marks: TokenMarks;
  readonly proof: Proof;
  /** Entries that came before and could not have verified it. */
  readonly failed: ReadonlySet<Issuer>;
  /** Epoch ms. */
  readonly untilMs: number;
};

/** Verified signatures by SHA-256 of the whole token; bounded, the longest unused forgotten first. */
export type TokenCache = {
  find(digest: string, nowMs: number): Remembered | undefined;
  remember(digest: string, entry: Remembered): void;
  /** Forgets every entry that was verified for an issuer that is no longer in use. */
  keepOnly(isCurrent: (issuer: Issuer) => boolean): void;
};

/** What the cache knows a token by. */
export function digestToken(token: string): string {
  return hash('sha256', token, 'hex');
}

export function createTokenCache(entriesMax: number): TokenCache {
  const entries = new Map<string, Remembered>();
  return {
    find: (digest, nowMs) => {
      const entry = entries.get(digest);
      if (!entry) return undefined;
      entries.delete(digest);
      if (nowMs >= entry.untilMs || !entry.proof.isAlive()) return undefined;
      entries.set(digest, entry);
      return entry;
    },
    remember: (digest, entry) => {
      const before = entries.get(digest);
      entries.delete(digest);
      entries.set(
        digest,
        before?.answer.issuer === entry.answer.issuer ? unite(before, entry) : entry,
      );
      const oldest = entries.size > entriesMax ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
    },
    keepOnly: (isCurrent) => {
      for (const [digest, { answer }] of entries) {
        if (!isCurrent(answer.issuer)) entries.delete(digest);
      }
    },
  };
}

/** Two routes may ask in different orders: what both found holds until the earlier finding ends. */
function unite(before: Remembered, entry: Remembered): Remembered {
  const failed = new Set([...before.failed, ...entry.failed]);
  return { ...entry, failed, untilMs: Math.min(before.untilMs, entry.untilMs) };
}
