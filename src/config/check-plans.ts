import type { Window } from '../core/limit.ts';
import { compilePlan, RATE_KEYS } from '../core/plan.ts';
import { CREDENTIAL_KINDS, type CredentialKind, type WrittenFigures } from '../core/policy.ts';
import type { Path } from './problem.ts';
import { type Review, settingPath } from './review.ts';
import type { PlanConfig, RouteConfig } from './schema.ts';

/** Reports a bucket without a rate to refill it by, and quotas that memory would forget. */
export function checkPlans(review: Review): void {
  for (const [name, plan] of Object.entries(review.config.plans)) {
    checkPlan(review, plan, ['plans', name]);
  }
  for (const [id, workspace] of Object.entries(review.config.workspaces)) {
    if (workspace.overrides?.quota) warnOfQuota(review, ['workspaces', id, 'overrides', 'quota']);
  }
  checkCosts(review);
}

/** Reports figures that hold a bucket without a rate; answers whether they are sound. */
export function hasRate(review: Review, figures: WrittenFigures, path: Path, base?: Path): boolean {
  if (figures.burst === undefined) return true;
  const places = base ? [path, base] : [path];
  const isSound = RATE_KEYS.some((key) => places.some((place) => review.wrote([...place, key])));
  if (!isSound)
    review.problem([...path, 'burst'], 'burst needs a per_X beside it to refill by', 'key');
  return isSound;
}

function checkPlan(review: Review, plan: PlanConfig, path: Path): void {
  hasRate(review, plan, path);
  if (plan.quota) warnOfQuota(review, [...path, 'quota']);
  for (const kind of CREDENTIAL_KINDS) {
    const figures = plan[kind];
    if (!figures) continue;
    hasRate(review, figures, [...path, kind], path);
    if (figures.quota) warnOfQuota(review, [...path, kind, 'quota']);
  }
}

function warnOfQuota(review: Review, path: Path): void {
  if (review.config.store !== 'memory') return;
  review.warn(path, 'the memory store forgets a quota when Postern restarts', 'key');
}

type Smallest = { readonly window: Window; readonly owner: string };

/** Reports routes where one request costs more than a window it could meet will ever hold. */
function checkCosts(review: Review): void {
  if (!review.routes.some((route) => (route.cost ?? 1) > 1)) return;
  const plans = Object.entries(review.config.plans).map(([name, plan]) => compilePlan(name, plan));
  for (const [index, route] of review.routes.entries()) {
    const cost = route.cost ?? 1;
    if (cost === 1 || route.access === 'public') continue;
    const met: Smallest[] = plans
      .filter((plan) => couldMeet(review, route, plan.name))
      .flatMap((plan) =>
        kindsOf(route).flatMap((kind) =>
          plan.figures[kind].windows.map((window) => ({
            window,
            owner: `plan ${JSON.stringify(plan.name)}`,
          })),
        ),
      );
    const tight = met.find(({ window }) => window.limit < cost);
    const at = settingPath(review, index, 'cost');
    if (tight)
      review.problem(at, `a cost of ${cost} is above ${tight.window.policy} of ${tight.owner}`);
    else checkCostOfOverrides(review, route, at);
    checkCostOfLimits(review, route, at);
  }
}

function checkCostOfOverrides(review: Review, route: RouteConfig, at: Path): void {
  const cost = route.cost ?? 1;
  if (route.plan === 'none' || kindsOf(route).every((kind) => kind === 'anonymous')) return;
  for (const [id, workspace] of Object.entries(review.config.workspaces)) {
    const { overrides } = workspace;
    const applies = route.plan === undefined || route.plan === workspace.plan;
    if (!overrides || !applies) continue;
    const tight = smallestOf(overrides);
    if (tight === undefined || tight >= cost) continue;
    const owner = `workspace ${JSON.stringify(id)}`;
    review.problem(at, `a cost of ${cost} is above the ${tight} that ${owner} overrides`);
    return;
  }
}

function checkCostOfLimits(review: Review, route: RouteConfig, at: Path): void {
  const cost = route.cost ?? 1;
  for (const [place, limit] of (route.limits ?? []).entries()) {
    // Each failure counts as one.
    if (limit.on === 'refused') continue;
    const tight = smallestOf(limit);
    if (tight === undefined || tight >= cost) continue;
    review.problem(at, `a cost of ${cost} is above the ${tight} of limits[${place}]`);
  }
}

function smallestOf(figures: WrittenFigures): number | undefined {
  const limits = [...RATE_KEYS.map((key) => figures[key]), figures.quota?.requests];
  const written = limits.filter((limit) => limit !== undefined);
  return written.length === 0 ? undefined : Math.min(...written);
}

/** A route's own plan, else any plan that a key, token or workspace may name; for the anonymous, the default. */
function couldMeet({ config }: Review, route: RouteConfig, plan: string): boolean {
  if (route.plan !== undefined) return route.plan === plan;
  return kindsOf(route).some((kind) => kind !== 'anonymous') || config.default_plan === plan;
}

/** The kinds of credential that a route's principals have; a key and a token together count as a key. */
export function kindsOf(route: RouteConfig): readonly CredentialKind[] {
  if (route.access === undefined || route.access === 'public') return [];
  return [...new Set(route.access.map((one) => (typeof one === 'string' ? one : 'api_key')))];
}
