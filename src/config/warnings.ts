import { hasHostBits } from '../core/address.ts';
import { isManagementScope } from '../core/scope.ts';
import { demandedScopes } from './check-scopes.ts';
import type { Path } from './problem.ts';
import { type Review, settingPath } from './review.ts';
import { warnOfRoutes } from './warn-routes.ts';
import { warnOfStore } from './warn-store.ts';

/** Warns of what is allowed and likely not meant. */
export function warn(review: Review): void {
  warnOfRoutes(review);
  warnOfScopes(review);
  warnOfPlans(review);
  warnOfHostBits(review);
  warnOfStore(review);
}

function warnOfScopes(review: Review): void {
  const demanded = new Set(review.routes.flatMap(demandedScopes));
  for (const scope of Object.keys(review.config.scopes ?? {})) {
    if (demanded.has(scope) || isManagementScope(scope)) continue;
    review.warn(['scopes', scope], 'no route demands this scope', 'key');
  }
}

function warnOfPlans(review: Review): void {
  const { config } = review;
  const used = new Set<string | undefined>([config.default_plan]);
  for (const route of review.routes) used.add(route.plan);
  for (const key of config.api_keys.declared) used.add(key.plan);
  for (const workspace of Object.values(config.workspaces)) used.add(workspace.plan);
  for (const { claims } of config.issuers) {
    const source = claims.plan;
    if (typeof source === 'string' || Array.isArray(source)) return;
    used.add(source?.value);
  }
  if (config.store !== 'memory') return;
  for (const plan of Object.keys(config.plans)) {
    if (!used.has(plan)) review.warn(['plans', plan], 'nothing uses this plan', 'key');
  }
}

function warnOfHostBits(review: Review): void {
  const { config } = review;
  const check = (blocks: readonly string[] | undefined, path: Path) => {
    for (const [place, block] of (blocks ?? []).entries())
      warnOfBlock(review, block, [...path, place]);
  };
  for (const [index, route] of review.routes.entries()) {
    check(route.ips, settingPath(review, index, 'ips'));
  }
  for (const [index, key] of config.api_keys.declared.entries()) {
    check(key.allowed_ips, ['api_keys', 'declared', index, 'allowed_ips']);
  }
  for (const [id, workspace] of Object.entries(config.workspaces)) {
    check(workspace.allowed_ips, ['workspaces', id, 'allowed_ips']);
  }
  for (const [index, { ip }] of config.blocks.entries()) {
    if (ip !== undefined) warnOfBlock(review, ip, ['blocks', index, 'ip']);
  }
}

function warnOfBlock(review: Review, block: string, path: Path): void {
  if (!hasHostBits(block)) return;
  review.warn(
    path,
    `${JSON.stringify(block)} has bits set beyond its prefix: it means the whole block`,
  );
}
