import type { Access, Cors, MethodScopes, Route, RouteLimit } from '../core/policy.ts';
import { looserFigures, looserPlan } from './loosened-plan.ts';
import { isWider, isWiderAddresses, isWiderOriginSet, isWiderOrigins } from './loosened-set.ts';

/** What a route allows that the route of the same name did not. */
export function looserRoute(before: Route, after: Route): readonly string[] {
  return [
    ...looserAccess(before.access, after.access),
    ...looserReach(before, after),
    ...looserLists(before, after),
    ...looserRights(before, after),
    ...looserLimits(before, after),
    ...looserHandling(before, after),
  ];
}

/** What a route that is new lets in without a credential. */
export function laxNewRoute(route: Route): readonly string[] {
  if (route.access.kind === 'public') return ['is new and public'];
  return route.access.anonymous ? ['is new and takes anonymous callers'] : [];
}

function looserAccess(before: Access, after: Access): readonly string[] {
  if (after.kind === 'public') return before.kind === 'public' ? [] : ['became public'];
  if (before.kind === 'public') return [];
  const found: string[] = [];
  if (after.anonymous && !before.anonymous) found.push('takes anonymous callers');
  if (after.apiKey && !before.apiKey) found.push('takes an API key alone');
  if (after.jwt && !before.jwt) found.push('takes a token alone');
  if (after.both && !before.both && !before.apiKey && !before.jwt) {
    found.push('takes an API key with a token');
  }
  return found;
}

function looserReach(before: Route, after: Route): readonly string[] {
  const texts = (route: Route) => route.paths.map((path) => JSON.stringify(path));
  const found: string[] = [];
  if (isWider(texts(before), texts(after))) found.push('has another path');
  if (isWider(before.methods, after.methods)) found.push('takes more methods');
  if (before.host && JSON.stringify(before.host) !== JSON.stringify(after.host)) {
    found.push('has another host');
  }
  const contexts = (route: Route) => route.context.map((pair) => JSON.stringify(pair));
  if (isWider(contexts(after), contexts(before))) found.push('demands less of the context');
  return found;
}

function looserLists(before: Route, after: Route): readonly string[] {
  const found: string[] = [];
  if (isWiderAddresses(before.ips, after.ips)) found.push('takes more addresses');
  if (isWiderOrigins(before.referers, after.referers)) found.push('takes more referers');
  if (isWiderCors(before.cors, after.cors)) found.push('takes more origins');
  if (after.cors?.credentials && before.cors?.credentials !== true) {
    found.push('lets pages of other origins send cookies');
  }
  if (isWider(before.issuers, after.issuers)) found.push('takes tokens of more issuers');
  if (isWider(before.environments, after.environments)) found.push('takes more environments');
  if (isWider(before.workspaces, after.workspaces)) found.push('takes more workspaces');
  return found;
}

/** Without `cors` no Origin is judged, so taking it away refuses nobody. */
function isWiderCors(before: Cors | undefined, after: Cors | undefined): boolean {
  if (!before) return false;
  if (!after) return true;
  if (before.origins === 'keys' || after.origins === 'keys')
    return before.origins !== after.origins;
  return isWiderOriginSet(before.origins, after.origins);
}

function looserRights(before: Route, after: Route): readonly string[] {
  const dropped = droppedScopes(before.scopes, after.scopes);
  const found = dropped.length === 0 ? [] : [`no longer demands ${dropped.join(', ')}`];
  if (isWider(before.anyScope, after.anyScope)) found.push('takes other scopes');
  if (before.role !== undefined && before.role !== after.role) {
    found.push(`no longer demands the role ${before.role}`);
  }
  for (const rule of before.claims) {
    const path = JSON.stringify(rule.source);
    const now = after.claims.find((one) => JSON.stringify(one.source) === path);
    const texts = (accepted: readonly unknown[] | undefined) =>
      accepted?.map((one) => JSON.stringify(one));
    if (isWider(texts(rule.accepted), texts(now?.accepted)))
      found.push('demands less of the claims');
  }
  return found;
}

/** Scopes that some method needed and needs no more. */
function droppedScopes(
  before: MethodScopes | undefined,
  after: MethodScopes | undefined,
): readonly string[] {
  if (!before) return [];
  const methods = [...before.byMethod.keys(), ...(after?.byMethod.keys() ?? []), undefined];
  const demanded = (scopes: MethodScopes | undefined, method: string | undefined) =>
    (method === undefined ? undefined : scopes?.byMethod.get(method)) ?? scopes?.other ?? [];
  const dropped = methods.flatMap((method) => {
    const now = new Set(demanded(after, method));
    return demanded(before, method).filter((scope) => !now.has(scope));
  });
  return [...new Set(dropped)];
}

function looserLimits(before: Route, after: Route): readonly string[] {
  const found: string[] = [];
  for (const limit of before.limits) {
    const now = after.limits.find((one) => one.name === limit.name);
    found.push(...looserLimit(limit, now).map((change) => `limit ${limit.name}${change}`));
  }
  if (after.cost < before.cost) found.push(`costs ${after.cost} instead of ${before.cost}`);
  if (after.plan === 'none' && before.plan !== 'none') found.push('has no plan limits');
  else if (typeof before.plan === 'object' && typeof after.plan === 'object') {
    const isOther = before.plan.name !== after.plan.name;
    const changes = isOther ? looserPlan(before.plan, after.plan) : [];
    found.push(...changes.map((change) => `another plan: ${change}`));
  } else if (typeof before.plan === 'object' && after.plan === undefined) {
    found.push(`is no longer bound to the plan ${before.plan.name}`);
  }
  return found;
}

function looserLimit(before: RouteLimit, after: RouteLimit | undefined): readonly string[] {
  const found = looserFigures(before.figures, after?.figures).map((change) => `: ${change}`);
  if (after && after.on !== before.on) found.push(` counts ${COUNTED[after.on]} only`);
  if (after && after.by !== before.by) found.push(` counts by ${after.by}`);
  return found;
}

const COUNTED = { all: 'what is let in', refused: '401s' } as const;

function looserHandling(before: Route, after: Route): readonly string[] {
  const found: string[] = [];
  if (before.httpsOnly && !after.httpsOnly) found.push('no longer wants https');
  if (before.stripCredentials && !after.stripCredentials) found.push('hands credentials upstream');
  if (isWider(before.pathAllow, after.pathAllow)) found.push('admits more spellings of paths');
  return found;
}
