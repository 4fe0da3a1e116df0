import { bindsWorkspace, compileHost, compilePath } from '../core/pattern.ts';
import { RATE_KEYS } from '../core/plan.ts';
import { hasRate } from './check-plans.ts';
import { suggest } from './nearest.ts';
import { isPlainMap } from './plain.ts';
import type { Path } from './problem.ts';
import { type Review, settingPath, writeSource } from './review.ts';
import { besidePublic, pathsOf } from './route-settings.ts';
import type { RouteConfig } from './schema.ts';

type Setting = keyof RouteConfig;

/** What a caller without a credential cannot meet. */
const NEEDS_CREDENTIAL = ['scopes', 'any_scope', 'role', 'claims', 'workspaces'] as const;

/** Reports routes whose settings contradict each other. */
export function checkRoutes(review: Review): void {
  checkWritten(review);
  const first = new Map<string, number>();
  for (const [index, route] of review.routes.entries()) {
    checkUniqueName(review, index, first);
    checkAccess(review, index, route);
    checkMethodScopes(review, index, route);
    checkCors(review, index, route);
    checkLimits(review, index, route);
    checkEnvironments(review, index, route);
  }
}

/** What is missing of the routes, also of those that are broken otherwise. */
function checkWritten({ whole, wroteSource, problemAtSource }: Review): void {
  const routes = whole['routes'];
  if (!Array.isArray(routes)) return;
  if (routes.length === 0) problemAtSource(['routes'], 'expected at least one route');
  if (wroteSource(['defaults', 'access'])) return;
  for (const [index, route] of routes.entries()) {
    if (!isPlainMap(route) || wroteSource(['routes', index, 'access'])) continue;
    const path = ['routes', index, 'access'];
    problemAtSource(path, 'required: expected "public" or a list of api_key, jwt and anonymous');
  }
}

function checkUniqueName(review: Review, index: number, first: Map<string, number>): void {
  const name = review.routeNames[index] ?? '';
  const earlier = first.get(name);
  if (earlier === undefined) first.set(name, index);
  else {
    const other = writeSource(review, ['routes', earlier]);
    review.problem(
      ['routes', index, 'name'],
      `the name ${JSON.stringify(name)} is also that of ${other}`,
    );
  }
}

function checkAccess(review: Review, index: number, route: RouteConfig): void {
  const { access } = route;
  if (access === 'public') checkPublic(review, index, route);
  else if (access?.includes('anonymous')) checkAnonymous(review, index, route);
}

function checkPublic(review: Review, index: number, route: RouteConfig): void {
  for (const key of besidePublic(route) as Setting[]) {
    review.problem(
      settingPath(review, index, key),
      `${key} cannot stand beside access: public`,
      'key',
    );
  }
  for (const [place, limit] of (route.limits ?? []).entries()) {
    const path = [...settingPath(review, index, 'limits'), place];
    if (limit.on === 'refused') {
      // Of the defaults it is for the routes that look at credentials.
      if (path[0] === 'defaults') continue;
      review.problem([...path, 'on'], 'a public route refuses no credential: nothing would count');
      continue;
    }
    if ((limit.by ?? review.config.limit_by) === 'ip') continue;
    review.problem([...path, 'by'], 'a limit of a public route counts by: ip');
  }
  for (const key of ['ips', 'referers'] as const) {
    if (!review.config.defaults[key]) continue;
    review.warn(['routes', index, 'access'], `this public route leaves defaults.${key} behind`);
  }
}

function checkAnonymous(review: Review, index: number, route: RouteConfig): void {
  for (const key of NEEDS_CREDENTIAL) {
    if (route[key] === undefined) continue;
    review.problem(
      settingPath(review, index, key),
      `${key} cannot stand beside anonymous access`,
      'key',
    );
  }
  if (!isBound(route)) return;
  review.problem(['routes', index, 'path'], '{workspace} cannot stand beside anonymous access');
}

