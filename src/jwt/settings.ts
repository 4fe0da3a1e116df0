/** Sizes and times of token verification; an option of the same name replaces a figure. */
export const TOKEN_DEFAULTS = Object.freeze({
  /** Longest token, in characters. */
  tokenCharsMax: 8_192,
  /** Longest decoded header. */
  headerBytesMax: 2_048,
  /** Verified tokens remembered, the longest unused forgotten first. */
  cacheEntriesMax: 10_000,
  /** Longest time that a signature result stands; never beyond the token's `exp`. */
  cacheTtlMs: 300_000,
  /** For one load of a set, discovery included. */
  fetchTimeoutMs: 5_000,
  /** Largest discovery document or set, after content decoding. */
  setBytesMax: 262_144,
  /** Age of a set when its answer names none, and the bounds of what an answer may name. */
  setAgeMs: 600_000,
  setAgeMinMs: 60_000,
  setAgeMaxMs: 3_600_000,
  /** How often a `file:` set is read again. */
  fileAgeMs: 30_000,
  /** Wait after a failed load: doubles from the first to the second. */
  backoffMinMs: 1_000,
  backoffMaxMs: 60_000,
  /** Shortest time between two loads that unknown `kid`s cause. */
  unknownKidBackoffMs: 10_000,
  /** How long a set serves when it cannot be loaded again. */
  staleMaxMs: 86_400_000,
});

export type TokenSettings = { readonly [Name in keyof typeof TOKEN_DEFAULTS]: number };

/** What happens while tokens are verified; `issuer` is the first entry that names the set. */
export type TokenEvent =
  | { readonly kind: 'cache'; readonly hit: boolean }
  | {
      readonly kind: 'jwks_fetch';
      readonly ok: boolean;
      readonly issuer: string;
      readonly location: string;
      readonly detail?: string | undefined;
    }
  | {
      readonly kind: 'jwks_key_skipped';
      readonly issuer: string;
      readonly location: string;
      readonly detail: string;
    };

/** What the parts of the verifier share. */
export type TokenTools = {
  readonly settings: TokenSettings;
  readonly now: () => number;
  readonly fetch: typeof globalThis.fetch;
  readonly onEvent: (event: TokenEvent) => void;
};
