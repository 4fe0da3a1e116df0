import { describe, expect, test } from 'vitest';
import { openStage, POLICY, pointers, type Stage, token } from './stage.ts';

const AT = '2026-06-15T12:00:00.000Z';
const ADA = {
  id: 'ada',
  workspace_id: 'acme',
  name: 'Ada',
  email: 'ada@example.com',
  roles: ['viewer'],
  scopes: ['billing:read'],
};

async function makeAda(stage: Stage, more: object = {}) {
  const made = await stage.admin('POST', '/v1/users', { ...ADA, ...more });
  expect(made.status).toBe(201);
  return made;
}

async function makeKey(stage: Stage, more: object = {}) {
  const made = await stage.admin('POST', '/v1/api-keys', {
    ...{ name: 'k', prefix: 'pr_live_', workspace_id: 'acme', kind: 'personal', owner: 'ada' },
    ...{ scopes: ['reports:read', 'billing:read'], ...more },
  });
  expect(made.status).toBe(201);
  return { id: made.body.id as string, raw: made.body.key as string };
}

test('a user is made with every field, shown, changed, listed and deleted', async () => {
  await using stage = await openStage();
  const made = await makeAda(stage);
  const ada = { ...ADA, status: 'active', created_at: AT, updated_at: AT, read_only: false };
  expect(made.body).toEqual(ada);
  expect(made.headers.get('etag')).toBe('"1"');
  expect(made.headers.get('location')).toBe('/v1/users/ada');
  expect((await stage.admin('GET', '/v1/users/ada')).body).toEqual(ada);
  stage.clock.nowMs += 1000;
  const change = { name: null, scopes: [] };
  const changed = await stage.admin('PATCH', '/v1/users/ada', change);
  const after = { ...ada, ...change, updated_at: '2026-06-15T12:00:01.000Z' };
  expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"']);
  expect(changed.body).toEqual(after);
  expect((await stage.admin('GET', '/v1/users')).body).toEqual({
    data: [after],
    next_cursor: null,
  });
  expect((await stage.admin('DELETE', '/v1/users/ada')).status).toBe(204);
  expect((await stage.admin('GET', '/v1/users/ada')).status).toBe(404);
  expect((await stage.admin('DELETE', '/v1/users/ada')).status).toBe(404);
});

test('a user without an id gets a KSUID, and a taken id is refused', async () => {
  await using stage = await openStage();
  const { body } = await stage.admin('POST', '/v1/users', { workspace_id: 'acme' });
  expect(body).toMatchObject({
    id: expect.stringMatching(/^[0-9A-Za-z]{27}$/),
    roles: [],
    scopes: [],
  });
  await makeAda(stage);
  const taken = await stage.admin('POST', '/v1/users', ADA);
  expect([taken.status, taken.body.reason, pointers(taken)]).toEqual([
    409,
    'already_exists',
    ['/id'],
  ]);
});

describe('a body of a user', () => {
  test.each([
    [
      'a scope that the catalogue lacks',
      { scopes: ['reports:read', 'reports:fly'] },
      ['/scopes/1'],
    ],
    ['a wildcard that reaches nothing', { scopes: ['ghosts:*'] }, ['/scopes/0']],
    ['a role that nobody has', { roles: ['viewer', 'king'] }, ['/roles/1']],
    ['a wrong scope and a wrong role', { scopes: ['x'], roles: ['y'] }, ['/roles/0', '/scopes/0']],
    ['a workspace that does not exist', { workspace_id: 'ghost' }, ['/workspace_id']],
    ['an email that is none', { email: 'ada' }, ['/email']],
    ['an unknown field', { password: 'x' }, ['/password']],
    ['wrong types', { roles: 'viewer', scopes: [1] }, ['/roles', '/scopes/0']],
    ['a status that is none', { status: 'asleep' }, ['/status']],
  ])('with %s is refused', async (_, body, want) => {
    await using stage = await openStage();
    const refused = await stage.admin('POST', '/v1/users', { id: 'bo', ...body });
    expect(refused.status).toBe(422);
    expect([...pointers(refused)].sort()).toEqual(want);
    expect((await stage.store.list('user', {}, { limit: 10 })).items).toEqual([]);
  });

  test.each([
    ['its id', { id: 'bo' }],
    ['its workspace', { workspace_id: 'other' }],
    ['when it was made', { created_at: AT }],
  ])('changes anything but %s', async (_, body) => {
    await using stage = await openStage();
    await makeAda(stage);
    expect((await stage.admin('PATCH', '/v1/users/ada', body)).status).toBe(422);
  });
});

