import { type Deny, deny } from '../core/decision.ts';
import type { Issuer } from '../core/token.ts';
import { isSameType } from './token-form.ts';

/** What of a token chooses the entries that may judge it. */
export type TokenMarks = {
  readonly alg: string;
  readonly typ: string | undefined;
  readonly iss: string | undefined;
};

/**
 * The entries that may judge a token, in the given order: those that name its `iss`, or when none does, those
 * that name no issuer; of these the ones that accept its `alg` and `typ`.
 */
export function chooseIssuers(
  issuers: readonly Issuer[],
  token: TokenMarks,
): readonly Issuer[] | Deny {
  const claimed = token.iss !== undefined && issuers.some(({ issuer }) => issuer === token.iss);
  const wanted = claimed ? token.iss : undefined;
  const named = issuers.filter(({ issuer }) => issuer === wanted);
  if (named.length === 0) return deny('identify', 'token_issuer', { detail: 'no entry names it' });
  const accepting = named.filter((issuer) => acceptsAlg(issuer, token.alg));
  if (accepting.length === 0) {
    return deny('identify', 'token_invalid', { detail: 'no entry accepts its alg' });
  }
  const fitting = accepting.filter(({ typ }) => acceptsType(typ, token.typ));
  return fitting.length > 0
    ? fitting
    : deny('identify', 'token_invalid', { detail: 'no entry accepts its typ' });
}

/** A shared secret serves HMAC only and a public key never does, whatever the entry lists. */
function acceptsAlg(issuer: Issuer, alg: string): boolean {
  return issuer.algorithms.has(alg) && alg.startsWith('HS') === (issuer.keys.kind === 'secret');
}

function acceptsType(wanted: string | undefined, typ: string | undefined): boolean {
  return wanted === undefined || (typ !== undefined && isSameType(wanted, typ));
}
