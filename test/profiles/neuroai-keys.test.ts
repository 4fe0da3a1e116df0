import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { type ApiClient, openApiClient } from '../envoy-harness/api.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type HeaderLine, type ReceivedResponse, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { inOneMinute, outcomeOf } from './gate.ts';
import { KEYS } from './support.ts';

const PROFILE = join(import.meta.dirname, '..', '..', 'deploy', 'policies', 'neuroai.yaml');
const ADMIN = randomBytes(32).toString('base64url');
const WORKSPACE = 'research';
const CI_ID = '37dGatOBs2T1E3ejl2rLx2xZyYZ';
const DECLARED = 3;

/** What a client may say of itself: nobody believes it. */
const FORGED: readonly HeaderLine[] = [
  ['X-Auth-Username', 'root'],
  ['X-Auth-Roles', 'administrator'],
  ['X-Auth-Scopes', '*'],
  ['X-Auth-Workspace', 'elsewhere'],
  ['X-Auth-Method', 'admin'],
  ['X-Auth-Key-Id', CI_ID],
];

type Asked = {
  readonly method?: string;
  readonly body?: object;
  readonly headers?: readonly HeaderLine[];
};
type Key = { readonly id: string; readonly raw: string };

let upstream: Upstream;
let postern: Postern;
let envoy: RunningEnvoy;
/** The API itself, as nobody outside reaches it. */
let direct: ApiClient;

/** Sends a request through Envoy, with a key as Bearer. */
function call(
  key: string | undefined,
  target: string,
  asked: Asked = {},
): Promise<ReceivedResponse> {
  const { method = 'GET', body, headers = [] } = asked;
  const own: HeaderLine[] = [['X-Forwarded-For', '198.51.100.4']];
  if (key !== undefined) own.push(['Authorization', `Bearer ${key}`]);
  if (body !== undefined) own.push(['Content-Type', 'application/json']);
  const text = body && { body: JSON.stringify(body) };
  return send({ port: envoy.port, method, target, headers: [...own, ...headers], ...text });
}

async function makeKey(draft: object): Promise<Key> {
  const body = { name: 'made', workspace_id: WORKSPACE, ...draft };
  const made = await direct.make('/v1/api-keys', { method: 'POST', body });
  return { id: String(made['id']), raw: String(made['key']) };
}

/** What the API itself says of a key, asked without Envoy. */
async function verify(key: Key): Promise<{ readonly [field: string]: unknown }> {
  const { status, body } = await direct.ask('/v1/auth/verify', { token: key.raw });
  expect(status).toBe(200);
  return body;
}

