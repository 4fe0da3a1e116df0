import { describe, expect, test } from 'vitest';
import { openStage, pointers, type Stage, token } from './stage.ts';

const AT = '2026-06-15T12:00:00.000Z';
const LAB = {
  id: 'lab',
  name: 'The lab',
  slug: 'laboratory',
  plan: 'pro',
  overrides: { per_minute: 5 },
  allowed_ips: ['192.0.2.0/24', '2001:db8::/48', '127.0.0.1'],
};
const MANAGER = { sub: 'ada', scope: 'workspaces:read workspaces:write' };

async function makeLab(stage: Stage) {
  const made = await stage.admin('POST', '/v1/workspaces', LAB);
  expect(made.status).toBe(201);
  return made;
}

test('a workspace is made with every field, shown, changed and listed', async () => {
  await using stage = await openStage();
  const made = await makeLab(stage);
  const lab = { ...LAB, status: 'active', created_at: AT, updated_at: AT, read_only: false };
  expect(made.body).toEqual(lab);
  expect(made.headers.get('etag')).toBe('"1"');
  expect(made.headers.get('location')).toBe('/v1/workspaces/lab');
  expect((await stage.admin('GET', '/v1/workspaces/lab')).body).toEqual(lab);
  stage.clock.nowMs += 1000;
  const change = { status: 'past_due', overrides: null, allowed_ips: null };
  const changed = await stage.admin('PATCH', '/v1/workspaces/lab', change);
  const after = { ...lab, ...change, updated_at: '2026-06-15T12:00:01.000Z' };
  expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"']);
  expect(changed.body).toEqual(after);
  const listed = await stage.admin('GET', '/v1/workspaces');
  expect(listed.body.data.map((one: { id: string }) => one.id)).toEqual(['acme', 'other', 'lab']);
  expect(listed.body.data[2]).toEqual(after);
  expect(listed.body.next_cursor).toBeNull();
});

test('a workspace without an id gets a KSUID, and only its status is not null', async () => {
  await using stage = await openStage();
  const { body } = await stage.admin('POST', '/v1/workspaces', {});
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9A-Za-z]{27}$/),
    ...{ name: null, slug: null, plan: null, overrides: null, allowed_ips: null },
    ...{ status: 'active', created_at: AT, updated_at: AT, read_only: false },
  });
});

test('a change tells the fields that changed, and a change of nothing tells nothing', async () => {
  await using stage = await openStage();
  await makeLab(stage);
  await stage.admin('PATCH', '/v1/workspaces/lab', { name: 'Lab', plan: 'pro' });
  const same = await stage.admin('PATCH', '/v1/workspaces/lab', { name: 'Lab' });
  expect([same.status, same.headers.get('etag')]).toEqual([200, '"2"']);
  const told = stage.events.map(({ event, actor, object, before, after, workspace_id }) => ({
    ...{ event, actor, object, workspace_id, before, after },
  }));
  const about = {
    actor: { kind: 'admin', id: 'admin' },
    object: { kind: 'workspace', id: 'lab' },
    workspace_id: 'lab',
  };
  expect(told).toEqual([
    { event: 'workspace.created', ...about, after: expect.objectContaining(LAB) },
    { event: 'workspace.updated', ...about, before: { name: 'The lab' }, after: { name: 'Lab' } },
  ]);
});

test('declared workspaces are shown and never changed', async () => {
  await using stage = await openStage();
  const shown = await stage.admin('GET', '/v1/workspaces/acme');
  expect(shown.body).toMatchObject({ id: 'acme', plan: 'pro', read_only: true, created_at: null });
  expect(shown.headers.get('etag')).toBeNull();
  for (const [method, body] of [['PATCH', { name: 'x' }], ['DELETE']] as const) {
    const refused = await stage.admin(method, '/v1/workspaces/acme', body);
    expect([refused.status, refused.body.reason]).toEqual([409, 'read_only']);
  }
  expect(stage.events).toEqual([]);
});