describe('the same id in two workspaces', () => {
  test('is named by its workspace, and only where it is needed', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    expect((await stage.admin('GET', '/v1/users/ada')).body.workspace_id).toBe('acme');
    await makeAda(stage, { workspace_id: 'other', roles: [] });
    await makeAda(stage, { workspace_id: null, roles: [] });
    const vague = await stage.admin('GET', '/v1/users/ada');
    expect([vague.status, vague.body.reason]).toEqual([409, 'ambiguous_name']);
    for (const [asked, want] of [
      ['acme', 'acme'],
      ['other', 'other'],
      ['', null],
    ] as const) {
      const { body } = await stage.admin('GET', `/v1/users/ada?workspace_id=${asked}`);
      expect(body.workspace_id).toBe(want);
      const list = await stage.admin('GET', `/v1/users?workspace_id=${asked}`);
      expect(list.body.data.map((one: { workspace_id: string }) => one.workspace_id)).toEqual([
        want,
      ]);
    }
    expect((await stage.admin('GET', '/v1/users/ada?workspace_id=ghost')).status).toBe(404);
    expect((await stage.admin('DELETE', '/v1/users/ada?workspace_id=other')).status).toBe(204);
    expect((await stage.admin('GET', '/v1/users')).body.data).toHaveLength(2);
  });

  test('does not matter to those who see one workspace alone', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    await makeAda(stage, { workspace_id: 'other', roles: [], name: 'Other Ada' });
    const as = await token({ org: 'other', scope: 'users:read users:write' });
    expect((await stage.ask('GET', '/v1/users/ada', { as })).body.name).toBe('Other Ada');
    for (const [method, path] of [
      ['GET', '/v1/users/ada?workspace_id=acme'],
      ['GET', '/v1/users/ada?workspace_id='],
      ['DELETE', '/v1/users/ada?workspace_id=acme'],
    ] as const) {
      expect((await stage.ask(method, path, { as })).status).toBe(404);
    }
    const foreign = await stage.ask('GET', '/v1/users?workspace_id=acme', { as });
    expect(foreign.body).toEqual({ data: [], next_cursor: null });
    const own = await stage.ask('GET', '/v1/users', { as });
    expect(own.text).not.toContain('"acme"');
    const body = { id: 'spy', workspace_id: 'acme' };
    const refused = await stage.ask('POST', '/v1/users', { as, body });
    expect([refused.status, pointers(refused)]).toEqual([403, ['/workspace_id']]);
  });
});

test('a list comes page by page, bound to its filters', async () => {
  await using stage = await openStage();
  const ids = Array.from({ length: 7 }, (_, at) => `u${at}`);
  for (const id of ids) await stage.admin('POST', '/v1/users', { id, workspace_id: 'acme' });
  const seen: string[] = [];
  let path = '/v1/users?workspace_id=acme&limit=3';
  for (let page = 0; page < 3; page += 1) {
    const { body, headers } = await stage.admin('GET', path);
    seen.push(...body.data.map((one: { id: string }) => one.id));
    const link = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
    expect(link === undefined).toBe(body.next_cursor === null);
    const other = await stage.admin(
      'GET',
      `/v1/users?workspace_id=other&cursor=${body.next_cursor}`,
    );
    if (link) expect([other.status, other.body.reason]).toEqual([400, 'malformed_cursor']);
    path = link ?? path;
  }
  expect(seen).toEqual(ids);
});

