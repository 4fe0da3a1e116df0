import type { ReadPlace } from './credential.ts';
import type { Allow } from './decision.ts';
import type { IdentityField, Policy } from './policy.ts';
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
  const set: [string, string][] = [];
  const remove: string[] = [];
  const change = { set, remove };
  for (const [name, value] of route?.headers ?? []) put(change, name, value);
  setIdentity(policy, decision, change);
  for (const [name, source] of principal.issuer?.headers ?? []) {
    put(change, name, claimText(readClaim(principal.claims ?? {}, source)));
  }
  for (const name of request.headers.keys()) if (isOwned(policy, name)) remove.push(name);
  if (route?.stripCredentials || principal.key?.hideCredentials) {
    remove.push(...policy.strip.headers);
    setStripped(policy.strip, request, change);
  }
  return { set, remove: remove.filter((name, at) => isRemoved(change, name, at)) };
}

type Change = { readonly set: [string, string][]; readonly remove: string[] };

/** Sets a header; the last value of a name counts, and without a value the name is removed. */
function put({ set, remove }: Change, name: string, value: string | undefined): void {
  const held = set.find((header) => header[0] === name);
  if (value === undefined) {
    if (!held) remove.push(name);
  } else if (held) held[1] = value;
  else set.push([name, value]);
}

/** Envoy removes after it has set: a name that is set must not be removed, and once is enough. */
function isRemoved({ set, remove }: Change, name: string, at: number): boolean {
  return remove.indexOf(name) === at && !set.some((header) => header[0] === name);
}

function setIdentity(policy: Policy, { principal, plan }: Allow, change: Change): void {
  const { names } = policy.upstream;
  const add = (field: IdentityField, value: string | undefined) =>
    put(change, names[field], value === undefined ? undefined : headerValue(value));
  add('username', principal.username);
  add('subject', principal.subject);
  add('method', principal.kind);
  add('key_id', principal.key?.id);
  add('workspace', principal.workspace);
  add('team', principal.team);
  add('client', principal.client);
  add('scopes', principal.scopes.join(' '));
  add('roles', principal.roles.join(' '));
  add('plan', plan);
  add('environment', principal.environment);
  add('issuer', principal.issuer?.name);
}

function isOwned({ upstream }: Policy, name: string): boolean {
  const canonical = canonicalName(name);
  return canonical.startsWith(upstream.prefix) || upstream.owned.has(canonical);
}

function setStripped(strip: StripPlan, request: Request, change: Change): void {
  const { path, query } = request.target;
  const target = stripQuery(path, query, strip.parameters);
  if (target !== undefined) put(change, ':path', target);
  const cookies = request.headers.get('cookie');
  if (!cookies || strip.cookies.size === 0) return;
  const kept = stripCookies(cookies, strip.cookies);
  if (kept !== undefined) put(change, 'cookie', kept === '' ? undefined : kept);
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
  if (text.length > VALUE_CHARS_MAX) return undefined;
  if (PLAIN_VALUE.test(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what is looked for
  if (text === '' || /[\x00-\x1f\x7f-\x9f]/.test(text) || !text.isWellFormed()) return undefined;
  const escaped = text.replace(/%|[^\x20-\x7e]+/g, encodeURIComponent);
  const inner = escaped.trimStart();
  const before = escaped.length - inner.length;
  const after = inner.length - inner.trimEnd().length;
  const encoded = `${'%20'.repeat(before)}${inner.trimEnd()}${'%20'.repeat(after)}`;
  return encoded.length > VALUE_CHARS_MAX ? undefined : encoded;
}
