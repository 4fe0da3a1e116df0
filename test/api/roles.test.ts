import { describe, expect, test } from 'vitest';
import { openStage, POLICY, pointers, type Stage, token } from './stage.ts';

const AT = '2026-06-15T12:00:00.000Z';
const BILLER = {
  name: 'biller',
  workspace_id: 'acme',
  description: 'Sees bills',
  inherits: ['viewer'],
  scopes: ['billing:read'],
};

async function makeRole(stage: Stage, more: object = {}) {
  const made = await stage.admin('POST', '/v1/roles', { ...BILLER, ...more });
  expect(made.status).toBe(201);
  return made;
}

async function makeKey(stage: Stage, roles: readonly string[], more: object = {}) {
  const { body } = await stage.admin('POST', '/v1/api-keys', {
    ...{ name: 'k', prefix: 'pr_live_', workspace_id: 'acme', roles, ...more },
  });
  return body.key as string;
}

/** Somebody of acme who may write users and holds these grants. */
function writer(scope: string, roles: readonly string[] = []) {
  return token({ sub: 'boss', org: 'acme', scope: `users:read users:write ${scope}`, roles });
}

test('a custom role is made, shown beside those of the policy, changed and deleted', async () => {
  await using stage = await openStage();
  const made = await makeRole(stage);
  const biller = {
    ...BILLER,
    effective_scopes: ['billing:read', 'reports:read'],
    ...{ created_at: AT, updated_at: AT, read_only: false },
  };
  expect(made.body).toEqual(biller);
  expect(made.headers.get('location')).toBe('/v1/roles/biller');
  expect((await stage.admin('GET', '/v1/roles/biller')).body).toEqual(biller);
  const listed = await stage.admin('GET', '/v1/roles?workspace_id=acme');
  expect(listed.body.data.map((one: { name: string }) => one.name)).toEqual([
    ...['viewer', 'editor', 'keeper'],
    'biller',
  ]);
  expect(listed.body.data[1]).toMatchObject({
    inherits: ['viewer'],
    scopes: ['reports:write'],
    effective_scopes: ['reports:write', 'reports:read'],
    read_only: true,
  });
  stage.clock.nowMs += 1000;
  const changed = await stage.admin('PATCH', '/v1/roles/biller', {
    inherits: [],
    description: null,
  });
  expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"']);
  expect(changed.body).toMatchObject({ inherits: [], effective_scopes: ['billing:read'] });
  expect(stage.events.at(-1)).toMatchObject({
    event: 'role.updated',
    before: { inherits: ['viewer'], description: 'Sees bills' },
    after: { inherits: [], description: null },
  });
  expect((await stage.admin('DELETE', '/v1/roles/biller')).status).toBe(204);
  expect((await stage.admin('GET', '/v1/roles/biller')).status).toBe(404);
});

test('a role works from the next check on, and is lost with it', async () => {
  await using stage = await openStage();
  await makeRole(stage);
  const key = await makeKey(stage, ['biller']);
  expect(await stage.gateOn(key, '/v1/bills/1')).toBe('allow');
  expect(await stage.gateOn(key)).toBe('allow');
  await stage.admin('PATCH', '/v1/roles/biller', { inherits: [] });
  expect(await stage.gateOn(key)).toBe('insufficient_scope');
  expect(await stage.gateOn(key, '/v1/bills/1')).toBe('allow');
  await stage.admin('DELETE', '/v1/roles/biller');
  expect(await stage.gateOn(key, '/v1/bills/1')).toBe('insufficient_scope');
});

test('a role of one workspace says nothing in another', async () => {
  await using stage = await openStage();
  await makeRole(stage);
  const body = { name: 'k', prefix: 'pr_live_', workspace_id: 'other', roles: ['biller'] };
  const refused = await stage.admin('POST', '/v1/api-keys', body);
  expect([refused.status, pointers(refused)]).toEqual([422, ['/roles/0']]);
  const user = await stage.admin('POST', '/v1/users', { workspace_id: 'other', roles: ['biller'] });
  expect([user.status, pointers(user)]).toEqual([422, ['/roles/0']]);
});

test('roles of the policy are never changed, and their names are theirs', async () => {
  await using stage = await openStage();
  expect((await stage.admin('GET', '/v1/roles/viewer')).body.read_only).toBe(true);
  for (const [method, path, body] of [
    ['PATCH', '/v1/roles/viewer', { scopes: [] }],
    ['DELETE', '/v1/roles/viewer', undefined],
    ['POST', '/v1/roles', { name: 'viewer', workspace_id: 'acme' }],
  ] as const) {
    const refused = await stage.admin(method, path, body);
    expect([refused.status, refused.body.reason]).toEqual([409, 'read_only']);
  }
});

