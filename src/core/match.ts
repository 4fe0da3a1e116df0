import { type Deny, deny } from './decision.ts';
import type { HostPattern, PathPattern, Policy, Route, Segment } from './policy.ts';
import { type Request, soleHeader } from './request.ts';

/** The route of a request and what it bound. */
export type Match = {
  readonly route: Route;
  /** What `{workspace}` matched in any reading; each must be the principal's workspace. */
  readonly workspaces: readonly Bound[];
  /** A CORS preflight for this method, which the route's `cors` answers. */
  readonly preflight: string | undefined;
};

/** A text that `{workspace}` matched; in a host, case does not matter. */
export type Bound = { readonly text: string; readonly ignoresCase: boolean };

type Found = { readonly route: Route; readonly workspaces: readonly Bound[] };

/** Finds the first route that matches; a refusal when none does or the path's readings find different ones. */
export function matchRoute(policy: Policy, request: Request): Match | Deny {
  const asked = preflightMethod(request);
  if (asked !== undefined) {
    const match = matchReadings(policy, request, asked);
    if (match.kind === 'found' && match.route.cors) return { ...match, preflight: asked };
  }
  const match = matchReadings(policy, request, request.method);
  return match.kind === 'deny' ? match : { ...match, preflight: undefined };
}

/** The method that a CORS preflight asks for (Fetch standard, CORS-preflight request). */
function preflightMethod(request: Request): string | undefined {
  if (request.method !== 'OPTIONS' || !request.headers.has('origin')) return undefined;
  return soleHeader(request.headers, 'access-control-request-method');
}

function matchReadings(
  policy: Policy,
  request: Request,
  method: string,
): (Found & { readonly kind: 'found' }) | Deny {
  const { readings, spellings } = request.target;
  const found = findRoute(policy, request, method, readings[0] ?? []);
  for (const spelling of spellings) {
    if (!found?.route.pathAllow.has(spelling)) return deny('read', 'ambiguous_path');
  }
  const workspaces = [...(found?.workspaces ?? [])];
  for (let at = 1; at < readings.length; at += 1) {
    const other = findRoute(policy, request, method, readings[at] ?? []);
    if (other?.route !== found?.route) return deny('read', 'ambiguous_path');
    workspaces.push(...(other?.workspaces ?? []));
  }
  return found ? { kind: 'found', route: found.route, workspaces } : deny('admit', 'no_route');
}

function findRoute(
  policy: Policy,
  request: Request,
  method: string,
  sent: readonly string[],
): Found | undefined {
  const segments = policy.caseInsensitivePaths ? sent.map((one) => one.toLowerCase()) : sent;
  const candidates =
    policy.routesBySegment.get(segments[0] ?? '') ?? policy.routesBySegment.get('') ?? [];
  for (const route of candidates) {
    if (!takesMethod(route, method) || !holdsContext(route, request)) continue;
    const workspaces: Bound[] = [];
    if (route.host && !matchesHost(route.host, request.host, workspaces)) continue;
    if (matchesPath(route, segments, sent, workspaces)) return { route, workspaces };
  }
  return undefined;
}

/** Methods are case-sensitive (RFC 9110 section 9.1); GET covers HEAD. */
function takesMethod(route: Route, method: string): boolean {
  if (!route.methods) return method !== 'CONNECT' && method !== 'TRACE';
  return route.methods.has(method) || (method === 'HEAD' && route.methods.has('GET'));
}

function holdsContext(route: Route, request: Request): boolean {
  for (const [key, value] of route.context) if (request.context.get(key) !== value) return false;
  return true;
}

function matchesHost(pattern: HostPattern, host: string, workspaces: Bound[]): boolean {
  const colon = /:\d+$/.exec(host);
  const name = colon ? host.slice(0, colon.index) : host;
  if ((colon?.[0].slice(1) ?? '') !== pattern.port) return false;
  const labels = name.startsWith('[') ? [name] : name.split('.');
  const skipped = labels.length - pattern.labels.length;
  if (pattern.subdomains ? skipped < 1 : skipped !== 0) return false;
  if (labels.includes('')) return false;
  const bound: string[] = [];
  for (const [index, label] of pattern.labels.entries()) {
    const value = labels[index + skipped] ?? '';
    if (!matchesSegment(label, value, value, bound)) return false;
  }
  for (const text of bound) workspaces.push({ text, ignoresCase: true });
  return true;
}

function matchesPath(
  route: Route,
  segments: readonly string[],
  sent: readonly string[],
  workspaces: Bound[],
): boolean {
  for (const pattern of route.paths) {
    const bound = bindPath(pattern, segments, sent);
    if (bound) {
      for (const text of bound) workspaces.push({ text, ignoresCase: false });
      return true;
    }
  }
  return false;
}

function bindPath(
  pattern: PathPattern,
  segments: readonly string[],
  sent: readonly string[],
): readonly string[] | undefined {
  const wanted = pattern.segments.length;
  if (pattern.below ? segments.length < wanted : segments.length !== wanted) return undefined;
  const bound: string[] = [];
  for (let at = 0; at < wanted; at += 1) {
    const matches = matchesSegment(pattern.segments[at], segments[at] ?? '', sent[at] ?? '', bound);
    if (!matches) return undefined;
  }
  return bound;
}

/** Whether one segment fits; `sent` is the spelling that a `{workspace}` binds. */
function matchesSegment(
  pattern: Segment | undefined,
  value: string,
  sent: string,
  bound: string[],
): boolean {
  if (typeof pattern === 'string') return pattern === value;
  if (pattern?.any === 'workspace') bound.push(sent);
  return pattern !== undefined;
}
