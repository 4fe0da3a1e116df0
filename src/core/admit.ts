import { holdsAddress } from './address.ts';
import { judgeOrigin } from './cors.ts';
import { type Deny, deny } from './decision.ts';
import type { Match } from './match.ts';
import { holdsOrigin, originKey, parseOrigin, parseReferer, type RefererRule } from './origin.ts';
import type { Policy, Route } from './policy.ts';
import { type Headers, type Request, soleHeader } from './request.ts';

/** Judges what needs no credential: https, address, referer, origin; the cheap and local first. */
export function admit(match: Match, request: Request): Deny | undefined {
  const { route } = match;
  if (route.httpsOnly && !isHttps(request)) return deny('admit', 'https_required');
  if (match.preflight !== undefined) return judgeOrigin(route, request);
  return (
    judgeAddress(route, request) ??
    (route.referers ? judgeReferer(route.referers, request.headers) : undefined) ??
    judgeOrigin(route, request)
  );
}

/** The first step of all: an address that the policy blocks. Where none is known, every block may mean it. */
export function judgeBlockedAddress(
  policy: Policy,
  request: Request,
  nowMs: number,
): Deny | undefined {
  const { address } = request;
  const isBlocked = policy.blocks.addresses.some(
    ({ set, untilMs }) =>
      (untilMs === undefined || nowMs < untilMs) && (!address || holdsAddress(set, address)),
  );
  return isBlocked ? deny('admit', 'blocked') : undefined;
}

/** Whether both the connection to Envoy and the one before it were https. */
function isHttps(request: Request): boolean {
  const forwarded = request.headers.get('x-forwarded-proto')?.at(-1);
  const last = forwarded?.slice(forwarded.lastIndexOf(',') + 1).trim();
  return request.scheme === 'https' && last === 'https';
}

function judgeAddress(route: Route, request: Request): Deny | undefined {
  if (!route.ips) return undefined;
  const isAllowed = request.address !== undefined && holdsAddress(route.ips, request.address);
  return isAllowed ? undefined : deny('admit', 'ip_not_allowed');
}

/** Judges the Referer; without one the Origin; when both are there they must agree. */
export function judgeReferer(rule: RefererRule, headers: Headers): Deny | undefined {
  const refusal = deny('admit', 'referer_not_allowed');
  const refererText = soleHeader(headers, 'referer');
  const originText = soleHeader(headers, 'origin');
  if (refererText === undefined && originText === undefined) {
    return rule.missing === 'deny' ? refusal : undefined;
  }
  const referer = refererText === undefined ? undefined : parseReferer(refererText);
  const origin = originText === undefined ? undefined : parseOrigin(originText);
  if (refererText !== undefined && !referer) return refusal;
  if (originText !== undefined && !origin) return refusal;
  if (referer && origin && originKey(referer) !== originKey(origin)) return refusal;
  const judged = referer ?? origin;
  return judged && holdsOrigin(rule.allow, judged) ? undefined : refusal;
}
