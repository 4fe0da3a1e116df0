import { judgeKeyLocation } from './location.ts';
import type { Path } from './problem.ts';
import type { Review } from './review.ts';
import type { IssuerConfig } from './schema.ts';
import { HMAC } from './schema-issuer.ts';

const SECRET_BYTES_MIN = 32;
const HMAC_NAMES: ReadonlySet<string> = new Set(HMAC);

/** Reports issuers whose keys and algorithms do not go together. */
export function checkIssuers(review: Review): void {
  for (const [index, issuer] of review.config.issuers.entries()) {
    const path: Path = ['issuers', index];
    checkKeySource(review, issuer, path);
    checkAlgorithms(review, issuer, path);
    if (issuer.audience === undefined && !review.wrote([...path, 'audience'])) {
      review.warn(path, 'no audience: tokens made for other services are taken too');
    }
  }
}

/** The bytes of a shared secret; undefined when it is not in its encoding. */
export function secretBytes(
  secret: string,
  encoding: IssuerConfig['encoding'],
): Uint8Array | undefined {
  if (encoding === 'utf8') return new TextEncoder().encode(secret);
  const standard = secret.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  const bytes = Buffer.from(standard, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === standard
    ? new Uint8Array(bytes)
    : undefined;
}

/** One value or several, as several. */
export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

function checkKeySource(review: Review, issuer: IssuerConfig, path: Path): void {
  const hasSecret = review.wrote([...path, 'secret']);
  const hasSets = review.wrote([...path, 'jwks']);
  if (hasSecret && hasSets)
    review.problem([...path, 'jwks'], 'expected either secret or jwks', 'key');
  if (!hasSecret && !hasSets) checkDiscovery(review, issuer, path);
  for (const [place, secret] of listOf(issuer.secret).entries()) {
    const at = typeof issuer.secret === 'string' ? [...path, 'secret'] : [...path, 'secret', place];
    const bytes = secretBytes(secret, issuer.encoding);
    if (!bytes) review.problem(at, 'the secret is not base64');
    else if (bytes.length < SECRET_BYTES_MIN) {
      review.problem(
        at,
        `the secret has ${bytes.length} bytes; expected at least ${SECRET_BYTES_MIN}`,
      );
    }
  }
}

/** Without a secret and key sets, they are discovered at the issuer (OpenID Connect Discovery 1.0 section 4). */
function checkDiscovery(review: Review, issuer: IssuerConfig, path: Path): void {
  if (issuer.issuer === undefined) {
    if (review.wrote([...path, 'issuer'])) return;
    review.problem(path, 'expected secret or jwks, or an issuer to discover the key sets at');
    return;
  }
  const isFile = issuer.issuer.startsWith('file:');
  if (!isFile && judgeKeyLocation(issuer.issuer) === undefined) return;
  review.problem(
    [...path, 'issuer'],
    'key sets are discovered at https: only (http: on loopback): give secret or jwks',
  );
}

function checkAlgorithms(review: Review, issuer: IssuerConfig, path: Path): void {
  const { algorithms } = issuer;
  if (!algorithms) return;
  const hmac = algorithms.filter((one) => HMAC_NAMES.has(one));
  const at: Path = [...path, 'algorithms'];
  if (hmac.length > 0 && hmac.length < algorithms.length) {
    review.problem(
      at,
      'algorithms of one family only: HS… with a secret, the others with key sets',
    );
    return;
  }
  const hasSecret = review.wrote([...path, 'secret']);
  if (hasSecret && hmac.length === 0)
    review.problem(at, 'a secret goes with HS256, HS384 and HS512 only');
  if (!hasSecret && hmac.length > 0) {
    review.problem(at, `${hmac.join(', ')} needs a secret; key sets go with the other algorithms`);
  }
}