describe('names of workspaces', () => {
  test.each([
    ['an id that is stored', { id: 'lab' }, '/id'],
    ['an id that is declared', { id: 'acme' }, '/id'],
    ["an id that is another one's slug", { id: 'laboratory' }, '/id'],
    ['a slug that is stored', { slug: 'laboratory' }, '/slug'],
    ["a slug that is another one's id", { slug: 'lab' }, '/slug'],
    ['a slug that is a declared id', { slug: 'acme' }, '/slug'],
  ])('%s is taken', async (_, body, pointer) => {
    await using stage = await openStage();
    await makeLab(stage);
    const refused = await stage.admin('POST', '/v1/workspaces', body);
    expect([refused.status, refused.body.reason]).toEqual([409, 'already_exists']);
    expect(pointers(refused)).toEqual([pointer]);
  });

  test('a slug that another one has is refused in a change too, and kept slugs are not', async () => {
    await using stage = await openStage();
    await makeLab(stage);
    await stage.admin('POST', '/v1/workspaces', { id: 'two' });
    const refused = await stage.admin('PATCH', '/v1/workspaces/two', { slug: 'laboratory' });
    expect([refused.status, pointers(refused)]).toEqual([409, ['/slug']]);
    const kept = await stage.admin('PATCH', '/v1/workspaces/lab', {
      slug: 'laboratory',
      name: null,
    });
    expect(kept.status).toBe(200);
  });
});

describe('a body of a workspace', () => {
  test.each([
    ['an unknown plan', { plan: 'gold' }, ['/plan']],
    ['an unknown status', { status: 'closed' }, ['/status']],
    [
      'a wrong address and a wrong figure',
      { allowed_ips: ['10.0.0.0/8', '10/8'], overrides: { per_minute: 0 } },
      ['/allowed_ips/1', '/overrides/per_minute'],
    ],
    [
      'unknown fields at every depth',
      { tier: 1, overrides: { per_year: 1 } },
      ['/overrides/per_year', '/tier'],
    ],
    ['an id with a slash', { id: 'a/b' }, ['/id']],
    ['a name of two lines', { name: 'a\nb' }, ['/name']],
    ['a null where there must be a value', { status: null }, ['/status']],
  ])('with %s is refused', async (_, body, want) => {
    await using stage = await openStage();
    const refused = await stage.admin('POST', '/v1/workspaces', body);
    expect(refused.status).toBe(422);
    expect([...pointers(refused)].sort()).toEqual(want);
    expect((await stage.store.list('workspace', {}, { limit: 10 })).items).toEqual([]);
  });

  test('a wrong address is not repeated in the refusal', async () => {
    await using stage = await openStage();
    const refused = await stage.admin('POST', '/v1/workspaces', {
      allowed_ips: ['pr_live_secret'],
    });
    expect(refused.text).not.toContain('secret');
  });
});

describe('who may do what to a workspace', () => {
  test.each([
    ['name', { name: 'New' }],
    ['allowed_ips', { allowed_ips: ['127.0.0.1'] }],
  ])('somebody of it with workspaces:write changes its %s', async (_, body) => {
    await using stage = await openStage();
    await makeLab(stage);
    const as = await token({ ...MANAGER, org: 'lab' });
    const changed = await stage.ask('PATCH', '/v1/workspaces/lab', { as, body });
    expect(changed.status).toBe(200);
    expect(stage.events.at(-1)?.actor).toEqual({ kind: 'jwt', id: 'ada', username: 'ada' });
  });

  test.each([
    ['plan', { plan: 'pro' }],
    ['overrides', { overrides: null }],
    ['status', { status: 'active' }],
    ['slug', { slug: 'x' }],
  ])('but not its %s', async (field, body) => {
    await using stage = await openStage();
    await makeLab(stage);
    const as = await token({ ...MANAGER, org: 'lab' });
    const refused = await stage.ask('PATCH', '/v1/workspaces/lab', {
      as,
      body: { ...body, name: 'x' },
    });
    expect([refused.status, refused.body.reason]).toEqual([403, 'beyond_grant']);
    expect(pointers(refused)).toEqual([`/${field}`]);
  });

  test('only the admin makes and deletes workspaces', async () => {
    await using stage = await openStage();
    await makeLab(stage);
    const as = await token({ ...MANAGER, org: 'lab' });
    for (const [method, path, body] of [
      ['POST', '/v1/workspaces', {}],
      ['DELETE', '/v1/workspaces/lab', undefined],
    ] as const) {
      const refused = await stage.ask(method, path, { as, body });
      expect([refused.status, refused.body.reason]).toEqual([403, 'beyond_grant']);
    }
  });

  test.each(['GET', 'PATCH', 'DELETE'])(
    'another workspace does not exist for %s',
    async (method) => {
      await using stage = await openStage();
      await makeLab(stage);
      const as = await token({ ...MANAGER, org: 'acme' });
      const body = method === 'PATCH' ? { name: 'x' } : undefined;
      for (const id of ['lab', 'other', 'nothing']) {
        const refused = await stage.ask(method, `/v1/workspaces/${id}`, { as, body });
        expect([refused.status, refused.body.reason]).toEqual([404, 'not_found']);
      }
    },
  );

  test('a list holds the own workspace alone, and nothing for who has none', async () => {
    await using stage = await openStage();
    await makeLab(stage);
    const seen = async (claims: object) => {
      const as = await token({ ...MANAGER, ...claims });
      const { body } = await stage.ask('GET', '/v1/workspaces', { as });
      return body.data.map((one: { id: string }) => one.id);
    };
    expect(await seen({ org: 'lab' })).toEqual(['lab']);
    expect(await seen({ org: 'acme' })).toEqual(['acme']);
    expect(await seen({})).toEqual([]);
  });

  test.each([
    ['GET', '/v1/workspaces', 'workspaces:write'],
    ['GET', '/v1/workspaces/lab', 'users:read'],
    ['PATCH', '/v1/workspaces/lab', 'workspaces:read'],
  ])('%s %s is refused without its scope', async (method, path, scope) => {
    await using stage = await openStage();
    await makeLab(stage);
    const as = await token({ sub: 'ada', org: 'lab', scope });
    const body = method === 'PATCH' ? {} : undefined;
    const refused = await stage.ask(method, path, { as, body });
    expect([refused.status, refused.body.reason]).toEqual([403, 'insufficient_scope']);
  });
});

