import { describe, expect, test } from 'vitest';
import { openStage, pointers, type Stage, token } from './stage.ts';

const WRITER = 'users:read users:write';

/** Somebody of acme who may write users and holds these grants. */
function writer(scope: string, roles: readonly string[] = []) {
  return token({ sub: 'boss', org: 'acme', scope: `${WRITER} ${scope}`, roles });
}

async function makeUser(stage: Stage, more: object) {
  const body = { id: 'ada', workspace_id: 'acme', ...more };
  expect((await stage.admin('POST', '/v1/users', body)).status).toBe(201);
}

type Making = readonly [
  it: string,
  scope: string,
  roles: readonly string[],
  ...rest: [body: object, status: number, want: readonly string[]],
];

describe('making a user within what the maker holds', () => {
  const cases: readonly Making[] = [
    ['a scope that is held', 'reports:read', [], { scopes: ['reports:read'] }, 201, []],
    ['a scope under a held wildcard', 'reports:*', [], { scopes: ['reports:write'] }, 201, []],
    [
      'a wildcard of which all is held',
      'reports:read reports:write',
      [],
      { scopes: ['reports:*'] },
      201,
      [],
    ],
    ['a wider wildcard', 'reports:*', [], { scopes: ['reports:read', '*'] }, 403, ['/scopes/1']],
    [
      'a scope that is not held',
      'reports:read',
      [],
      { scopes: ['billing:read'] },
      403,
      ['/scopes/0'],
    ],
    ["a scope of Postern's own that is held", '', [], { scopes: ['users:write'] }, 201, []],
    [
      "a scope of Postern's own under a wildcard",
      '*',
      [],
      { scopes: ['audit:read'] },
      403,
      ['/scopes/0'],
    ],
    ['a role that is held', 'reports:*', ['editor'], { roles: ['editor', 'viewer'] }, 201, []],
    [
      'a role whose scopes alone are held',
      'reports:*',
      [],
      { roles: ['editor'] },
      403,
      ['/roles/0'],
    ],
    [
      'a role above the own',
      'reports:*',
      ['viewer'],
      { roles: ['viewer', 'editor'] },
      403,
      ['/roles/1'],
    ],
    ['no grants', '', [], {}, 201, []],
  ];

  test.each(cases)('%s', async (_, scope, roles, ...[body, status, want]) => {
    await using stage = await openStage();
    const as = await writer(scope, roles);
    const came = await stage.ask('POST', '/v1/users', { as, body: { id: 'bo', ...body } });
    expect([came.status, pointers(came)]).toEqual([status, want]);
    if (status === 201) expect(came.body.workspace_id).toBe('acme');
    if (status === 403) expect(came.body.reason).toBe('beyond_grant');
  });
});

test('somebody of a workspace that nobody registered makes users and roles in it', async () => {
  await using stage = await openStage();
  const as = await token({ sub: 'boss', org: 'lab', scope: `${WRITER} reports:read` });
  const user = await stage.ask('POST', '/v1/users', { as, body: { id: 'bo' } });
  expect([user.status, user.body.workspace_id]).toEqual([201, 'lab']);
  const body = { name: 'reader', scopes: ['reports:read'] };
  expect((await stage.ask('POST', '/v1/roles', { as, body })).status).toBe(201);
});

describe('changing a user', () => {
  const had = { scopes: ['reports:read', 'billing:read'], roles: ['viewer'] };
  test.each([
    ['taking a scope away needs none of them', '', { scopes: ['billing:read'] }, 200],
    ['naming it needs none of them', '', { name: 'Ada' }, 200],
    ['deactivating it needs none of them', '', { status: 'deactivated' }, 200],
    [
      'giving what the giver holds, to somebody with more',
      'reports:*',
      { scopes: ['billing:read', 'reports:write'] },
      403,
    ],
    [
      'giving what the giver holds with all the rest',
      'reports:* billing:read',
      { scopes: ['billing:read', 'reports:write'], roles: [] },
      200,
    ],
    ['giving what the giver lacks', 'billing:read', { scopes: ['reports:write'] }, 403],
  ])('%s', async (_, scope, body, status) => {
    await using stage = await openStage();
    await makeUser(stage, had);
    const as = await writer(scope);
    expect((await stage.ask('PATCH', '/v1/users/ada', { as, body })).status).toBe(status);
  });

  test('reactivating it is giving all that it has', async () => {
    await using stage = await openStage();
    await makeUser(stage, { ...had, roles: [], status: 'deactivated' });
    const body = { status: 'active' };
    const poor = await writer('reports:read');
    const refused = await stage.ask('PATCH', '/v1/users/ada', { as: poor, body });
    expect([refused.status, pointers(refused)]).toEqual([403, ['/scopes/1']]);
    const narrower = { ...body, scopes: ['reports:read'] };
    expect((await stage.ask('PATCH', '/v1/users/ada', { as: poor, body: narrower })).status).toBe(
      200,
    );
  });

  test('nobody makes more of themselves', async () => {
    await using stage = await openStage();
    await makeUser(stage, { id: 'boss', scopes: [WRITER.split(' ')[1]] });
    const as = await writer('reports:read');
    const body = { scopes: ['users:write', 'billing:read'] };
    expect((await stage.ask('PATCH', '/v1/users/boss', { as, body })).status).toBe(403);
  });

  test.each([
    ['POST', '/v1/users', 'users:read'],
    ['PATCH', '/v1/users/ada', 'users:read'],
    ['DELETE', '/v1/users/ada', 'users:read'],
    ['GET', '/v1/users', 'users:write'],
    ['GET', '/v1/users/ada', 'api_keys:read'],
    ['POST', '/v1/teams', 'users:read'],
    ['GET', '/v1/teams', 'users:write'],
    ['POST', '/v1/roles', 'users:read'],
    ['GET', '/v1/roles', 'users:write'],
  ])('%s %s is refused to who holds %s alone', async (method, path, scope) => {
    await using stage = await openStage();
    await makeUser(stage, {});
    const as = await token({ org: 'acme', scope });
    const asked = method === 'POST' || method === 'PATCH' ? { as, body: {} } : { as };
    const refused = await stage.ask(method, path, asked);
    expect([refused.status, refused.body.reason]).toEqual([403, 'insufficient_scope']);
  });
});
