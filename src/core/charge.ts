import { sourceOf } from './address.ts';
import type { Case } from './authorize.ts';
import type { Notice } from './decision.ts';
import type { Figures, LimitGroup } from './limit.ts';
import { overridePlan } from './plan.ts';
import { type Plan, type Route, SUBJECTS, type SubjectKind } from './policy.ts';
import type { Principal } from './principal.ts';
import type { Request } from './request.ts';

/** Every limit that applies to a request: the plan's, the key's own and the route's. */
export function limitsFor(one: Case, plan: Plan | undefined): readonly LimitGroup[] {
  const { policy, match, request, principal } = one;
  const { route } = match;
  const groups: LimitGroup[] = [];
  const add = (name: string, by: SubjectKind, figures: Figures) => {
    const subject = subjectOf(by, principal, request);
    const counter = `${policy.product}\n${name}\n${subject}`;
    groups.push({ counter, subject, figures, cost: route.cost });
  };
  if (plan) add(`plan:${plan.name}`, plan.by ?? policy.limitBy, figuresOf(plan, principal));
  if (principal.key?.rateLimit) add('key', 'key', principal.key.rateLimit);
  for (const limit of route.limits) {
    if (limit.on === 'refused') continue;
    add(`route:${route.name}\n${limit.name}`, limit.by, limit.figures);
  }
  return groups;
}

/** The `subject` of a counter, which `limitsFor` wrote into it; undefined for a text that is no counter. */
export function subjectOfCounter(counter: string): string | undefined {
  const [, name = '', ...rest] = counter.split('\n');
  const subject = name.startsWith('route:') ? rest.slice(1) : rest;
  return subject.length < SUBJECT_LINES_MIN ? undefined : subject.join('\n');
}

/** The kind, the environment, and what it is known by. */
const SUBJECT_LINES_MIN = 3;

/** The plan in force: the route's, else the key's or token's, the workspace's, the default. */
export function planFor({ policy, match, principal, workspace }: Case): {
  readonly plan: Plan | undefined;
  readonly notices: readonly Notice[];
} {
  const { route } = match;
  if (route.access.kind === 'public' || route.plan === 'none')
    return { plan: undefined, notices: [] };
  const own = principal.plan === undefined ? undefined : policy.plans.get(principal.plan);
  const named = workspace?.plan === undefined ? undefined : policy.plans.get(workspace.plan);
  const plan = route.plan ?? own ?? named ?? policy.defaultPlan;
  const isUnknown = !route.plan && principal.plan !== undefined && !own;
  return {
    plan: plan && overridden(plan, route, workspace),
    notices: isUnknown ? ['plan.unknown'] : [],
  };
}

/** A workspace overrides the plan it names; if it names none, every plan that no route prescribes. */
function overridden(plan: Plan, route: Route, workspace: Case['workspace']): Plan {
  const isItsOwn = workspace?.plan === undefined ? !route.plan : workspace.plan === plan.name;
  const overrides = isItsOwn ? workspace?.overrides : undefined;
  if (!overrides) return plan;
  return workspace?.overridden?.get(plan.name) ?? overridePlan(plan, overrides);
}

function figuresOf(plan: Plan, principal: Principal): Figures {
  return plan.figures[principal.key ? 'api_key' : principal.kind];
}

/** What a limit counts against, never the same text for two subjects; names hold no line feed. */
function subjectOf(by: SubjectKind, principal: Principal, request: Request): string {
  const environment = principal.environment ?? '';
  for (let at = SUBJECTS.indexOf(by); at < SUBJECTS.length; at += 1) {
    const kind = SUBJECTS[at];
    const subject = kind && traitOf(kind, principal);
    if (subject !== undefined) return `${kind}\n${environment}\n${subject}`;
  }
  return `ip\n${environment}\n${sourceOf(request.address)}`;
}

function traitOf(kind: SubjectKind, principal: Principal): string | undefined {
  switch (kind) {
    case 'workspace':
      return principal.workspace;
    case 'username':
      if (principal.username === undefined) return undefined;
      return `${realmOf(principal)}\n${principal.workspace ?? ''}\n${principal.username}`;
    case 'key':
      return principal.key?.id;
    case 'client':
      return principal.client && `${realmOf(principal)}\n${principal.client}`;
    case 'ip':
      return undefined;
  }
}

/** Where a username comes from: the same name of two issuers is two users. */
function realmOf(principal: Principal): string {
  return principal.issuer ? `jwt:${principal.issuer.name}` : principal.kind;
}
