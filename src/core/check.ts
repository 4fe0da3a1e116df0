import { admit, judgeBlockedAddress } from './admit.ts';
import { authorize, judgeBlockedPrincipal, noticesOf } from './authorize.ts';
import { limitsFor, planFor } from './charge.ts';
import { acceptedOrigin } from './cors.ts';
import { type Circumstances, type Decision, type Deny, deny, type Reply } from './decision.ts';
import { identifyCaller } from './failures.ts';
import { findExposedKey } from './identify.ts';
import { judgeTaken, NO_LIMITS } from './limit.ts';
import { type Match, matchRoute } from './match.ts';
import type { Policy } from './policy.ts';
import type { Ports } from './ports.ts';
import { type Request, soleHeader } from './request.ts';

/**
 * Decides one request: the steps run in this order, and the first refusal is the answer. Limits come
 * last, so that a refused request costs its caller nothing but, where its route limits failures, one of those.
 * Rejects only when a port does.
 */
export async function check(
  ports: Ports,
  policy: Policy,
  request: Request,
  nowMs: number,
): Promise<Decision> {
  const fault = request.fault ?? (request.target.ambiguous ? 'ambiguous_path' : undefined);
  if (fault) return refuse(deny('read', fault), {});
  const match = matchRoute(policy, request);
  const blocked = judgeBlockedAddress(policy, request, nowMs);
  if (blocked) return refuse(blocked, 'route' in match ? { route: match.route } : {});
  if ('reason' in match) return refuse(match, {});

  const { route } = match;
  const arrived: Circumstances = { route, corsOrigin: acceptedOrigin(route, request) };
  const inquiry = { ports, policy, route, nowMs };
  const unfit = admit(match, request);
  if (unfit?.reason === 'https_required') {
    return refuse(unfit, { ...arrived, exposedKey: await findExposedKey(inquiry, request) });
  }
  if (unfit) return refuse(unfit, arrived);
  if (match.preflight !== undefined) return reply(match, request, arrived);

  const principal = await identifyCaller(inquiry, request);
  if (principal.kind === 'deny') return refuse(principal, arrived);

  const workspace = await findWorkspace(ports, policy, principal.workspace);
  const one = { policy, match, request, principal, workspace, nowMs };
  const chosen = planFor(one);
  const notices = [...noticesOf(one), ...chosen.notices];
  const plan = chosen.plan?.name;
  const { corsOrigin } = arrived;
  const identified: Circumstances = { route, corsOrigin, principal, plan, notices };
  const denied = judgeBlockedPrincipal(policy, principal, nowMs) ?? authorize(one);
  if (denied) return refuse(denied, identified);

  const groups = limitsFor(one, chosen.plan);
  const taken = groups.length === 0 ? NO_LIMITS : await ports.takeLimits(groups, nowMs);
  const exceeded = judgeTaken(taken);
  if (exceeded) return refuse(exceeded, { ...identified, taken });
  return { kind: 'allow', route, corsOrigin, principal, plan, notices, taken };
}

function refuse(refusal: Deny, known: Circumstances): Decision {
  const isOriginRefused = refusal.reason === 'origin_not_allowed';
  return { ...known, ...refusal, corsOrigin: isOriginRefused ? undefined : known.corsOrigin };
}

function reply(match: Match, request: Request, arrived: Circumstances): Reply {
  const headers = soleHeader(request.headers, 'access-control-request-headers');
  return { ...arrived, kind: 'reply', preflight: { method: match.preflight ?? '', headers } };
}

function findWorkspace(ports: Ports, policy: Policy, id: string | undefined) {
  return id === undefined ? undefined : (policy.workspaces.get(id) ?? ports.findWorkspace(id));
}
