import type { ReadPlace } from './credential.ts';
import type { Allow } from './decision.ts';
import { IDENTITY_FIELDS, type IdentityField, type Policy } from './policy.ts';
import { stripCookies, stripQuery } from './query.ts';
import type { Request } from './request.ts';
import { readClaim } from './token.ts';

/** What is changed of a request on its way to upstream. No name stands in both lists. */
export type Mutation = {
  readonly set: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
};

/** Every place where a credential may stand, sorted for removal. */
export type StripPlan = {
  readonly headers: readonly string[];
  /** Lower case. */
  readonly parameters: ReadonlySet<string>;
  readonly cookies: ReadonlySet<string>;
};

const VALUE_CHARS_MAX = 8192;
const PLAIN_VALUE = /^[\x21-\x24\x26-\x7e](?:[\x20-\x24\x26-\x7e]*[\x21-\x24\x26-\x7e])?$/;

/** Sorts the places of credentials once, so that a request only looks at what it has. */
export function compileStrip(places: readonly ReadPlace[]): StripPlan {
  const headers: string[] = [];
  const parameters = new Set<string>();
  const cookies = new Set<string>();
  for (const place of places) {
    if (place.kind === 'bearer') headers.push('authorization');
    else if (place.kind === 'header') headers.push(place.name);
    else if (place.kind === 'query') parameters.add(place.name.toLowerCase());
    else cookies.add(place.name);
  }
  return { headers, parameters, cookies };
}

/** A header name as upstreams that read `_` as `-` see it. */
export function canonicalName(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

/** What upstream gets: identity in, spoofed identity and credentials out. */
export function mutationFor(policy: Policy, request: Request, decision: Allow): Mutation {
  const { route, principal } = decision;
  const set = new Map<string, string>();
  for (const [name, value] of route?.headers ?? []) set.set(name, value);
  const absent = setIdentity(policy, decision, set);
  for (const [name, source] of principal.issuer?.headers ?? []) {
    const value = claimText(readClaim(principal.claims ?? {}, source));
    if (value !== undefined) set.set(name, value);
  }
  const remove = new Set(absent);
  for (const name of request.headers.keys()) if (isOwned(policy, name)) remove.add(name);
  if (route?.stripCredentials || principal.key?.hideCredentials) {
    for (const name of policy.strip.headers) remove.add(name);
    setStripped(policy.strip, request, { set, remove });
  }
  for (const name of set.keys()) remove.delete(name);
  return { set: [...set], remove: [...remove] };
}

/** Sets the identity headers that have a value and names the others. */
function setIdentity(
  policy: Policy,
  { principal, plan }: Allow,
  set: Map<string, string>,
): readonly string[] {
  const values: { readonly [field in IdentityField]: string | undefined } = {
    username: principal.username,
    subject: principal.subject,
    method: principal.kind,
    key_id: principal.key?.id,
    workspace: principal.workspace,
    team: principal.team,
    client: principal.client,
    scopes: principal.scopes.join(' '),
    roles: principal.roles.join(' '),
    plan,
    environment: principal.environment,
    issuer: principal.issuer?.name,
  };
  const absent: string[] = [];
  for (const field of IDENTITY_FIELDS) {
    const name = policy.upstream.names[field];
    const value = headerValue(values[field] ?? '');
    if (value === undefined) absent.push(name);
    else set.set(name, value);
  }
  return absent;
}

function isOwned({ upstream }: Policy, name: string): boolean {
  const canonical = canonicalName(name);
  return canonical.startsWith(upstream.prefix) || upstream.owned.has(canonical);
}

function setStripped(
  strip: StripPlan,
  request: Request,
  into: { readonly set: Map<string, string>; readonly remove: Set<string> },
): void {
  const { path, query } = request.target;
  const target = stripQuery(path, query, strip.parameters);
  if (target !== undefined) into.set.set(':path', target);
  const cookies = request.headers.get('cookie');
  if (!cookies || strip.cookies.size === 0) return;
  const kept = stripCookies(cookies, strip.cookies);
  if (kept === '') into.remove.add('cookie');
  else if (kept !== undefined) into.set.set('cookie', kept);
}

/** A claim as a header: a scalar as text, an array of scalars with commas, anything else as base64url JSON. */
function claimText(claim: unknown): string | undefined {
  if (claim === undefined || claim === null) return undefined;
  if (isScalar(claim)) return headerValue(String(claim));
  if (Array.isArray(claim) && claim.every(isScalar)) return headerValue(claim.join(','));
  const encoded = Buffer.from(JSON.stringify(claim)).toString('base64url');
  return encoded.length > VALUE_CHARS_MAX ? undefined : encoded;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/**
 * A text as a header value, undefined when it cannot be one: empty, too long or with control bytes.
 * Non-ASCII characters, `%` and spaces at the ends are percent-encoded, so that no two texts become one.
 */
export function headerValue(text: string): string | undefined {
  if (PLAIN_VALUE.test(text)) return text.length > VALUE_CHARS_MAX ? undefined : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what is looked for
  if (text === '' || /[\x00-\x1f\x7f-\x9f]/.test(text) || !text.isWellFormed()) return undefined;
  const encoded = text.replace(/%|^ +| +$|[^\x20-\x7e]+/g, encodeURIComponent);
  return encoded.length > VALUE_CHARS_MAX ? undefined : encoded;
}
