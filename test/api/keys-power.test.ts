import { describe, expect, test } from 'vitest';
import { openStage, pointers, type Stage, token } from './stage.ts';

const MANAGE = 'api_keys:read api_keys:write';

/** A user of a workspace and what they may do. */
async function user(stage: Stage, id: string, scopes: readonly string[], more: object = {}) {
  const body = { id, workspace_id: 'acme', scopes, ...more };
  expect((await stage.admin('POST', '/v1/users', body)).status).toBe(201);
}

function make(stage: Stage, as: string, body: object) {
  return stage.ask('POST', '/v1/api-keys', {
    as,
    body: { name: 'k', prefix: 'pr_live_', ...body },
  });
}

/** A key that the admin made, in workspace acme. */
async function given(stage: Stage, body: object) {
  const made = await stage.admin('POST', '/v1/api-keys', {
    ...{ name: 'given', prefix: 'pr_live_', workspace_id: 'acme', ...body },
  });
  expect(made.status).toBe(201);
  return made.body as { id: string; key: string };
}

describe('nobody makes a key that may do more than they may', () => {
  test.each([
    ['a scope that they hold', { scopes: ['reports:read'] }, 201, []],
    ['a role whose scopes they hold but not the role', { roles: ['viewer'] }, 403, ['/roles/0']],
    ['a scope that they lack', { scopes: ['reports:read', 'reports:write'] }, 403, ['/scopes/1']],
    ['every scope', { scopes: ['*'] }, 403, ['/scopes/0']],
    ['a management scope that they lack', { scopes: ['users:write'] }, 403, ['/scopes/0']],
    ['a role that they lack', { roles: ['editor'] }, 403, ['/roles/0']],
    ['a username', { username: 'ceo' }, 403, ['/username']],
    ['a plan of others', { plan: 'free' }, 403, ['/plan']],
    ['the plan that is in force for them', { plan: 'pro' }, 201, []],
    ['a foreign workspace', { workspace_id: 'other' }, 403, ['/workspace_id']],
    ['a workspace that does not exist', { workspace_id: 'nowhere' }, 403, ['/workspace_id']],
    ['their own workspace by name', { workspace_id: 'acme' }, 201, []],
  ])('%s', async (_, body, status, wanted) => {
    await using stage = await openStage();
    const as = await token({ scope: `${MANAGE} reports:read`, org: 'acme' });
    const came = await make(stage, as, body);
    expect([came.status, pointers(came)]).toEqual([status, wanted]);
    if (status === 201)
      expect(came.body).toMatchObject({ workspace_id: 'acme', created_by: 'ada' });
  });

  test('roles that they hold may be given', async () => {
    await using stage = await openStage();
    const as = await token({ roles: ['keeper', 'editor'], scope: '', org: 'acme' });
    expect((await make(stage, as, { roles: ['viewer'] })).status).toBe(201);
  });

  test('a ceiling of the prefix is no excuse to name more', async () => {
    await using stage = await openStage();
    const as = await token({ scope: `${MANAGE} reports:read`, org: 'acme' });
    const came = await make(stage, as, { prefix: 'pk_', scopes: ['reports:write'] });
    expect(came.status).toBe(403);
  });

  test('an import is judged alike', async () => {
    await using stage = await openStage();
    const as = await token({ scope: MANAGE, org: 'acme' });
    const body = {
      name: 'a',
      prefix: 'old_',
      hash: `sha256:${'a'.repeat(64)}`,
      scopes: ['billing:read'],
    };
    const came = await stage.ask('POST', '/v1/api-keys/import', { as, body });
    expect([came.status, pointers(came)]).toEqual([403, ['/scopes/0']]);
  });

  test('who acts for an environment makes and handles keys of that one only', async () => {
    await using stage = await openStage();
    const { key } = await given(stage, { scopes: ['api_keys:write'], prefix: 'pr_test_' });
    expect((await make(stage, key, { prefix: 'pr_test_' })).status).toBe(201);
    const came = await make(stage, key, { prefix: 'pr_live_' });
    expect([came.status, pointers(came)]).toEqual([403, ['/environment']]);
    const live = await given(stage, {});
    for (const [method, more] of [
      ['POST', '/rotate'],
      ['POST', '/disable'],
      ['DELETE', ''],
    ]) {
      const other = await stage.ask(method ?? '', `/v1/api-keys/${live.id}${more}`, { as: key });
      expect([other.status, pointers(other)]).toEqual([403, ['/environment']]);
    }
  });
});

