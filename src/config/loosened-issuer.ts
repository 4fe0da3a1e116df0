import type { Prefix } from '../core/api-key.ts';
import type { Issuer } from '../core/token.ts';
import { isWider } from './loosened-set.ts';

/** What an issuer's tokens may be that they could not. */
export function looserIssuer(before: Issuer, after: Issuer): readonly string[] {
  const found: string[] = [];
  if (isWider(before.audiences, after.audiences)) found.push('takes more audiences');
  if (isWider(before.algorithms, after.algorithms)) found.push('takes more algorithms');
  if (before.issuer !== undefined && before.issuer !== after.issuer)
    found.push('takes another iss');
  if (before.requireExp && !after.requireExp) found.push('takes tokens without exp');
  if (isRaised(before.maxAgeSeconds, after.maxAgeSeconds)) found.push('takes older tokens');
  if (after.clockToleranceSeconds > before.clockToleranceSeconds) found.push('tolerates more skew');
  if (before.typ !== undefined && before.typ !== after.typ) found.push('takes another typ');
  if (isWider(before.maxScopes, after.maxScopes)) found.push('may claim more scopes');
  if (isWider(before.maxRoles, after.maxRoles)) found.push('may claim more roles');
  if (JSON.stringify(before.claims) !== JSON.stringify(after.claims)) {
    found.push('reads its claims from other places');
  }
  if (isOtherSource(before, after)) found.push('has other keys');
  return found;
}

/** What keys of a prefix may be that they could not. */
export function looserPrefix(before: Prefix, after: Prefix): readonly string[] {
  const found: string[] = [];
  if (isWider(before.maxScopes, after.maxScopes)) found.push('has a higher ceiling of scopes');
  if (before.checksum && !after.checksum) found.push('no longer wants a checksum');
  if (!before.publishable && after.publishable) found.push('is publishable');
  if (before.environment !== after.environment) found.push('has another environment');
  return found;
}

function isRaised(before: number | undefined, after: number | undefined): boolean {
  return before !== undefined && (after === undefined || after > before);
}

/** Secrets are compared and never shown. */
function isOtherSource(before: Issuer, after: Issuer): boolean {
  const texts = ({ keys }: Issuer): readonly string[] => {
    if (keys.kind === 'secret') return keys.secrets.map((one) => Buffer.from(one).toString('hex'));
    return keys.kind === 'jwks' ? keys.locations : [keys.issuer];
  };
  return before.keys.kind !== after.keys.kind || isWider(texts(before), texts(after));
}
