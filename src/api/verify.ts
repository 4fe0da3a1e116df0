import * as z from 'zod';
import { parseAddress } from '../core/address.ts';
import { limitsFor, planFor } from '../core/charge.ts';
import type { Usage } from '../core/limit.ts';
import { splitTarget } from '../core/target.ts';
import { API_ROUTE } from './api-route.ts';
import { type ShownKey, shownKey } from './keys-schema.ts';
import { showDeclaredKey, showKey } from './keys-show.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';

const limit = z.strictObject({
  policy: z.string().meta({ examples: ['300/minute'] }),
  limit: z.int(),
  burst: z.int().optional().meta({ description: 'Of a bucket: its size.' }),
  remaining: z.int(),
  reset: z.int().meta({ description: 'When it starts anew or is full again, unix seconds.' }),
});

const verified = z
  .strictObject({
    valid: z.literal(true),
    method: z.enum(['api_key', 'jwt', 'admin']),
    api_key: z.union([shownKey, z.null()]),
    username: z.string().nullable(),
    subject: z.string().nullable(),
    workspace_id: z.string().nullable(),
    scopes: z.array(z.string()).meta({ description: 'Effective scopes; wildcards among them.' }),
    roles: z.array(z.string()),
    plan: z.string().nullable(),
    limits: z.array(limit),
  })
  .meta({ id: 'VerifiedCredential' });

export const verifyRows: readonly GuardedRow[] = [
  row({
    method: 'GET',
    path: '/v1/auth/verify',
    scope: 'any',
    tag: 'Credentials',
    id: 'verifyCredential',
    summary:
      'Judge the credential of this request, spending nothing; a refusal is that of the gate',
    refusals: 'gate',
    answers: { 200: verified },
    handle: verify,
  }),
];

async function verify(call: Call): Promise<Outcome> {
  const { principal, workspace, policy, nowMs } = call;
  const nobody = { api_key: null, username: null, subject: null, workspace_id: null };
  if (!principal) {
    const all = { scopes: [], roles: [], plan: null, limits: [] };
    return { status: 200, body: { valid: true, method: 'admin', ...nobody, ...all } };
  }
  const match = { route: API_ROUTE, workspaces: [], preflight: undefined };
  const judged = { policy, match, request: requestOf(call), principal, workspace, nowMs };
  const { plan } = planFor(judged);
  const groups = limitsFor(judged, plan);
  const usages = groups.length === 0 ? [] : await call.parts.readLimits(groups, nowMs);
  const body = {
    valid: true,
    method: principal.kind,
    api_key: await keyOf(call),
    username: principal.username ?? null,
    subject: principal.subject ?? null,
    workspace_id: principal.workspace ?? null,
    scopes: principal.scopes,
    roles: principal.roles,
    plan: plan?.name ?? null,
    limits: usages.map(writeUsage),
  };
  return { status: 200, body };
}

async function keyOf(call: Call): Promise<ShownKey | null> {
  const id = call.principal?.key?.id;
  if (id === undefined) return null;
  const declared = call.policy.written.keys.get(id);
  if (declared) return showDeclaredKey(call, declared);
  const listed = await call.parts.store.getKey(id);
  return listed ? showKey(call, listed) : null;
}

/** What limits look at in a request: the address, where a caller has no other name. */
function requestOf({ requestId, url, address }: Call) {
  return {
    id: requestId,
    method: 'GET',
    scheme: 'http',
    host: url.host,
    target: splitTarget(url.pathname),
    headers: new Map(),
    address: address === undefined ? undefined : parseAddress(address),
    isAddressUntrusted: false,
    context: new Map(),
  };
}

function writeUsage({ policy, limit: most, burst, remaining, resetAtMs }: Usage) {
  const shown = { policy, limit: most, remaining, reset: Math.ceil(resetAtMs / 1000) };
  return burst === undefined ? shown : { ...shown, burst };
}
