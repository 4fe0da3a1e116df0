import type { RoleDefinition } from '../core/role.ts';
import { suggest } from './nearest.ts';
import type { Path } from './problem.ts';
import { checkName, type Review, settingPath, writeSource } from './review.ts';
import { issuerName } from './route-settings.ts';

/** Reports every name of a plan, role, issuer, route or workspace that refers to nothing. */
export function checkNames(review: Review): void {
  const { config } = review;
  if (config.default_plan !== undefined) {
    checkName(review, 'plans', config.default_plan, ['default_plan']);
  }
  if (Object.hasOwn(config.plans, 'none')) {
    review.problem(
      ['plans', 'none'],
      '"none" is no name for a plan: on a route it means no plan',
      'key',
    );
  }
  for (const [id, workspace] of Object.entries(config.workspaces)) {
    if (workspace.plan !== undefined) {
      checkName(review, 'plans', workspace.plan, ['workspaces', id, 'plan']);
    }
  }
  checkRoles(review);
  checkKeyNames(review);
  checkIssuerNames(review);
  const workspaces = knownWorkspaces(review);
  for (const index of review.routes.keys()) checkRouteNames(review, index, workspaces);
}

function checkRouteNames(
  review: Review,
  index: number,
  workspaces: ReadonlySet<string> | undefined,
): void {
  const route = review.routes[index];
  if (!route) return;
  const at = (key: 'plan' | 'role' | 'issuers' | 'workspaces') => settingPath(review, index, key);
  if (route.plan !== undefined && route.plan !== 'none') {
    checkName(review, 'plans', route.plan, at('plan'));
  }
  if (route.role !== undefined) checkName(review, 'roles', route.role, at('role'));
  for (const [place, name] of (route.issuers ?? []).entries()) {
    checkName(review, 'issuers', name, [...at('issuers'), place]);
  }
  for (const [place, name] of (route.workspaces ?? []).entries()) {
    if (!workspaces || workspaces.has(name)) continue;
    const message = `unknown workspace ${JSON.stringify(name)}${suggest(name, workspaces)}`;
    review.problem([...at('workspaces'), place], message);
  }
}

/** Workspaces by id and slug, and those of declared keys; undefined when a store may know more. */
function knownWorkspaces({ config }: Review): ReadonlySet<string> | undefined {
  if (config.store !== 'memory') return undefined;
  const known = new Set(Object.keys(config.workspaces));
  for (const { slug } of Object.values(config.workspaces)) if (slug !== undefined) known.add(slug);
  for (const { workspace } of config.api_keys.declared)
    if (workspace !== undefined) known.add(workspace);
  return known;
}

function checkKeyNames(review: Review): void {
  for (const [index, key] of review.config.api_keys.declared.entries()) {
    const path: Path = ['api_keys', 'declared', index];
    if (key.plan !== undefined) checkName(review, 'plans', key.plan, [...path, 'plan']);
    for (const [place, role] of key.roles.entries()) {
      checkName(review, 'roles', role, [...path, 'roles', place]);
    }
    for (const [place, route] of (key.allowed_routes ?? []).entries()) {
      checkName(review, 'routes', route, [...path, 'allowed_routes', place]);
    }
  }
}

function checkIssuerNames(review: Review): void {
  const first = new Map<string, number>();
  for (const [index, issuer] of review.config.issuers.entries()) {
    const path: Path = ['issuers', index];
    const name = issuerName(issuer, index);
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    else {
      const at = issuer.name === undefined ? path : [...path, 'name'];
      const other = writeSource(review, ['issuers', earlier]);
      review.problem(at, `the name ${JSON.stringify(name)} is also that of ${other}`);
    }
    for (const [place, role] of (issuer.max_roles ?? []).entries()) {
      checkName(review, 'roles', role, [...path, 'max_roles', place]);
    }
    const { plan, roles } = issuer.claims;
    const constant = (source: typeof plan) =>
      typeof source === 'object' && 'value' in source ? source.value : undefined;
    const planName = constant(plan);
    if (planName !== undefined)
      checkName(review, 'plans', planName, [...path, 'claims', 'plan', 'value']);
    for (const role of constant(roles)?.split(' ') ?? []) {
      checkName(review, 'roles', role, [...path, 'claims', 'roles', 'value']);
    }
  }
}

function checkRoles(review: Review): void {
  const definitions = new Map<string, RoleDefinition>();
  for (const [name, role] of Object.entries(review.config.roles)) {
    const inherits = parentsOf(role.inherits);
    definitions.set(name, { inherits, scopes: role.scopes });
    for (const [place, parent] of inherits.entries()) {
      const step = typeof role.inherits === 'string' ? [] : [place];
      checkName(review, 'roles', parent, ['roles', name, 'inherits', ...step]);
    }
  }
  const judged = new Set<string>();
  for (const name of definitions.keys()) {
    const cycle = findCycle(name, definitions, [], judged);
    if (!cycle) continue;
    const message = `the role inherits from itself: ${cycle.join(' -> ')}`;
    review.problem(['roles', cycle[0] ?? name, 'inherits'], message);
  }
}

/** The roles a role inherits from directly. */
export function parentsOf(inherits: string | readonly string[] | undefined): readonly string[] {
  if (inherits === undefined) return [];
  return typeof inherits === 'string' ? [inherits] : inherits;
}

/** The first cycle found from a role on, as names from and to the same role. Each role is judged once. */
function findCycle(
  name: string,
  definitions: ReadonlyMap<string, RoleDefinition>,
  trail: readonly string[],
  judged: Set<string>,
): readonly string[] | undefined {
  const start = trail.indexOf(name);
  if (start !== -1) return [...trail.slice(start), name];
  if (judged.has(name)) return undefined;
  judged.add(name);
  for (const parent of definitions.get(name)?.inherits ?? []) {
    const cycle = findCycle(parent, definitions, [...trail, name], judged);
    if (cycle) return cycle;
  }
  return undefined;
}
