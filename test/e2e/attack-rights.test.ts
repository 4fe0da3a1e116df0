import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callerAddress } from '../../src/api/read-request.ts';
import { ADMIN, type Castle, openCastle } from './attack-castle.ts';
import { expiry, settle, type Town, tokenOf } from './attack-town.ts';
import { mint } from './policy.ts';

let castle: Castle;
let town: Town;

beforeAll(async () => {
  castle = await openCastle();
  town = await settle(castle);
});
afterAll(() => castle?.stop());

const FORGED = {
  'x-auth-username': 'boss',
  'x-auth-scopes': '*',
  'x-auth-workspace': 'acme',
  'x-auth-method': 'admin',
  'x-envoy-internal': 'true',
};

describe('nobody comes in', () => {
  type Entry = readonly [
    name: string,
    credential: () => string | null | Promise<string>,
    headers: () => { readonly [name: string]: string },
    status: number,
    reason: string,
  ];
  const none = () => ({});
  test.for<Entry>([
    ['without a credential', () => null, none, 401, 'missing_credential'],
    ['with forged identity headers', () => null, () => FORGED, 401, 'missing_credential'],
    ['with an unknown key', () => mint('pst_live_').raw, none, 401, 'unknown_key'],
    [
      'with a key of one other letter',
      () => `${town.strong.key.slice(0, -1)}~`,
      none,
      401,
      'unknown_key',
    ],
    ['with a disabled key', () => town.off.key, none, 401, 'key_disabled'],
    ['with a part of the admin token', () => ADMIN.slice(0, -1), none, 401, 'token_invalid'],
    ['with more than the admin token', () => `${ADMIN}x`, none, 401, 'token_invalid'],
    [
      'with the admin token as a key',
      () => null,
      () => ({ 'x-api-key': ADMIN }),
      401,
      'unknown_key',
    ],
    [
      'with the admin token and a key',
      () => ADMIN,
      () => ({ 'x-api-key': town.weak.key }),
      400,
      'duplicate_credential',
    ],
    [
      'with two keys',
      () => town.weak.key,
      () => ({ 'x-api-key': town.strong.key }),
      400,
      'duplicate_credential',
    ],
    [
      'with a token that has ended',
      () => tokenOf({ sub: 'boss', org: 'acme', exp: expiry(-60) }),
      none,
      401,
      'token_expired',
    ],
    [
      'with a token for others',
      () => tokenOf({ sub: 'boss', org: 'acme', aud: 'else' }),
      none,
      401,
      'token_audience',
    ],
    [
      'with a token of another issuer',
      () => tokenOf({ sub: 'boss', iss: 'https://evil.example.com' }),
      none,
      401,
      'token_issuer',
    ],
    [
      'with a token signed by somebody',
      () => tokenOf({ sub: 'boss' }, 'x'.repeat(48)),
      none,
      401,
      'token_invalid',
    ],
    [
      'with a token without scopes',
      () => tokenOf({ sub: 'boss', org: 'acme' }),
      none,
      403,
      'insufficient_scope',
    ],
    ['with a key bound to addresses', () => town.narrow.key, none, 403, 'ip_not_allowed'],
    [
      'from an address named by the client alone',
      () => town.narrow.key,
      () => ({ 'x-forwarded-for': '203.0.113.9, 198.51.100.1' }),
      403,
      'ip_not_allowed',
    ],
    [
      'from an address that is none',
      () => town.narrow.key,
      () => ({ 'x-forwarded-for': '203.0.113.9:443' }),
      403,
      'ip_not_allowed',
    ],
    [
      'by other headers of proxies',
      () => town.narrow.key,
      () => ({ 'x-real-ip': '203.0.113.9', forwarded: 'for=203.0.113.9' }),
      403,
      'ip_not_allowed',
    ],
    ['with a key that may not', () => town.browser.key, none, 403, 'insufficient_scope'],
    [
      'with a key that may not, and forged headers',
      () => town.browser.key,
      () => FORGED,
      403,
      'insufficient_scope',
    ],
  ])('%s', async ([, credential, headers, status, reason]) => {
    const shot = { path: '/v1/api-keys', token: await credential(), headers: headers() };
    const hit = await castle.shoot(shot);
    expect([hit.status, hit.body['reason']]).toEqual([status, reason]);
    expect(castle.judge(shot, hit)).toEqual([]);
  });

  test('a wildcard does not reach a scope of Postern that the catalogue leaves out', async () => {
    const { status } = await castle.ask('GET', '/v1/audit-events', undefined, {
      token: town.strong.key,
    });
    expect(status).toBe(403);
  });

  test.for([
    ['a stranger', '198.51.100.7', '203.0.113.9', '198.51.100.7'],
    ['a stranger with a list', '198.51.100.7', '127.0.0.1, 203.0.113.9', '198.51.100.7'],
    ['a stranger over IPv6', '2001:db8::7', '203.0.113.9', '2001:db8::7'],
    ['Envoy beside us', '127.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['Envoy beside us, its last entry', '::ffff:127.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['Envoy beside us, garbage', '127.0.0.1', '203.0.113.9, ', undefined],
  ] as const)('the address of %s', ([, peer, forwarded, address]) => {
    expect(callerAddress({ kind: 'peer' }, peer, forwarded, new Set())?.text).toBe(address);
  });
});

/** What nobody may do; `{weak}` in a path is the id of that key. */
type Climb = readonly [
  name: string,
  actor: keyof Town,
  method: string,
  path: string,
  body: object | undefined,
  status: number,
];

const KEYS = '/v1/api-keys';
const live = { name: 'x', prefix: 'pst_live_' };
const HASH = `sha256:${'cd'.repeat(32)}`;

describe('nobody gives what they do not hold', () => {
  const climbs: readonly Climb[] = [
    ['a scope beyond', 'weak', 'POST', KEYS, { ...live, scopes: ['reports:write'] }, 403],
    ['everything', 'weak', 'POST', KEYS, { ...live, scopes: ['*'] }, 403],
    ['all of a resource', 'weak', 'POST', KEYS, { ...live, scopes: ['reports:*'] }, 403],
    ['one action of all', 'weak', 'POST', KEYS, { ...live, scopes: ['*:read'] }, 403],
    ['management of all', 'weak', 'POST', KEYS, { ...live, scopes: ['users:*'] }, 403],
    ['audit by everything', 'strong', 'POST', KEYS, { ...live, scopes: ['audit:read'] }, 403],
    ['a role', 'weak', 'POST', KEYS, { ...live, roles: ['owner'] }, 403],
    ['a role whose scopes they hold', 'weak', 'POST', KEYS, { ...live, roles: ['reader'] }, 403],
    [
      'an import of more',
      'weak',
      'POST',
      `${KEYS}/import`,
      { name: 'x', prefix: 'old_', hash: HASH, scopes: ['*'] },
      403,
    ],
    ['another workspace', 'strong', 'POST', KEYS, { ...live, workspace_id: 'zeta' }, 403],
    ['a declared workspace', 'strong', 'POST', KEYS, { ...live, workspace_id: 'walled' }, 403],
    ['a workspace from none', 'homeless', 'POST', KEYS, { ...live, workspace_id: 'acme' }, 403],
    ['another environment', 'tester', 'POST', KEYS, { ...live }, 403],
    ['no environment', 'tester', 'POST', KEYS, { name: 'x', prefix: 'low_' }, 403],
    [
      'no environment by import',
      'tester',
      'POST',
      `${KEYS}/import`,
      { name: 'x', prefix: 'old_', hash: HASH },
      403,
    ],
    ['a username', 'strong', 'POST', KEYS, { ...live, username: 'boss' }, 403],
    ['a username later', 'weak', 'PATCH', `${KEYS}/{weak}`, { username: 'boss' }, 403],
    ['another plan', 'small', 'POST', KEYS, { ...live, plan: 'nonsense' }, 422],
    [
      'beyond the ceiling of their prefix',
      'low',
      'POST',
      KEYS,
      { ...live, scopes: ['reports:write'] },
      403,
    ],
    ['everything under a ceiling', 'low', 'POST', KEYS, { ...live, scopes: ['*'] }, 403],
    ['a role that the ceiling cut', 'low', 'POST', KEYS, { ...live, roles: ['owner'] }, 403],
    ['more to themselves', 'weak', 'PATCH', `${KEYS}/{weak}`, { scopes: ['*'] }, 403],
    ['a role to themselves', 'weak', 'PATCH', `${KEYS}/{weak}`, { roles: ['owner'] }, 403],
    ['a new secret of a stronger key', 'weak', 'POST', `${KEYS}/{strong}/rotate`, {}, 403],
    ['a new secret of a disabled key', 'weak', 'POST', `${KEYS}/{off}/rotate`, {}, 403],
    ['a stronger key back', 'weak', 'POST', `${KEYS}/{off}/enable`, undefined, 403],
    [
      'a longer life to a stronger key',
      'weak',
      'PATCH',
      `${KEYS}/{narrow}`,
      { expires_at: null },
      403,
    ],
    [
      'a year more',
      'weak',
      'PATCH',
      `${KEYS}/{narrow}`,
      { expires_at: '2099-01-01T00:00:01Z' },
      403,
    ],
    ['more addresses', 'weak', 'PATCH', `${KEYS}/{narrow}`, { allowed_ips: ['0.0.0.0/0'] }, 403],
    ['any address', 'weak', 'PATCH', `${KEYS}/{narrow}`, { allowed_ips: null }, 403],
    [
      'browsers',
      'weak',
      'PATCH',
      `${KEYS}/{strong}`,
      { allowed_origins: ['evil.example.com'] },
      403,
    ],
    [
      'a personal key of another',
      'weak',
      'POST',
      KEYS,
      { ...live, kind: 'personal', owner: 'boss' },
      403,
    ],
    [
      'the same by a person',
      'ofMallory',
      'POST',
      KEYS,
      { ...live, kind: 'personal', owner: 'boss' },
      403,
    ],
    [
      'the same by who manages users',
      'clerk',
      'POST',
      KEYS,
      { ...live, kind: 'personal', owner: 'boss' },
      403,
    ],
    [
      'the same by import',
      'weak',
      'POST',
      `${KEYS}/import`,
      { name: 'x', prefix: 'old_', hash: HASH, kind: 'personal', owner: 'boss' },
      403,
    ],
    ['a new secret of a personal key', 'weak', 'POST', `${KEYS}/{ofMallory}/rotate`, {}, 403],
    ['a new secret of the boss', 'ofMallory', 'POST', `${KEYS}/{ofBoss}/rotate`, {}, 403],
    ['a new secret of their team', 'ofMallory', 'POST', `${KEYS}/{ofTeam}/rotate`, {}, 403],
    ['a user beyond', 'clerk', 'POST', '/v1/users', { id: 'evil', scopes: ['*'] }, 403],
    ['a user with a role', 'clerk', 'POST', '/v1/users', { id: 'evil', roles: ['owner'] }, 403],
    [
      'a user of another workspace',
      'clerk',
      'POST',
      '/v1/users',
      { id: 'evil', workspace_id: 'zeta' },
      403,
    ],
    ['more to a user', 'clerk', 'PATCH', '/v1/users/mallory', { scopes: ['*'] }, 403],
    ['a role to a user', 'clerk', 'PATCH', '/v1/users/mallory', { roles: ['owner'] }, 403],
    [
      'more to a stronger user',
      'clerk',
      'PATCH',
      '/v1/users/boss',
      { scopes: ['*', 'audit:read'] },
      403,
    ],
    ['a role of the policy', 'clerk', 'POST', '/v1/roles', { name: 'owner', scopes: [] }, 409],
    ['a role of the policy, changed', 'clerk', 'PATCH', '/v1/roles/owner', { scopes: [] }, 409],
    [
      'a role that inherits more',
      'clerk',
      'POST',
      '/v1/roles',
      { name: 'evil', inherits: ['owner'] },
      403,
    ],
    ['a role of everything', 'clerk', 'POST', '/v1/roles', { name: 'evil', scopes: ['*'] }, 403],
    [
      'a role that is itself',
      'clerk',
      'POST',
      '/v1/roles',
      { name: 'evil', inherits: ['evil'] },
      422,
    ],
    ['a role that grows', 'clerk', 'PATCH', '/v1/roles/helper', { scopes: ['reports:write'] }, 403],
    [
      'a role that inherits later',
      'clerk',
      'PATCH',
      '/v1/roles/helper',
      { inherits: ['owner'] },
      403,
    ],
    [
      'a role to another workspace',
      'clerk',
      'POST',
      '/v1/roles',
      { name: 'evil', workspace_id: 'zeta' },
      403,
    ],
    ['a workspace', 'warden', 'POST', '/v1/workspaces', { id: 'evil' }, 403],
    [
      'a plan to the workspace',
      'warden',
      'PATCH',
      '/v1/workspaces/acme',
      { plan: 'pro', name: 'x' },
      403,
    ],
    [
      'figures to the workspace',
      'warden',
      'PATCH',
      '/v1/workspaces/acme',
      { overrides: { per_minute: 9 } },
      403,
    ],
    [
      'a status to the workspace',
      'warden',
      'PATCH',
      '/v1/workspaces/acme',
      { status: 'suspended' },
      403,
    ],
    ['a slug of another', 'warden', 'PATCH', '/v1/workspaces/acme', { slug: 'zz' }, 403],
    ['the end of the workspace', 'warden', 'DELETE', '/v1/workspaces/acme', undefined, 403],
    ['the end of another workspace', 'warden', 'DELETE', '/v1/workspaces/zeta', undefined, 404],
    ['a block away', 'strong', 'DELETE', '/v1/blocks/0', undefined, 404],
  ];
  test.for(climbs)('%s, by %s: %s %s', async ([, actor, method, path, body, status]) => {
    const before = await castle.dump();
    const target = path.replace(/\{(\w+)\}/, (_, name) => town[name as keyof Town].id);
    const hit = await castle.ask(method, target, body, { token: town[actor].key });
    expect([hit.status, hit.text.includes('"key":')], hit.text).toEqual([status, false]);
    expect(await castle.dump()).toBe(before);
  });
});