describe('a user with personal keys', () => {
  test('that shrinks shrinks its keys at once', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    const { raw } = await makeKey(stage);
    expect(await stage.gateOn(raw, '/v1/bills/1')).toBe('allow');
    await stage.admin('PATCH', '/v1/users/ada', { scopes: [] });
    expect(await stage.gateOn(raw, '/v1/bills/1')).toBe('insufficient_scope');
    expect(await stage.gateOn(raw)).toBe('allow');
    await stage.admin('PATCH', '/v1/users/ada', { roles: [] });
    expect(await stage.gateOn(raw)).toBe('insufficient_scope');
  });

  test('that is deactivated loses them for good, in the same commit', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    const key = await makeKey(stage);
    const off = await makeKey(stage);
    await stage.admin('POST', `/v1/api-keys/${off.id}/disable`);
    const teamless = await makeKey(stage, { kind: 'service', owner: undefined });
    const changed = await stage.admin('PATCH', '/v1/users/ada', { status: 'deactivated' });
    expect([changed.status, changed.body.status]).toEqual([200, 'deactivated']);
    expect(await stage.gateOn(key.raw)).toBe('owner_deactivated');
    for (const { id } of [key, off]) {
      const { body } = await stage.admin('GET', `/v1/api-keys/${id}`);
      expect([body.status, body.revoked_because]).toEqual(['revoked', 'owner_gone']);
    }
    expect(await stage.gateOn(teamless.raw)).toBe('allow');
    const told = stage.events.filter(({ event }) => event === 'key.revoked');
    expect(told.map(({ reason, object }) => [reason, object?.id]).sort()).toEqual(
      [key, off].map(({ id }) => ['owner_gone', id]).sort(),
    );
    await stage.admin('PATCH', '/v1/users/ada', { status: 'active' });
    expect(await stage.gateOn(key.raw)).not.toBe('allow');
    const enabled = await stage.admin('POST', `/v1/api-keys/${off.id}/enable`);
    expect([enabled.status, enabled.body.reason]).toEqual([409, 'key_revoked']);
  });

  test('of another workspace or name keeps its own', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    await makeAda(stage, { workspace_id: 'other' });
    await makeAda(stage, { id: 'ad' });
    const other = await makeKey(stage, { workspace_id: 'other' });
    const namesake = await makeKey(stage, { owner: 'ad' });
    await stage.admin('DELETE', '/v1/users/ada?workspace_id=acme');
    expect(await stage.gateOn(other.raw)).toBe('allow');
    expect(await stage.gateOn(namesake.raw)).toBe('allow');
  });

  test('that is deleted takes them along, and leaves its teams', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    await makeAda(stage, { id: 'bo' });
    await stage.admin('POST', '/v1/teams', {
      id: 'crew',
      workspace_id: 'acme',
      members: ['ada', 'bo'],
    });
    const key = await makeKey(stage);
    expect((await stage.admin('DELETE', '/v1/users/ada')).status).toBe(204);
    expect(await stage.gateOn(key.raw)).toBe('key_revoked');
    expect((await stage.admin('GET', '/v1/teams/crew')).body.members).toEqual(['bo']);
    await makeAda(stage);
    expect(await stage.gateOn(key.raw)).toBe('key_revoked');
  });

  test('with more keys than one commit takes loses all of them', async () => {
    await using stage = await openStage();
    await makeAda(stage);
    const { id } = await makeKey(stage);
    const first = (await stage.store.getKey(id))?.record;
    if (!first) throw new Error('the key is gone');
    for (let batch = 0; batch < 3; batch += 1) {
      const writes = Array.from({ length: 200 }, (_, at) => {
        const name = `many-${batch}-${at}`;
        return { kind: 'key', put: { ...first, id: name, secrets: [] }, expected: 0 } as const;
      });
      expect(await stage.store.commit({ writes, events: [] })).toBeUndefined();
    }
    await stage.admin('PATCH', '/v1/users/ada', { status: 'deactivated' });
    const left = await stage.store.listKeys(
      { workspace: 'acme', status: 'active', nowMs: stage.clock.nowMs },
      { limit: 10 },
    );
    expect(left.items).toEqual([]);
    expect(stage.events.filter(({ event }) => event === 'key.revoked')).toHaveLength(601);
  });

  test('that the policy declares is deactivated, and never deleted', async () => {
    const personal = `{ id: hers, hash: "sha256:${'a'.repeat(64)}", kind: personal, owner: ada, workspace: acme }`;
    const declared = POLICY.replace('declared:\n', `declared:\n    - ${personal}\n`);
    expect(declared).toContain(personal);
    await using stage = await openStage(declared);
    await makeAda(stage);
    const refused = await stage.admin('DELETE', '/v1/users/ada');
    expect([refused.status, refused.body.reason]).toEqual([409, 'conflict']);
    expect((await stage.admin('GET', '/v1/users/ada')).body.status).toBe('active');
  });
});

test('events tell what changed, without anything that is not theirs', async () => {
  await using stage = await openStage();
  await makeAda(stage);
  await stage.admin('PATCH', '/v1/users/ada', { roles: ['editor'], name: 'Ada' });
  await stage.admin('DELETE', '/v1/users/ada');
  expect(stage.events.map(({ event, before, after }) => ({ event, before, after }))).toEqual([
    { event: 'user.created', before: undefined, after: expect.objectContaining(ADA) },
    { event: 'user.updated', before: { roles: ['viewer'] }, after: { roles: ['editor'] } },
    { event: 'user.updated', before: { status: 'active' }, after: { status: 'deactivated' } },
    { event: 'user.deleted', before: expect.objectContaining({ name: 'Ada' }), after: undefined },
  ]);
});

test('of two changes under the same If-Match one is refused', async () => {
  await using stage = await openStage();
  await makeAda(stage);
  const ifMatch = { 'if-match': '"1"' };
  const both = await Promise.all(
    ['A', 'B'].map((name) => stage.admin('PATCH', '/v1/users/ada', { name }, ifMatch)),
  );
  expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
});

test('changes at the same time without If-Match all count', async () => {
  await using stage = await openStage();
  await makeAda(stage);
  const changes = [{ name: 'A' }, { email: 'a@example.com' }, { roles: [] }, { scopes: [] }];
  const all = await Promise.all(changes.map((one) => stage.admin('PATCH', '/v1/users/ada', one)));
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const { body } = await stage.admin('GET', '/v1/users/ada');
  expect(body).toMatchObject(Object.assign({}, ...changes));
});

test('a user that is made twice under one Idempotency-Key is made once', async () => {
  await using stage = await openStage();
  const key = { 'idempotency-key': 'once' };
  const one = await stage.admin('POST', '/v1/users', { name: 'A' }, key);
  const two = await stage.admin('POST', '/v1/users', { name: 'A' }, key);
  expect([two.status, two.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
  expect(two.body).toEqual(one.body);
  expect((await stage.admin('GET', '/v1/users')).body.data).toHaveLength(1);
});
