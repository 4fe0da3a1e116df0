import type { ApiKey } from '../core/api-key.ts';
import type { DeclaredKey, Plan, Workspace } from '../core/policy.ts';
import { looserFigures, looserPlan } from './loosened-plan.ts';
import { isWider, isWiderAddresses, isWiderOrigins } from './loosened-set.ts';

/** What a declared key may do that it could not. */
export function looserKey(before: DeclaredKey, after: DeclaredKey): readonly string[] {
  const found = looserUse(before.key, after.key);
  if (isLater(before.until, after.until)) found.push('has an old secret for longer');
  return found;
}

/** What a workspace may do that it could not. */
export function looserWorkspace(before: Workspace, after: Workspace): readonly string[] {
  const found: string[] = [];
  if (before.status !== 'active' && after.status === 'active') found.push('is active again');
  if (isWiderAddresses(before.allowedIps, after.allowedIps)) found.push('takes more addresses');
  const known = before.overridden ?? new Map<string, Plan>();
  for (const [name, plan] of known) {
    const now = after.overridden?.get(name);
    if (now) found.push(...looserPlan(plan, now));
  }
  for (const [name, plan] of after.overridden ?? []) {
    if (!known.has(name)) found.push(`overrides the plan ${plan.name}`);
  }
  return [...new Set(found)];
}

function looserUse(before: ApiKey, after: ApiKey): string[] {
  const found: string[] = [];
  if (before.status !== 'active' && after.status === 'active') found.push('is enabled');
  if (isLater(before.expiresAtMs, after.expiresAtMs)) found.push('ends later');
  if (isWider(before.scopes, after.scopes)) found.push('has more scopes');
  if (isWider(before.roles, after.roles)) found.push('has more roles');
  if (isWiderAddresses(before.allowedIps, after.allowedIps))
    found.push('works from more addresses');
  if (isWiderOrigins(before.allowedReferers, after.allowedReferers)) {
    found.push('works from more referers');
  }
  if (isWiderOrigins(before.allowedOrigins, after.allowedOrigins)) {
    found.push('works from more origins');
  }
  if (isWider(before.allowedRoutes, after.allowedRoutes)) found.push('works on more routes');
  if (before.hideCredentials && !after.hideCredentials) found.push('may be handed upstream');
  if (before.workspace !== after.workspace) found.push('belongs to another workspace');
  found.push(...looserFigures(before.rateLimit, after.rateLimit));
  return found;
}

/** Whether an end was moved on or taken away. */
function isLater(before: number | undefined, after: number | undefined): boolean {
  return before !== undefined && (after === undefined || after > before);
}