describeEnvoy('neuroai: its keys managed through Envoy', () => {
  let administrator: Key;
  let viewer: Key;

  beforeAll(async () => {
    upstream = await startUpstream();
    postern = await startPostern({
      policy: { path: PROFILE },
      env: { POSTERN_ADMIN_TOKEN: ADMIN },
    });
    const { apiUrl = '', checkAddress } = postern;
    const apiAddress = new URL(apiUrl).host;
    envoy = await startEnvoy({
      checkAddress,
      apiAddress,
      upstreamPort: upstream.port,
      trustedHops: 1,
    });
    direct = openApiClient(apiUrl, ADMIN);
    await direct.make('/v1/workspaces', { method: 'POST', body: { id: WORKSPACE } });
    administrator = await makeKey({ name: 'office', roles: ['administrator'] });
    viewer = await makeKey({ name: 'wall', roles: ['viewer'] });
  });

  afterAll(async () => {
    await envoy?.stop();
    await postern?.kill();
    await upstream?.stop();
  });

  test('an administrator makes a key, which works, rotates it and revokes it', async () => {
    const made = await call(administrator.raw, '/v1/api-keys', {
      method: 'POST',
      body: { name: 'robot', roles: ['developer'], metadata: { team: 'vision' } },
    });
    expect(made.status).toBe(201);
    const { id, key } = made.json();
    expect(made.json()).toMatchObject({
      workspace_id: WORKSPACE,
      kind: 'service',
      roles: ['developer'],
      created_by: administrator.id,
      metadata: { team: 'vision' },
    });
    expect(key).toMatch(/^nai_[0-9A-Za-z]{38}$/);
    expect(outcomeOf(await call(String(key), '/v1/agents/7'))).toBe('allow');
    expect(upstream.last().header('x-auth-key-id')).toBe(id);

    const path = `/v1/api-keys/${id}`;
    const changed = await call(administrator.raw, path, {
      method: 'PATCH',
      body: { allowed_ips: ['192.0.2.0/24'] },
    });
    expect(changed.status).toBe(200);
    expect(outcomeOf(await call(String(key), '/v1/agents/7'))).toBe('ip_not_allowed');
    await call(administrator.raw, path, { method: 'PATCH', body: { allowed_ips: null } });

    const rotated = await call(administrator.raw, `${path}/rotate`, { method: 'POST' });
    expect(rotated.status).toBe(200);
    expect(outcomeOf(await call(String(key), '/v1/agents/7'))).toBe('key_expired');
    const next = String(rotated.json()['key']);
    expect(outcomeOf(await call(next, '/v1/agents/7'))).toBe('allow');

    expect((await call(administrator.raw, path, { method: 'DELETE' })).status).toBe(204);
    expect(outcomeOf(await call(next, '/v1/agents/7'))).toBe('key_revoked');
    const shown = await call(administrator.raw, path);
    expect(shown.json()).toMatchObject({ id, status: 'revoked' });
    expect(shown.body).not.toContain(next);
  });

  test('a key in the query manages too, and is not repeated in links', async () => {
    const target = `/v1/api-keys?limit=1&api_key=${administrator.raw}`;
    const list = await call(undefined, target);
    expect(list.status).toBe(200);
    expect(list.header('link')).toContain('rel="next"');
    expect(JSON.stringify([list.lines, list.body])).not.toContain(administrator.raw);
  });

  test('a viewer lists, and neither creates nor changes', async () => {
    const list = await call(viewer.raw, '/v1/api-keys');
    expect(list.status).toBe(200);
    expect(list.json()['data']).toContainEqual(expect.objectContaining({ id: administrator.id }));
    const refused: readonly (readonly [string, Asked])[] = [
      ['/v1/api-keys', { method: 'POST', body: { name: 'mine', roles: ['viewer'] } }],
      [`/v1/api-keys/${viewer.id}`, { method: 'PATCH', body: { name: 'mine' } }],
      [`/v1/api-keys/${viewer.id}/rotate`, { method: 'POST' }],
      [`/v1/api-keys/${administrator.id}`, { method: 'DELETE' }],
    ];
    for (const [target, asked] of refused) {
      const answer = await call(viewer.raw, target, asked);
      expect({ status: answer.status, reason: outcomeOf(answer) }).toEqual({
        status: 403,
        reason: 'insufficient_scope',
      });
    }
    expect(outcomeOf(await call(administrator.raw, '/v1/agents'))).toBe('allow');
  });

  test('a manager of keys gives what it holds, and no more', async () => {
    const manager = await makeKey({ roles: ['api-manager'] });
    const create = (roles: readonly string[]) =>
      call(manager.raw, '/v1/api-keys', { method: 'POST', body: { name: 'child', roles } });
    expect((await create(['viewer'])).status).toBe(201);
    for (const role of ['developer', 'administrator', 'telemetry-writer']) {
      const refused = await create([role]);
      expect(refused.status).toBe(403);
      expect(refused.json()).toMatchObject({
        reason: 'beyond_grant',
        errors: [{ pointer: '/roles/0' }],
      });
    }
    const stolen = await call(manager.raw, `/v1/api-keys/${administrator.id}/rotate`, {
      method: 'POST',
    });
    expect(outcomeOf(stolen)).toBe('beyond_grant');
    expect(outcomeOf(await call(administrator.raw, '/v1/agents'))).toBe('allow');
  });

  test('what a client says of itself in x-auth-* headers means nothing', async () => {
    const body = { name: 'forged', roles: ['administrator'] };
    const headers = FORGED;
    const through = await call(viewer.raw, '/v1/api-keys', { method: 'POST', body, headers });
    expect(outcomeOf(through)).toBe('insufficient_scope');
    expect(outcomeOf(await call(undefined, '/v1/api-keys', { headers }))).toBe(
      'missing_credential',
    );
    const said = Object.fromEntries(headers);
    const straight = { method: 'POST', body, headers: said } as const;
    const asViewer = await direct.ask('/v1/api-keys', { ...straight, token: viewer.raw });
    expect({ status: asViewer.status, reason: asViewer.body['reason'] }).toEqual({
      status: 403,
      reason: 'insufficient_scope',
    });
    const asNobody = await direct.ask('/v1/api-keys', { ...straight, token: null });
    expect(asNobody.body['reason']).toBe('missing_credential');
    const verified = await call(viewer.raw, '/v1/auth/verify', { headers });
    expect(verified.json()).toMatchObject({
      api_key: { id: viewer.id },
      workspace_id: WORKSPACE,
      roles: ['viewer'],
    });
  });

  test('a key that hides from upstream does not get as far as the API', async () => {
    const hidden = await makeKey({ roles: ['viewer'], hide_credentials: true });
    expect(outcomeOf(await call(hidden.raw, '/v1/agents'))).toBe('allow');
    expect(outcomeOf(await call(hidden.raw, '/v1/auth/verify'))).toBe('missing_credential');
    expect(outcomeOf(await call(hidden.raw, '/v1/api-keys'))).toBe('missing_credential');
    expect((await verify(hidden))['api_key']).toMatchObject({ hide_credentials: true });
  });

  test('keys of the policy are shown, read only', async () => {
    const list = await call(administrator.raw, '/v1/api-keys?limit=200');
    const all = list.json()['data'] as readonly { readonly [field: string]: unknown }[];
    const declared = all.filter((one) => one['read_only'] === true);
    expect(declared).toHaveLength(DECLARED);
    expect(all.slice(0, DECLARED)).toEqual(declared);
    const path = `/v1/api-keys/${CI_ID}`;
    expect((await call(administrator.raw, path)).json()).toMatchObject({
      name: 'production CI/CD',
      kind: 'team',
      read_only: true,
    });
    const removed = await call(administrator.raw, path, { method: 'DELETE' });
    expect({ status: removed.status, reason: outcomeOf(removed) }).toEqual({
      status: 409,
      reason: 'read_only',
    });
  });

  describe('GET /v1/auth/verify', () => {
    test('tells what a key is, and what is left of its limits without spending any', async () => {
      await inOneMinute(async (name) => {
        const rate_limit = { per_minute: 20, burst: 10 };
        const key = await makeKey({ name, roles: ['developer'], rate_limit });
        const first = await verify(key);
        expect(first).toMatchObject({
          valid: true,
          method: 'api_key',
          api_key: { id: key.id, name, rate_limit, status: 'active' },
          workspace_id: WORKSPACE,
          roles: ['developer'],
        });
        expect(first).not.toHaveProperty('api_key.key');
        expect(remainingOf(first)).toEqual([20, 10]);
        for (let turn = 0; turn < 3; turn += 1) {
          expect(remainingOf(await verify(key))).toEqual([20, 10]);
        }
        const used = await call(key.raw, '/v1/agents');
        expect(used.header('x-ratelimit-remaining')).toBe('19');
        expect(used.header('x-ratelimit-policy')).toBe('20/minute');
        const limits = (await verify(key))['limits'];
        expect(limits).toMatchObject([{ policy: '20/minute', limit: 20, remaining: 19 }, {}]);
        const [{ reset }] = limits as [{ reset: number }];
        expect(String(reset)).toBe(used.header('x-ratelimit-reset'));
      });
    });

    test('through Envoy, the gate charges the question as it charges any, and the API does not', async () => {
      await inOneMinute(async (name) => {
        const rate_limit = { per_minute: 20 };
        const key = await makeKey({ name, roles: ['developer'], rate_limit });
        const asked = await call(key.raw, '/v1/auth/verify');
        expect(asked.header('x-ratelimit-remaining')).toBe('19');
        expect(remainingOf(asked.json())).toEqual([19]);
        const used = await call(key.raw, '/v1/agents');
        expect(used.header('x-ratelimit-remaining')).toBe('18');
      });
    });

    test('answers the refusal of the gate for a credential that is none', async () => {
      const key = await makeKey({ roles: ['viewer'] });
      await direct.make(`/v1/api-keys/${key.id}/disable`, { method: 'POST' });
      const cases: readonly (readonly [string, string])[] = [
        [key.raw, 'key_disabled'],
        [KEYS.neuroai.expired, 'key_expired'],
        [`${key.raw.slice(0, -1)}_`, 'unknown_key'],
      ];
      for (const [raw, reason] of cases) {
        const [far, near] = [
          await call(raw, '/v1/auth/verify'),
          await direct.ask('/v1/auth/verify', { token: raw }),
        ];
        expect([far.status, far.json()['reason']]).toEqual([401, reason]);
        expect([near.status, near.body['reason']]).toEqual([401, reason]);
        const unlike = { request_id: expect.any(String) };
        expect({ ...near.body, ...unlike }).toEqual({ ...far.json(), ...unlike });
        expect(near.headers.get('www-authenticate')).toBe(far.header('www-authenticate'));
        expect(near.text).not.toContain(raw);
      }
    });
  });
});

function remainingOf(verified: { readonly [field: string]: unknown }): readonly unknown[] {
  const limits = verified['limits'] as readonly { readonly remaining: unknown }[];
  return limits.map(({ remaining }) => remaining);
}
