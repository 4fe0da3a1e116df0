import type { Place, ReadPlace } from '../core/credential.ts';
import type { ClaimSource, Issuer, KeySource } from '../core/token.ts';
import { durationSeconds } from '../schema/duration.ts';
import { listOf, secretBytes } from './check-issuers.ts';
import { issuerName } from './route-settings.ts';
import type { Config, IssuerConfig } from './schema.ts';

type WrittenPlace = Config['api_keys']['read_from'][number] | IssuerConfig['read_from'][number];
type WrittenSource = NonNullable<IssuerConfig['claims']['username']>;

/** Compiles an entry of `issuers`; throws where a secret or duration was not checked before. */
export function compileIssuer(written: IssuerConfig, index: number): Issuer {
  const isSecret = written.secret !== undefined;
  return {
    name: issuerName(written, index),
    issuer: written.issuer,
    audiences: written.audience === undefined ? undefined : listOf(written.audience),
    keys: keySource(written),
    algorithms: new Set(written.algorithms ?? (isSecret ? ['HS256'] : ['RS256', 'ES256', 'EdDSA'])),
    requireExp: written.require_exp,
    maxAgeSeconds: written.max_age === undefined ? undefined : durationSeconds(written.max_age),
    clockToleranceSeconds: durationSeconds(written.clock_tolerance),
    typ: written.typ,
    readFrom: written.read_from.map(compilePlace),
    claims: compileClaims(written.claims),
    maxScopes: written.max_scopes,
    maxRoles: written.max_roles,
    headers: Object.entries(written.headers).map(([name, source]) => [
      name.toLowerCase(),
      claimSource(source),
    ]),
  };
}

/** Compiles a place; header names become lower case. */
export function compilePlace(written: WrittenPlace): Place {
  if (written === 'bearer') return { kind: 'bearer' };
  if (written.header !== undefined) return { kind: 'header', name: written.header.toLowerCase() };
  if (written.query !== undefined) return { kind: 'query', name: written.query };
  const cookie = 'cookie' in written ? written.cookie : undefined;
  if (cookie === undefined)
    throw new Error('a place of credentials names no header, query or cookie');
  return { kind: 'cookie', name: cookie };
}

/** Every place where a credential may stand, once: those of API keys first, then each issuer's. */
export function compilePlaces(
  keys: readonly WrittenPlace[],
  issuers: readonly Issuer[],
): readonly ReadPlace[] {
  const places = new Map<string, { place: Place; keys: boolean; issuers: Issuer[] }>();
  const entryOf = (place: Place) => {
    const id = place.kind === 'bearer' ? 'bearer' : `${place.kind}:${place.name}`;
    const entry = places.get(id) ?? { place, keys: false, issuers: [] };
    places.set(id, entry);
    return entry;
  };
  for (const place of keys) entryOf(compilePlace(place)).keys = true;
  for (const issuer of issuers) {
    for (const place of issuer.readFrom) {
      const entry = entryOf(place);
      if (!entry.issuers.includes(issuer)) entry.issuers.push(issuer);
    }
  }
  return [...places.values()].map(({ place, ...readers }) => ({ ...place, ...readers }));
}

/** Where a claim stands: `a.b` is two segments, a list is its own segments. */
export function claimSource(written: WrittenSource): ClaimSource {
  if (typeof written === 'string') return { path: written.split('.') };
  return Array.isArray(written) ? { path: written } : written;
}

function compileClaims(written: IssuerConfig['claims']): Issuer['claims'] {
  const optional = (source: WrittenSource | undefined) =>
    source === undefined ? undefined : claimSource(source);
  return {
    username: claimSource(written.username ?? 'sub'),
    scopes: claimSource(written.scopes ?? 'scope'),
    client: written.client
      ? [claimSource(written.client)]
      : [{ path: ['client_id'] }, { path: ['azp'] }],
    workspace: optional(written.workspace),
    roles: optional(written.roles),
    plan: optional(written.plan),
    environment: optional(written.environment),
  };
}

function keySource(written: IssuerConfig): KeySource {
  if (written.secret !== undefined) {
    const secrets = listOf(written.secret).flatMap(
      (one) => secretBytes(one, written.encoding) ?? [],
    );
    return { kind: 'secret', secrets };
  }
  if (written.jwks !== undefined) return { kind: 'jwks', locations: listOf(written.jwks) };
  if (written.issuer === undefined) throw new Error('an issuer has neither keys nor a name');
  return { kind: 'discovery', issuer: written.issuer };
}
