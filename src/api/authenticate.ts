import { createHash, timingSafeEqual } from 'node:crypto';
import { type Actor, actorOf } from '../core/actor.ts';
import { judgeBlockedAddress } from '../core/admit.ts';
import { authorize, judgeBlockedPrincipal } from '../core/authorize.ts';
import { findCredentials } from '../core/credential.ts';
import { type Deny, deny } from '../core/decision.ts';
import { identify } from '../core/identify.ts';
import { matchRoute } from '../core/match.ts';
import type { Policy, Workspace } from '../core/policy.ts';
import type { Principal } from '../core/principal.ts';
import type { Request as Asked } from '../core/request.ts';
import { API_ROUTE } from './api-route.ts';
import type { ApiParts } from './parts.ts';

/** A caller whose credential is sound. */
export type Known = {
  readonly kind: 'known';
  readonly actor: Actor;
  /** Absent for the admin. */
  readonly principal?: Principal | undefined;
  readonly workspace?: Workspace | undefined;
  /** The credential itself, to seal an answer with; never logged, kept or told. */
  readonly secret: string;
};

type Inquiry = {
  readonly parts: ApiParts;
  readonly policy: Policy;
  readonly asked: Asked;
  readonly nowMs: number;
  /** Judges the credential alone, whatever routes its key is for. */
  readonly isAnyRoute: boolean;
};

const BEARER = /^bearer +(\S+) *$/i;

/**
 * Finds out who calls: the holder of an admin token, or whoever the gate would let through on a route that
 * demands nothing. What Envoy or a client says in identity headers is not read.
 */
export async function authenticate(inquiry: Inquiry): Promise<Known | Deny> {
  const { parts, policy, asked, nowMs } = inquiry;
  if (asked.fault) return deny('read', asked.fault);
  const admin = await findAdmin(inquiry);
  if (admin) return admin;
  const blocked = judgeBlockedAddress(policy, asked, nowMs);
  if (blocked) return blocked;
  const { ports } = parts;
  const principal = await identify({ ports, policy, route: API_ROUTE, nowMs }, asked);
  if (principal.kind === 'deny') return principal;
  const { workspace: id } = principal;
  const workspace =
    id === undefined ? undefined : (policy.workspaces.get(id) ?? (await ports.findWorkspace(id)));
  const refusal =
    judgeBlockedPrincipal(policy, principal, nowMs) ?? judge(inquiry, principal, workspace);
  if (refusal) return refusal;
  const actor = actorOf(principal);
  if (!actor) return deny('identify', 'token_invalid');
  return { kind: 'known', actor, principal, workspace, secret: secretOf(policy, asked) };
}

/** The key's own restrictions and its workspace. A key for certain routes manages where one of them leads here. */
function judge(
  { policy, asked, nowMs, isAnyRoute }: Inquiry,
  principal: Principal,
  workspace: Workspace | undefined,
): Deny | undefined {
  const { key } = principal;
  const isBound = key?.allowedRoutes !== undefined && !isAnyRoute;
  const found = isBound ? matchRoute(policy, asked) : undefined;
  const name = found && 'route' in found ? found.route.name : API_ROUTE.name;
  const judged = isAnyRoute && key ? { ...key, allowedRoutes: undefined } : key;
  return authorize({
    policy,
    match: { route: { ...API_ROUTE, name }, workspaces: [], preflight: undefined },
    request: asked,
    principal: { ...principal, key: judged },
    workspace,
    nowMs,
  });
}

/** The admin, by a Bearer token alone; another credential beside it is one too many. */
async function findAdmin({ parts, policy, asked }: Inquiry): Promise<Known | Deny | undefined> {
  const [line = ''] = asked.headers.get('authorization') ?? [];
  const token = BEARER.exec(line)?.[1];
  if (token === undefined) return undefined;
  const digest = createHash('sha256').update(token).digest();
  const digests = await parts.adminDigests();
  let isAdmin = false;
  for (const hex of digests) {
    const known = Buffer.from(hex, 'hex');
    if (known.length === digest.length && timingSafeEqual(known, digest)) isAdmin = true;
  }
  if (!isAdmin) return undefined;
  const headers = new Map(asked.headers);
  headers.delete('authorization');
  const others = findCredentials(policy, { ...asked, headers });
  const isAlone = !('kind' in others) && others.length === 0;
  if (!isAlone) return deny('identify', 'duplicate_credential');
  return { kind: 'known', actor: { kind: 'admin' }, secret: token };
}

function secretOf(policy: Policy, asked: Asked): string {
  const found = findCredentials(policy, asked);
  if ('kind' in found) return '';
  return found.map((one) => ('text' in one ? one.text : '')).join('\n');
}