function isBound(route: RouteConfig): boolean {
  const host = route.host === undefined ? undefined : compileHost(route.host);
  if (host && 'pattern' in host && bindsWorkspace(host.pattern.labels)) return true;
  return pathsOf(route).some((text) => {
    const path = compilePath(text);
    return 'pattern' in path && bindsWorkspace(path.pattern.segments);
  });
}

/** A map of scopes names every method it may meet: one that it forgot would need no scope at all. */
function checkMethodScopes(review: Review, index: number, route: RouteConfig): void {
  const { scopes, methods } = route;
  if (!scopes || Array.isArray(scopes)) return;
  const at = settingPath(review, index, 'scopes');
  const isNamed = (method: string) =>
    Object.hasOwn(scopes, method) || (method === 'HEAD' && Object.hasOwn(scopes, 'GET'));
  const wroteMethods = methods === undefined && review.wrote(settingPath(review, index, 'methods'));
  if (!Object.hasOwn(scopes, '*') && !wroteMethods && !review.wrote([...at, '*'])) {
    const missing = methods?.filter((method) => !isNamed(method)) ?? ['*'];
    if (missing.length > 0) {
      review.problem(
        at,
        `expected "*" or every method of the route; missing: ${missing.join(', ')}`,
      );
    }
  }
  if (!methods) return;
  for (const method of Object.keys(scopes)) {
    const isTaken =
      method === '*' || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
    if (!isTaken) review.problem([...at, method], `the route does not take ${method}`, 'key');
  }
}

function checkCors(review: Review, index: number, route: RouteConfig): void {
  if (route.cors?.origins !== 'keys') return;
  const at = settingPath(review, index, 'cors');
  if (route.cors.credentials) {
    review.problem([...at, 'credentials'], 'credentials cannot stand beside origins: keys');
  }
  const takesKeys =
    route.access?.includes('api_key') || JSON.stringify(route.access)?.includes('"api_key"');
  if (route.access !== undefined && !takesKeys) {
    review.problem([...at, 'origins'], 'origins: keys needs a route that takes api_key');
  }
}

function checkLimits(review: Review, index: number, route: RouteConfig): void {
  const at = settingPath(review, index, 'limits');
  const first = new Map<string, number>();
  for (const [place, limit] of (route.limits ?? []).entries()) {
    const path: Path = [...at, place];
    const isRated = hasRate(review, limit, path);
    const hasWindow = RATE_KEYS.some((key) => review.wrote([...path, key]));
    if (isRated && !hasWindow && !review.wrote([...path, 'burst'])) {
      review.problem(path, 'expected a window such as per_minute');
    }
    if (limit.on === 'refused' && limit.by !== undefined && limit.by !== 'ip') {
      review.problem([...path, 'by'], 'a limit on: refused counts by ip: nobody else is known yet');
    }
    const name = limit.name ?? `limit-${place + 1}`;
    if (first.has(name)) {
      review.problem(
        [...path, 'name'],
        `the name ${JSON.stringify(name)} is also that of limits[${first.get(name)}]`,
      );
    } else first.set(name, place);
  }
}

/** An environment that no credential can have is likely misspelt: nothing would pass. */
function checkEnvironments(review: Review, index: number, route: RouteConfig): void {
  if (!route.environments) return;
  const { api_keys, issuers } = review.config;
  const known = new Set(Object.values(api_keys.prefixes).flatMap((one) => one.environment ?? []));
  for (const { claims } of issuers) {
    const source = claims.environment;
    if (source === undefined) continue;
    if (typeof source === 'string' || Array.isArray(source)) return;
    known.add(source.value);
  }
  for (const [place, environment] of route.environments.entries()) {
    if (known.has(environment)) continue;
    const hint = suggest(environment, known);
    const path = [...settingPath(review, index, 'environments'), place];
    review.warn(
      path,
      `no prefix or issuer has the environment ${JSON.stringify(environment)}${hint}`,
    );
  }
}
