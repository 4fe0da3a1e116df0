import { type CryptoKey, compactVerify, errors } from 'jose';
import type { Issuer } from '../core/token.ts';
import type { KeyRing } from './key-ring.ts';
import type { KeySet, SetKey } from './key-set.ts';
import type { ParsedToken } from './token-form.ts';

/** A signature that holds, and whether the key that made it is still one of its entry's. */
export type Proof = { readonly isAlive: () => boolean };

/** What became of one try; sets that could have changed it are noted, to be waited for. */
export type SignatureTry = {
  readonly proof?: Proof | undefined;
  /** Sets that are not at hand. */
  readonly missing: readonly KeyRing[];
  /** All of the entry's sets, when none of them knows the token's `kid`. */
  readonly unknowing: readonly KeyRing[];
};

const ALWAYS: Proof = { isAlive: () => true };

/** Tries an entry's secrets, or the sets at hand, in order. Fetches and waits for nothing. */
export async function trySignature(
  token: ParsedToken,
  issuer: Issuer,
  rings: readonly KeyRing[],
): Promise<SignatureTry> {
  if (issuer.keys.kind === 'secret') return trySecrets(token, issuer.keys.secrets);
  const missing: KeyRing[] = [];
  let known = token.kid === undefined;
  for (const ring of rings) {
    const set = ring.current();
    if (!set) {
      missing.push(ring);
      continue;
    }
    known ||= token.kid !== undefined && set.kids.has(token.kid);
    const key = await findSigner(token, set);
    if (key) {
      return { proof: { isAlive: () => ring.holds(key.id) }, missing, unknowing: [] };
    }
  }
  return { missing, unknowing: known ? [] : rings };
}

async function trySecrets(
  token: ParsedToken,
  secrets: readonly Uint8Array[],
): Promise<SignatureTry> {
  for (const secret of secrets) {
    if (await isSignedBy(token, secret)) return { proof: ALWAYS, missing: [], unknowing: [] };
  }
  return { missing: [], unknowing: [] };
}

/** The key of a set that made the signature: one of the token's `kid`, or any fitting one when it names none. */
async function findSigner(token: ParsedToken, set: KeySet): Promise<SetKey | undefined> {
  for (const key of set.keys) {
    const isCandidate = token.kid === undefined || token.kid === key.kid;
    if (!isCandidate || !key.fits(token.alg)) continue;
    if (await isSignedBy(token, await key.importFor(token.alg))) return key;
  }
  return undefined;
}

async function isSignedBy(token: ParsedToken, key: CryptoKey | Uint8Array): Promise<boolean> {
  try {
    await compactVerify(token.text, key, { algorithms: [token.alg] });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw new Error('verifying a signature', { cause: error });
  }
}
