import { holdsAddress } from './address.ts';
import { judgeReferer } from './admit.ts';
import type { ApiKey } from './api-key.ts';
import { type Deny, deny, type Notice } from './decision.ts';
import type { Bound, Match } from './match.ts';
import { holdsOrigin, parseOrigin } from './origin.ts';
import type { ClaimRule, Policy, Route, Workspace } from './policy.ts';
import type { Principal } from './principal.ts';
import { type Request, soleHeader } from './request.ts';
import { holdsScope } from './scope.ts';
import { readClaim } from './token.ts';

/** Everything that is judged of a known caller. */
export type Case = {
  readonly policy: Policy;
  readonly match: Match;
  readonly request: Request;
  readonly principal: Principal;
  readonly workspace: Workspace | undefined;
  readonly nowMs: number;
};

/** Judges what a known caller may do here: the key's own restrictions, workspace, environment, scopes, role, claims. */
export function authorize(one: Case): Deny | undefined {
  return (
    judgeKeyRestrictions(one) ??
    judgeWorkspace(one) ??
    judgeEnvironment(one) ??
    judgeScopes(one) ??
    judgeRole(one) ??
    judgeClaims(one)
  );
}

/** Refuses a caller that the policy blocks by key id, username, workspace or client. */
export function judgeBlockedPrincipal(
  policy: Policy,
  principal: Principal,
  nowMs: number,
): Deny | undefined {
  const { principals } = policy.blocks;
  if (principals.size === 0) return undefined;
  const traits = [
    ['key', principal.key?.id],
    ['username', principal.username],
    ['workspace', principal.workspace],
    ['client', principal.client],
  ] as const;
  const isBlocked = traits.some(([trait, value]) => {
    const entry = value === undefined ? '' : `${trait}\n${value}`;
    if (!principals.has(entry)) return false;
    const untilMs = principals.get(entry);
    return untilMs === undefined || nowMs < untilMs;
  });
  return isBlocked ? deny('authorize', 'blocked') : undefined;
}

/** What is worth an audit event though it refuses nothing: a secret key sent by a browser. */
export function noticesOf({ policy, request, principal }: Case): readonly Notice[] {
  const isFlagged = policy.browser === 'flag' && isSecretInBrowser(principal, request);
  return isFlagged ? ['key.in_browser'] : [];
}

function judgeKeyRestrictions({ policy, match, request, principal }: Case): Deny | undefined {
  const { key } = principal;
  const { route } = match;
  if (key?.allowedIps && !(request.address && holdsAddress(key.allowedIps, request.address))) {
    return deny('authorize', 'ip_not_allowed');
  }
  if (key?.allowedReferers) {
    const refusal = judgeReferer(key.allowedReferers, request.headers);
    if (refusal) return deny('authorize', refusal.reason);
  }
  const refusal = judgeKeyOrigin(route, key, request);
  if (refusal) return refusal;
  if (policy.browser === 'deny' && isSecretInBrowser(principal, request)) {
    return deny('authorize', 'origin_not_allowed');
  }
  const isRouteAllowed = key?.allowedRoutes?.has(route.name) ?? true;
  return isRouteAllowed ? undefined : deny('authorize', 'route_not_allowed');
}

/** Judges the Origin by the key's own list; where the route's `cors` leaves it to keys, a list is needed. */
function judgeKeyOrigin(route: Route, key: ApiKey | undefined, request: Request): Deny | undefined {
  const rule = key?.allowedOrigins;
  const text = soleHeader(request.headers, 'origin');
  const refusal = deny('authorize', 'origin_not_allowed');
  if (text === undefined) return rule?.missing === 'deny' ? refusal : undefined;
  if (!rule) return route.cors?.origins === 'keys' ? refusal : undefined;
  const origin = parseOrigin(text);
  return origin && holdsOrigin(rule.allow, origin) ? undefined : refusal;
}

function isSecretInBrowser({ key, prefix }: Principal, request: Request): boolean {
  if (!key || key.allowedOrigins || prefix?.publishable) return false;
  return request.headers.has('origin') || request.headers.has('sec-fetch-site');
}

function judgeWorkspace({ match, request, principal, workspace }: Case): Deny | undefined {
  if (workspace?.status === 'suspended') return deny('authorize', 'workspace_suspended');
  if (workspace?.status === 'past_due') return deny('authorize', 'workspace_past_due');
  const ips = workspace?.allowedIps;
  if (ips && !(request.address && holdsAddress(ips, request.address))) {
    return deny('authorize', 'ip_not_allowed');
  }
  const names = [principal.workspace, workspace?.slug].filter((name) => name !== undefined);
  const isBound = match.workspaces.every((bound) => names.some((name) => isNamed(bound, name)));
  const accepted = match.route.workspaces;
  const isAccepted = !accepted || names.some((name) => accepted.has(name));
  return isBound && isAccepted ? undefined : deny('authorize', 'wrong_workspace');
}

function isNamed({ text, ignoresCase }: Bound, name: string): boolean {
  return text === name || (ignoresCase && text === name.toLowerCase());
}

/** Environments bind every key, and a token whose issuer maps one. */
function judgeEnvironment({ match, principal }: Case): Deny | undefined {
  const accepted = match.route.environments;
  if (!accepted) return undefined;
  const isAccepted = principal.judgedEnvironments.every(
    (environment) => environment !== undefined && accepted.has(environment),
  );
  return isAccepted ? undefined : deny('authorize', 'wrong_environment');
}

function judgeScopes({ policy, match, request, principal }: Case): Deny | undefined {
  const { scopes, anyScope } = match.route;
  const { method } = request;
  const demanded =
    scopes?.byMethod.get(method) ??
    (method === 'HEAD' ? scopes?.byMethod.get('GET') : undefined) ??
    scopes?.other ??
    [];
  const holds = (scope: string) => holdsScope(principal.scopes, scope, policy.catalogue);
  if (!demanded.every(holds)) return deny('authorize', 'insufficient_scope', { scopes: demanded });
  if (anyScope && !anyScope.some(holds)) {
    return deny('authorize', 'insufficient_scope', { scopes: anyScope });
  }
  return undefined;
}

function judgeRole({ policy, match, principal }: Case): Deny | undefined {
  const { role } = match.route;
  const book = principal.roleBook ?? policy.roles;
  if (role === undefined || book.covers(principal.roles, role)) return undefined;
  return deny('authorize', 'insufficient_role');
}

function judgeClaims({ match, principal }: Case): Deny | undefined {
  const isHeld = match.route.claims.every((rule) => holdsClaim(principal, rule));
  return isHeld ? undefined : deny('authorize', 'claim_not_allowed');
}

function holdsClaim({ claims }: Principal, { source, accepted }: ClaimRule): boolean {
  if (!claims) return false;
  const value = readClaim(claims, source);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.some((one) => accepted.includes(one));
}
