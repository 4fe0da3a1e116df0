import type { Place } from './credential.ts';
import type { Deny } from './decision.ts';
import type { Principal } from './principal.ts';
import { cutRoles, type Roles } from './role.ts';
import { type Catalogue, cutGrants, isGrantList } from './scope.ts';

/** The payload of a token whose signature holds (RFC 7519 section 4). */
export type Claims = Readonly<Record<string, unknown>>;

/** Where a claim stands: path segments, or a constant. */
export type ClaimSource = { readonly path: readonly string[] } | { readonly value: string };

/** Where an issuer's keys come from. `jwks` locations are tried in order. */
export type KeySource =
  | { readonly kind: 'secret'; readonly secrets: readonly Uint8Array[] }
  | { readonly kind: 'jwks'; readonly locations: readonly string[] }
  | { readonly kind: 'discovery'; readonly issuer: string };

/** A compiled `issuers` entry. Its identity stands for the policy it belongs to. */
export type Issuer = {
  readonly name: string;
  /** Required `iss`; without it the entry judges tokens whose `iss` no other entry claims. */
  readonly issuer?: string | undefined;
  /** Accepted `aud`; undefined accepts any. */
  readonly audiences?: readonly string[] | undefined;
  readonly keys: KeySource;
  readonly algorithms: ReadonlySet<string>;
  readonly requireExp: boolean;
  readonly maxAgeSeconds?: number | undefined;
  readonly clockToleranceSeconds: number;
  readonly typ?: string | undefined;
  readonly readFrom: readonly Place[];
  readonly claims: {
    readonly username: ClaimSource;
    readonly scopes: ClaimSource;
    readonly client: readonly ClaimSource[];
    readonly workspace?: ClaimSource | undefined;
    readonly roles?: ClaimSource | undefined;
    readonly plan?: ClaimSource | undefined;
    readonly environment?: ClaimSource | undefined;
  };
  readonly maxScopes?: readonly string[] | undefined;
  readonly maxRoles?: readonly string[] | undefined;
  /** Claims handed to upstream: header name (lower case) and where the claim stands. */
  readonly headers: readonly (readonly [string, ClaimSource])[];
};

/** A token that holds: form, signature, times, audience. */
export type VerifiedToken = {
  readonly kind: 'token';
  readonly issuer: Issuer;
  readonly claims: Claims;
};

export type TokenAnswer = VerifiedToken | Deny;

const USERNAME_CHARS_MAX = 512;

/** The claim at a source, by own properties only; undefined when it is absent. */
export function readClaim(claims: Claims, source: ClaimSource): unknown {
  if ('value' in source) return source.value;
  let at: unknown = claims;
  for (const segment of source.path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = (at as Record<string, unknown>)[segment];
  }
  return at;
}

/** Who a verified token stands for; undefined when it has no usable username. */
export function tokenPrincipal(
  token: VerifiedToken,
  catalogue: Catalogue,
  roles: Roles,
): Principal | undefined {
  const { issuer, claims } = token;
  const username = readText(claims, issuer.claims.username);
  if (username === undefined) return undefined;
  const claimed = readList(claims, issuer.claims.roles);
  const own = issuer.maxRoles
    ? claimed.filter((role) => roles.covers(issuer.maxRoles, role))
    : claimed;
  const granted = [...readList(claims, issuer.claims.scopes), ...roles.scopesOf(own)];
  const scopes = cutGrants(granted, issuer.maxScopes, catalogue);
  const environment = readText(claims, issuer.claims.environment);
  return {
    kind: 'jwt',
    username,
    subject: readText(claims, { path: ['sub'] }),
    workspace: readText(claims, issuer.claims.workspace),
    client: readFirst(claims, issuer.claims.client),
    scopes,
    isScoped: holdsClaim(claims, issuer.claims.scopes) || holdsClaim(claims, issuer.claims.roles),
    roles: cutRoles(own, scopes, roles, catalogue),
    plan: readText(claims, issuer.claims.plan),
    environment,
    judgedEnvironments: issuer.claims.environment ? [environment] : [],
    issuer,
    claims,
  };
}

function holdsClaim(claims: Claims, source: ClaimSource | undefined): boolean {
  return source !== undefined && readClaim(claims, source) !== undefined;
}

/** Whether a claim is there but is no usable text; null counts as absent. */
export function isUnreadable(claims: Claims, source: ClaimSource | undefined): boolean {
  const value = source && readClaim(claims, source);
  return value !== undefined && value !== null && readText(claims, source) === undefined;
}

/** A non-empty string without control bytes, or undefined. */
function readText(claims: Claims, source: ClaimSource | undefined): string | undefined {
  if (!source) return undefined;
  const value = readClaim(claims, source);
  if (typeof value !== 'string' || value === '' || value.length > USERNAME_CHARS_MAX) {
    return undefined;
  }
  return hasControl(value) || !value.isWellFormed() ? undefined : value;
}

function readFirst(claims: Claims, sources: readonly ClaimSource[]): string | undefined {
  for (const source of sources) {
    const value = readText(claims, source);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Scopes or roles: a space-separated string (RFC 6749 section 3.3) or an array of strings. */
function readList(claims: Claims, source: ClaimSource | undefined): readonly string[] {
  if (!source) return [];
  const value = readClaim(claims, source);
  const items = typeof value === 'string' ? value.split(' ') : value;
  return isGrantList(items) ? items.filter((item) => item !== '') : [];
}

/** Whether a text holds a control character (C0, DEL, C1). */
export function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}
