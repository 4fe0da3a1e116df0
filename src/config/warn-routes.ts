import { firstSegments, isShadowed, type Reach, reachOf, surrounds, takesMore } from './overlap.ts';
import { type Review, writeSource } from './review.ts';
import type { RouteConfig } from './schema.ts';

/** Warns of routes that can never match, and of later laxer ones that take what a strict one leaves out. */
export function warnOfRoutes(review: Review): void {
  const earlier = new Map<string | undefined, Reach[]>();
  for (const [index, route] of review.routes.entries()) {
    const reach = reachOf(route, index, review.config.case_insensitive_paths);
    const near = nearby(reach, earlier);
    if (reach.paths.length > 0 && isShadowed(reach, near)) {
      review.warn(
        ['routes', index],
        'this route can never match: earlier routes take all of its requests',
      );
    } else warnOfLaxer(review, reach, near);
    for (const first of new Set(firstSegments(reach))) {
      const bucket = earlier.get(first) ?? [];
      earlier.set(first, bucket);
      bucket.push(reach);
    }
  }
}

/** Earlier routes that a route's paths can meet, in the order of the policy. */
function nearby(
  reach: Reach,
  earlier: ReadonlyMap<string | undefined, readonly Reach[]>,
): readonly Reach[] {
  const firsts = new Set(firstSegments(reach));
  const buckets = firsts.has(undefined) ? earlier.keys() : new Set([...firsts, undefined]);
  const found = new Set([...buckets].flatMap((first) => earlier.get(first) ?? []));
  return [...found].sort((one, other) => one.index - other.index);
}

function warnOfLaxer(review: Review, later: Reach, near: readonly Reach[]): void {
  const route = review.routes[later.index];
  const strict = near.find((one) => {
    const other = review.routes[one.index];
    return (
      takesMore(later, one) && surrounds(later, one) && route && other && isLaxer(route, other)
    );
  });
  if (!strict) return;
  const name = JSON.stringify(review.routeNames[strict.index]);
  const methods = review.routes[strict.index]?.methods?.join(', ');
  const place = writeSource(review, ['routes', strict.index]);
  review.warn(
    ['routes', later.index],
    `this route is laxer than ${name} (${place}) and takes its paths for methods other than ${methods}`,
  );
}

/** Whether a route lacks some kind of demand that another makes. */
function isLaxer(route: RouteConfig, strict: RouteConfig): boolean {
  const own = demandsOf(route);
  return [...demandsOf(strict)].some((demand) => !own.has(demand));
}

function demandsOf(route: RouteConfig): ReadonlySet<string> {
  const { access } = route;
  if (access === undefined || access === 'public') return new Set();
  const demands = new Set<string>();
  if (!access.includes('anonymous')) demands.add('credential');
  if (route.scopes || route.any_scope || route.role) demands.add('right');
  for (const key of ['claims', 'ips', 'referers', 'workspaces', 'environments'] as const) {
    if (route[key] !== undefined) demands.add(key);
  }
  return demands;
}