test('a stale If-Match changes and deletes nothing', async () => {
  await using stage = await openStage();
  await makeLab(stage);
  const stale = { 'if-match': '"7"' };
  for (const [method, body] of [['PATCH', { name: 'x' }], ['DELETE']] as const) {
    const refused = await stage.admin(method, '/v1/workspaces/lab', body, stale);
    expect([refused.status, refused.body.reason]).toEqual([412, 'version_mismatch']);
  }
  const fresh = await stage.admin(
    'PATCH',
    '/v1/workspaces/lab',
    { name: 'x' },
    { 'if-match': '"1"' },
  );
  expect(fresh.headers.get('etag')).toBe('"2"');
});

test('a deleted workspace takes its keys, users, teams and roles with it', async () => {
  await using stage = await openStage();
  await makeLab(stage);
  const workspace_id = 'lab';
  await stage.admin('POST', '/v1/users', { id: 'ada', workspace_id, scopes: ['reports:read'] });
  await stage.admin('POST', '/v1/teams', { id: 'crew', workspace_id, members: ['ada'] });
  await stage.admin('POST', '/v1/roles', {
    name: 'reader',
    workspace_id,
    scopes: ['reports:read'],
  });
  await stage.admin('PATCH', '/v1/workspaces/lab', { allowed_ips: null });
  const keys: string[] = [];
  for (const more of [{ kind: 'personal', owner: 'ada' }, { kind: 'team', owner: 'crew' }, {}]) {
    const body = { name: 'k', prefix: 'pr_live_', workspace_id, scopes: ['reports:read'], ...more };
    const made = await stage.admin('POST', '/v1/api-keys', body);
    expect(made.status).toBe(201);
    keys.push(made.body.key);
  }
  for (const key of keys) expect(await stage.gateOn(key)).toBe('allow');
  const bystander = await stage.admin('POST', '/v1/api-keys', {
    ...{ name: 'k', prefix: 'pr_live_', workspace_id: 'acme', scopes: ['reports:read'] },
  });
  expect((await stage.admin('DELETE', '/v1/workspaces/lab')).status).toBe(204);
  for (const key of keys) expect(await stage.gateOn(key)).toBe('key_revoked');
  expect(await stage.gateOn(bystander.body.key)).toBe('allow');
  const { body } = await stage.admin('GET', '/v1/api-keys?workspace_id=lab');
  expect(body.data.map((one: { revoked_because: string }) => one.revoked_because)).toEqual(
    Array(3).fill('workspace_gone'),
  );
  for (const kind of ['user', 'team', 'role'] as const) {
    expect((await stage.store.list(kind, {}, { limit: 10 })).items).toEqual([]);
  }
  expect((await stage.admin('DELETE', '/v1/workspaces/lab')).status).toBe(404);
  const counts = Map.groupBy(stage.events, ({ event }) => event);
  const told = ['key.revoked', 'user.deleted', 'team.deleted', 'role.deleted', 'workspace.deleted'];
  expect(told.map((event) => counts.get(event)?.length)).toEqual([3, 1, 1, 1, 1]);
  expect(JSON.stringify(stage.events)).not.toMatch(/[0-9a-f]{64}/);
});