describe('what makes a key greater is granting all of it', () => {
  const BIG = {
    scopes: ['reports:write'],
    allowed_ips: ['127.0.0.1'],
    expires_at: '2027-01-01T00:00:00Z',
  };

  test.each([
    ['rotating', 'POST', '/rotate', {}],
    ['removing its addresses', 'PATCH', '', { allowed_ips: null }],
    ['another address', 'PATCH', '', { allowed_ips: ['127.0.0.1', '192.0.2.1'] }],
    ['a name, which upstream is told', 'PATCH', '', { name: 'boss' }],
    ['a later end', 'PATCH', '', { expires_at: '2028-01-01T00:00:00Z' }],
    ['no end', 'PATCH', '', { expires_at: null }],
    ['origins, which admit browsers', 'PATCH', '', { allowed_origins: ['app.example.com'] }],
    ['a scope that the actor holds', 'PATCH', '', { scopes: ['reports:write', 'reports:read'] }],
  ])('%s', async (_, method, more, body) => {
    await using stage = await openStage();
    const { id } = await given(stage, BIG);
    const small = await token({ scope: `${MANAGE} reports:read`, org: 'acme' });
    const came = await stage.ask(method, `/v1/api-keys/${id}${more}`, { as: small, body });
    expect([came.status, came.body.reason]).toEqual([403, 'beyond_grant']);
    const big = await token({ scope: `${MANAGE} reports:read reports:write`, org: 'acme' });
    expect((await stage.ask(method, `/v1/api-keys/${id}${more}`, { as: big, body })).status).toBe(
      200,
    );
  });

  test('enabling', async () => {
    await using stage = await openStage();
    const { id } = await given(stage, BIG);
    const small = await token({ scope: MANAGE, org: 'acme' });
    const path = `/v1/api-keys/${id}`;
    expect((await stage.ask('POST', `${path}/disable`, { as: small })).status).toBe(200);
    expect((await stage.ask('POST', `${path}/enable`, { as: small })).status).toBe(403);
  });

  test.each([
    ['fewer scopes', 'PATCH', { scopes: [] }],
    ['fewer addresses', 'PATCH', { allowed_ips: [] }],
    ['an earlier end', 'PATCH', { expires_at: '2026-12-01T00:00:00Z' }],
    ['a description', 'PATCH', { description: 'x' }],
    ['a limit', 'PATCH', { rate_limit: { per_minute: 1 } }],
    ['routes', 'PATCH', { allowed_routes: ['reports'] }],
    ['revoking', 'DELETE', undefined],
  ])('%s needs the write scope alone', async (_, method, body) => {
    await using stage = await openStage();
    const { id } = await given(stage, BIG);
    const small = await token({ scope: MANAGE, org: 'acme' });
    const came = await stage.ask(method, `/v1/api-keys/${id}`, { as: small, body });
    expect(came.status).toBeLessThan(300);
  });
});

