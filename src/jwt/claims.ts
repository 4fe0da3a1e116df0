import { type Deny, deny } from '../core/decision.ts';
import type { Claims, Issuer } from '../core/token.ts';

/** Judges issuer, audience and times of a token against an entry (RFC 7519 section 4.1). */
export function judgeClaims(entry: Issuer, claims: Claims, nowMs: number): Deny | undefined {
  if (entry.issuer !== undefined && claims['iss'] !== entry.issuer) {
    return deny('identify', 'token_issuer', { detail: 'iss is not what its entry requires' });
  }
  return judgeAudience(entry, claims['aud']) ?? judgeTimes(entry, claims, nowMs / 1000);
}

function judgeAudience({ audiences }: Issuer, aud: unknown): Deny | undefined {
  if (!audiences) return undefined;
  if (aud === undefined) return deny('identify', 'token_audience', { detail: 'no aud' });
  if (typeof aud === 'string') {
    return audiences.includes(aud) ? undefined : deny('identify', 'token_audience');
  }
  if (!Array.isArray(aud) || !aud.every((one) => typeof one === 'string')) {
    return invalid('aud is neither a string nor a list of strings');
  }
  return aud.some((one) => audiences.includes(one))
    ? undefined
    : deny('identify', 'token_audience');
}

function judgeTimes(entry: Issuer, claims: Claims, nowSeconds: number): Deny | undefined {
  const { exp, nbf, iat } = claims;
  if (!isTime(exp) || !isTime(nbf) || !isTime(iat)) return invalid('a time is no finite number');
  if (exp === undefined && entry.requireExp) return invalid('no exp');
  const tolerance = entry.clockToleranceSeconds;
  if (exp !== undefined && nowSeconds >= exp + tolerance) return deny('identify', 'token_expired');
  const begins = Math.max(nbf ?? Number.NEGATIVE_INFINITY, iat ?? Number.NEGATIVE_INFINITY);
  if (nowSeconds < begins - tolerance) return deny('identify', 'token_not_yet_valid');
  return entry.maxAgeSeconds === undefined
    ? undefined
    : judgeLifetime(entry.maxAgeSeconds, exp, iat);
}

function judgeLifetime(
  maxAgeSeconds: number,
  exp: number | undefined,
  iat: number | undefined,
): Deny | undefined {
  if (exp === undefined || iat === undefined) return invalid('max_age needs exp and iat');
  return exp - iat > maxAgeSeconds ? invalid('lives longer than max_age') : undefined;
}

/** JSON's `1e400` reads as Infinity, which would never expire. */
function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value));
}

function invalid(detail: string): Deny {
  return deny('identify', 'token_invalid', { detail });
}
