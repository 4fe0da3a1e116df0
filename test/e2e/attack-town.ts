import { randomBytes } from 'node:crypto';
import { sign } from '../jwt/tokens.ts';
import { type Castle, ISSUER_SECRET } from './attack-castle.ts';

/** A key that was made for an attack: its id and its raw text. */
export type Held = { readonly id: string; readonly key: string };

/** Makes a key as the administrator, or as the holder of a token. */
export async function keyOf(castle: Castle, body: object, token?: string): Promise<Held> {
  const made = await castle.make(
    'POST',
    '/v1/api-keys',
    { name: 'key', prefix: 'pst_live_', ...body },
    token,
  );
  return { id: String(made['id']), key: String(made['key']) };
}

/** A token of the one issuer. */
export function tokenOf(claims: object, secret: string = ISSUER_SECRET): Promise<string> {
  const jti = randomBytes(12).toString('hex');
  const whole = { iss: 'https://id.example.com', aud: 'api', exp: expiry(600), jti, ...claims };
  return sign(whole, new TextEncoder().encode(secret));
}

/** Unix seconds from now. */
export function expiry(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

export const MANAGER = ['reports:read', 'api_keys:read', 'api_keys:write'];
export const CLERK = [
  'reports:read',
  'users:read',
  'users:write',
  'api_keys:read',
  'api_keys:write',
];

/** Two tenants with people and keys, weak and strong, and keys of nobody's workspace. */
export async function settle(castle: Castle) {
  const { make } = castle;
  const workspace_id = 'acme';
  await make('POST', '/v1/workspaces', { id: 'acme', plan: 'pro', name: 'Acme' });
  await make('POST', '/v1/workspaces', { id: 'zeta', slug: 'zz', name: 'Zeta' });
  const user = (id: string, scopes: readonly string[], more: object = {}) =>
    make('POST', '/v1/users', { id, workspace_id, scopes, ...more });
  await user('boss', ['*'], { roles: ['owner'] });
  await user('mallory', MANAGER);
  await make('POST', '/v1/teams', { id: 'ops', workspace_id, members: ['boss', 'mallory'] });
  await make('POST', '/v1/roles', { name: 'helper', workspace_id, scopes: ['reports:read'] });
  const inAcme = (body: object) => keyOf(castle, { workspace_id, ...body });
  return {
    weak: await inAcme({ scopes: MANAGER }),
    strong: await inAcme({ scopes: ['*'], roles: ['owner'] }),
    off: await disabled(castle, await inAcme({ scopes: ['*'], roles: ['owner'] })),
    narrow: await inAcme({
      scopes: ['*'],
      allowed_ips: ['203.0.113.0/24'],
      expires_at: '2099-01-01T00:00:00Z',
    }),
    clerk: await inAcme({ scopes: CLERK }),
    warden: await inAcme({ scopes: ['workspaces:read', 'workspaces:write'] }),
    tester: await inAcme({ prefix: 'pst_test_', scopes: MANAGER }),
    small: await inAcme({ scopes: MANAGER, plan: 'free' }),
    low: await inAcme({ prefix: 'low_', scopes: ['*'], roles: ['owner'] }),
    browser: await inAcme({ prefix: 'pk_', scopes: ['reports:read'] }),
    ofMallory: await inAcme({ kind: 'personal', owner: 'mallory', scopes: ['*'] }),
    ofBoss: await inAcme({ kind: 'personal', owner: 'boss', scopes: ['*'] }),
    ofTeam: await inAcme({ kind: 'team', owner: 'ops', scopes: ['*'] }),
    homeless: await keyOf(castle, { scopes: CLERK }),
  };
}

async function disabled(castle: Castle, held: Held): Promise<Held> {
  await castle.make('POST', `/v1/api-keys/${held.id}/disable`);
  return held;
}

export type Town = Awaited<ReturnType<typeof settle>>;