describe('a personal key is its own user’s affair', () => {
  test('a user makes one, which never exceeds them and shrinks with them', async () => {
    await using stage = await openStage();
    await user(stage, 'ada', ['reports:read', 'billing:read']);
    const as = await token({
      sub: 'ada',
      scope: `${MANAGE} reports:read billing:read`,
      org: 'acme',
    });
    const made = await make(stage, as, {
      kind: 'personal',
      scopes: ['reports:read', 'billing:read'],
    });
    expect(made.body).toMatchObject({ kind: 'personal', owner: 'ada' });
    expect(await stage.gateOn(made.body.key, '/v1/bills/1')).toBe('allow');
    await stage.admin('PATCH', '/v1/users/ada?workspace_id=acme', { scopes: ['reports:read'] });
    expect(await stage.gateOn(made.body.key, '/v1/bills/1')).toBe('insufficient_scope');
    expect(await stage.gateOn(made.body.key)).toBe('allow');
  });

  test('others may not make, turn or enable it, unless they manage users and hold all that its user does', async () => {
    await using stage = await openStage();
    await user(stage, 'ada', ['reports:read', 'billing:read']);
    const { id } = await given(stage, { kind: 'personal', owner: 'ada', scopes: ['reports:read'] });
    const path = `/v1/api-keys/${id}/rotate`;
    const claims = { sub: 'bob', org: 'acme' };
    const equal = await token({ ...claims, scope: `${MANAGE} reports:read billing:read` });
    const keeper = await token({ ...claims, scope: `${MANAGE} users:write reports:read` });
    const above = await token({
      ...claims,
      scope: `${MANAGE} users:write reports:read billing:read`,
    });
    for (const [as, status] of [
      [equal, 403],
      [keeper, 403],
      [above, 200],
    ] as const) {
      const turned = await stage.ask('POST', path, { as, body: {} });
      expect([turned.status, pointers(turned)]).toEqual([status, status === 403 ? ['/owner'] : []]);
      const body = { kind: 'personal', owner: 'ada', scopes: ['reports:read'] };
      expect((await make(stage, as, body)).status).toBe(status === 403 ? 403 : 201);
    }
  });

  test('a key of a deactivated user is neither made nor enabled', async () => {
    await using stage = await openStage();
    await user(stage, 'ada', [], { status: 'deactivated' });
    const body = {
      name: 'a',
      prefix: 'pr_live_',
      workspace_id: 'acme',
      kind: 'personal',
      owner: 'ada',
    };
    const came = await stage.admin('POST', '/v1/api-keys', body);
    expect([came.status, pointers(came)]).toEqual([422, ['/owner']]);
  });
});

describe('another workspace’s key does not exist', () => {
  test.each([
    ['GET', '', undefined],
    ['GET', '/usage', undefined],
    ['PATCH', '', { name: 'x' }],
    ['DELETE', '', undefined],
    ['POST', '/rotate', {}],
    ['POST', '/disable', undefined],
    ['POST', '/enable', undefined],
  ])('%s%s is 404', async (method, more, body) => {
    await using stage = await openStage();
    const { id } = await given(stage, { workspace_id: 'other' });
    const as = await token({ scope: MANAGE, org: 'acme' });
    const came = await stage.ask(method, `/v1/api-keys/${id}${more}`, { as, body });
    expect([came.status, came.body.reason]).toEqual([404, 'not_found']);
  });

  test('nor is it listed, whatever is asked for', async () => {
    await using stage = await openStage();
    await given(stage, { workspace_id: 'other' });
    const as = await token({ scope: MANAGE, org: 'acme' });
    const ids = async (query: string, who: string) => {
      const came = await stage.ask('GET', `/v1/api-keys${query}`, { as: who });
      return came.body.data.map((one: { workspace_id: string }) => one.workspace_id);
    };
    expect(await ids('', as)).toEqual(['acme']);
    expect(await ids('?workspace_id=other', as)).toEqual([]);
    const nobody = await token({ scope: MANAGE });
    expect(await ids('', nobody)).toEqual([]);
    const declared = await stage.ask('GET', '/v1/api-keys/declared', { as: nobody });
    expect(declared.status).toBe(404);
  });
});

test('a key for certain routes manages only where one of them leads to the API', async () => {
  const routes = `
routes:
  - { name: manage, path: /v1/api-keys/**, access: [api_key] }
  - { name: x, path: /x, access: [api_key] }
`;
  await using stage = await openStage(routes);
  const body = { name: 'a', scopes: ['api_keys:read'] };
  const fit = await stage.admin('POST', '/v1/api-keys', { ...body, allowed_routes: ['manage'] });
  const unfit = await stage.admin('POST', '/v1/api-keys', { ...body, allowed_routes: ['x'] });
  expect((await stage.ask('GET', '/v1/api-keys', { as: fit.body.key })).status).toBe(200);
  const came = await stage.ask('GET', '/v1/api-keys', { as: unfit.body.key });
  expect([came.status, came.body.reason]).toEqual([403, 'route_not_allowed']);
  expect((await stage.ask('GET', '/v1/auth/verify', { as: unfit.body.key })).status).toBe(200);
});
