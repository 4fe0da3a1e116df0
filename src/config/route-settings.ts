import type { Config, RouteConfig } from './schema.ts';

/** What may stand beside `access: public`. */
const BESIDE_PUBLIC: ReadonlySet<string> = new Set([
  'name',
  'host',
  'path',
  'methods',
  'context',
  'access',
  'cors',
  'path_allow',
  'headers',
  'https_only',
  'strip_credentials',
  'audit',
  'limits',
]);

/** The settings of a public route that cannot stand there. */
export function besidePublic(route: object): readonly string[] {
  return Object.keys(route).filter((key) => !BESIDE_PUBLIC.has(key));
}

/**
 * A route with the defaults it starts from. Defaults that cannot stand beside `public` do not reach a route
 * that itself says it is public.
 */
export function withDefaults(route: RouteConfig, defaults: Config['defaults']): RouteConfig {
  if (route.access !== 'public') return { ...defaults, ...route };
  const dropped = new Set(besidePublic(defaults));
  const kept = Object.entries(defaults).filter(([key]) => !dropped.has(key));
  return { ...Object.fromEntries(kept), ...route };
}

type Nameable = Pick<RouteConfig, 'name' | 'path' | 'methods'>;

/**
 * The name of each route: its own, else its first path, with its methods before it (or a number behind it) where
 * several would be called the same.
 */
export function routeNames(routes: readonly Nameable[]): readonly string[] {
  const taken = new Set(routes.flatMap((route) => route.name ?? []));
  const uses = new Map<string, number>();
  for (const route of routes) {
    if (route.name !== undefined) continue;
    const path = firstPath(route);
    uses.set(path, (uses.get(path) ?? 0) + 1);
  }
  return routes.map((route) => {
    if (route.name !== undefined) return route.name;
    const path = firstPath(route);
    const isShared = (uses.get(path) ?? 0) > 1 && route.methods !== undefined;
    const wanted = isShared ? `${route.methods?.join(',')} ${path}` : path;
    let name = wanted;
    for (let number = 2; taken.has(name); number += 1) name = `${wanted} #${number}`;
    taken.add(name);
    return name;
  });
}

/** The name of an issuer: its own, else its `iss`, else its place in the list, counted from 1. */
export function issuerName(
  issuer: { readonly name?: unknown; readonly issuer?: unknown },
  index: number,
): string {
  if (typeof issuer.name === 'string') return issuer.name;
  return typeof issuer.issuer === 'string' ? issuer.issuer : `issuer-${index + 1}`;
}

/** The patterns of a route. */
export function pathsOf(route: Pick<RouteConfig, 'path'>): readonly string[] {
  return typeof route.path === 'string' ? [route.path] : route.path;
}

function firstPath(route: Nameable): string {
  return pathsOf(route)[0] ?? '';
}