describe('a body of a role', () => {
  test.each([
    ['a parent that nobody has', { inherits: ['viewer', 'king'] }, ['/inherits/1']],
    ['itself as its parent', { inherits: ['new'] }, ['/inherits/0']],
    ['a scope that the catalogue lacks', { scopes: ['reports:fly'] }, ['/scopes/0']],
    ['an unknown field', { rank: 1 }, ['/rank']],
    ['a name with a space', { name: 'a b' }, ['/name']],
  ])('with %s is refused', async (_, body, want) => {
    await using stage = await openStage();
    const refused = await stage.admin('POST', '/v1/roles', { name: 'new', ...body });
    expect([refused.status, pointers(refused)]).toEqual([422, want]);
  });

  test('that closes a circle is refused, however long', async () => {
    await using stage = await openStage();
    await makeRole(stage, { name: 'a', inherits: [] });
    await makeRole(stage, { name: 'b', inherits: ['a'] });
    await makeRole(stage, { name: 'c', inherits: ['viewer', 'b'] });
    const refused = await stage.admin('PATCH', '/v1/roles/a', { inherits: ['viewer', 'c'] });
    expect([refused.status, pointers(refused)]).toEqual([422, ['/inherits/1']]);
  });

  test('that closes a circle by coming back is refused', async () => {
    await using stage = await openStage();
    await makeRole(stage, { name: 'a', inherits: [] });
    await makeRole(stage, { name: 'b', inherits: ['a'] });
    await stage.admin('DELETE', '/v1/roles/a');
    const body = { ...BILLER, name: 'a', inherits: ['b'] };
    const refused = await stage.admin('POST', '/v1/roles', body);
    expect([refused.status, pointers(refused)]).toEqual([422, ['/inherits/0']]);
  });

  test('of two that would close a circle together one is refused', async () => {
    await using stage = await openStage();
    await makeRole(stage, { name: 'a', inherits: [] });
    await makeRole(stage, { name: 'b', inherits: [] });
    const both = await Promise.all([
      stage.admin('PATCH', '/v1/roles/a', { inherits: ['b'] }),
      stage.admin('PATCH', '/v1/roles/b', { inherits: ['a'] }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 422]);
  });
});

type Case = readonly [
  it: string,
  who: readonly [string, readonly string[]],
  body: object,
  status: number,
];

describe('who may make a role', () => {
  const cases: readonly Case[] = [
    ['of scopes that they hold', ['reports:*', []], { scopes: ['reports:write'] }, 201],
    ['of a scope that they lack', ['reports:*', []], { scopes: ['billing:read'] }, 403],
    ['of a wildcard wider than theirs', ['reports:*', []], { scopes: ['*'] }, 403],
    ['under a role that they have', ['reports:*', ['editor']], { inherits: ['viewer'] }, 201],
    ['under a role whose scopes alone they hold', ['reports:*', []], { inherits: ['viewer'] }, 403],
    [
      'under a custom role of which they hold all',
      ['billing:read reports:read', ['viewer']],
      { inherits: ['biller'] },
      201,
    ],
    [
      'under a custom role of which they lack a scope',
      ['reports:read', ['viewer']],
      { inherits: ['biller'] },
      403,
    ],
    [
      'under a custom role of which they lack a role',
      ['billing:read reports:read', []],
      { inherits: ['biller'] },
      403,
    ],
  ];

  test.each(cases)('somebody makes one %s', async (_, [scope, roles], body, status) => {
    await using stage = await openStage();
    await makeRole(stage);
    const as = await writer(scope, roles);
    const came = await stage.ask('POST', '/v1/roles', { as, body: { name: 'new', ...body } });
    expect(came.status).toBe(status);
    if (status === 403) expect(pointers(came)).toEqual([`/${Object.keys(body)[0]}/0`]);
  });

  const changes: readonly Case[] = [
    ['to less, holding nothing of it', ['', []], { scopes: [] }, 200],
    ['in its description, holding nothing of it', ['', []], { description: 'x' }, 200],
    [
      'to more, holding the new alone',
      ['reports:write', []],
      { scopes: ['billing:read', 'reports:write'] },
      403,
    ],
    [
      'to more, holding all of it',
      ['billing:read reports:*', ['editor']],
      { scopes: ['billing:read', 'reports:write'] },
      200,
    ],
  ];

  test.each(changes)('somebody changes one %s', async (_, [scope, roles], body, status) => {
    await using stage = await openStage();
    await makeRole(stage);
    const as = await writer(scope, roles);
    expect((await stage.ask('PATCH', '/v1/roles/biller', { as, body })).status).toBe(status);
  });

  test('nobody widens a role through the one that it inherits from', async () => {
    await using stage = await openStage();
    await makeRole(stage, { name: 'base', inherits: [], scopes: [] });
    await makeRole(stage, { inherits: ['base'] });
    const as = await writer('');
    const body = { scopes: ['reports:write'] };
    const refused = await stage.ask('PATCH', '/v1/roles/base', { as, body });
    expect([refused.status, pointers(refused)]).toEqual([403, ['/scopes/0']]);
  });

  test.each(['biller', 'below'])(
    'nobody gains by changing a role that leads to their own (%s)',
    async (own) => {
      await using stage = await openStage(POLICY.replace('\nroles:', '\nroles:\n  badge: {}'));
      await makeRole(stage, { inherits: [], scopes: [] });
      await makeRole(stage, { name: 'below', inherits: ['biller'], scopes: [] });
      const raw = await makeKey(stage, [own], { scopes: ['users:write'] });
      const body = { inherits: ['badge'] };
      const refused = await stage.ask('PATCH', '/v1/roles/biller', { as: raw, body });
      expect([refused.status, pointers(refused)]).toEqual([403, ['/inherits/0']]);
    },
  );

  test('roles of another workspace do not exist', async () => {
    await using stage = await openStage();
    await makeRole(stage);
    const as = await token({ org: 'other', scope: 'users:read users:write billing:read' });
    for (const [method, body] of [['GET'], ['PATCH', { scopes: [] }], ['DELETE']] as const) {
      expect((await stage.ask(method, '/v1/roles/biller', { as, body })).status).toBe(404);
    }
    const listed = await stage.ask('GET', '/v1/roles', { as });
    expect(listed.text).not.toContain('biller');
    expect(listed.body.data).toHaveLength(3);
    expect((await stage.ask('GET', '/v1/roles?workspace_id=acme', { as })).body.data).toEqual([]);
  });
});
