import { describe, expect, test } from 'vitest';
import { openStage, pointers, type Stage, token } from './stage.ts';

const AT = '2026-06-15T12:00:00.000Z';
const CREW = { id: 'crew', workspace_id: 'acme', name: 'The crew', members: ['ada', 'bo'] };

async function openCrew() {
  const stage = await openStage();
  for (const id of ['ada', 'bo', 'cy']) {
    await stage.admin('POST', '/v1/users', { id, workspace_id: 'acme' });
  }
  await stage.admin('POST', '/v1/users', { id: 'far', workspace_id: 'other' });
  expect((await stage.admin('POST', '/v1/teams', CREW)).status).toBe(201);
  return stage;
}

async function makeTeamKey(stage: Stage, owner = 'crew') {
  const { body } = await stage.admin('POST', '/v1/api-keys', {
    ...{ name: 'k', prefix: 'pr_live_', workspace_id: 'acme', kind: 'team', owner },
    scopes: ['reports:read'],
  });
  return body.key as string;
}

test('a team is made with every field, shown, changed, listed and deleted', async () => {
  await using stage = await openCrew();
  const crew = { ...CREW, created_at: AT, updated_at: AT, read_only: false };
  expect((await stage.admin('GET', '/v1/teams/crew')).body).toEqual(crew);
  stage.clock.nowMs += 1000;
  const change = { name: null, members: ['cy'] };
  const changed = await stage.admin('PATCH', '/v1/teams/crew', change);
  const after = { ...crew, ...change, updated_at: '2026-06-15T12:00:01.000Z' };
  expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"']);
  expect(changed.body).toEqual(after);
  const listed = await stage.admin('GET', '/v1/teams?workspace_id=acme');
  expect(listed.body).toEqual({ data: [after], next_cursor: null });
  expect((await stage.admin('DELETE', '/v1/teams/crew')).status).toBe(204);
  expect((await stage.admin('GET', '/v1/teams/crew')).status).toBe(404);
  const told = stage.events.slice(-2).map(({ event, before, after }) => ({ event, before, after }));
  expect(told).toEqual([
    {
      event: 'team.updated',
      before: { name: 'The crew', members: ['ada', 'bo'], updated_at: AT },
      after: { name: null, members: ['cy'], updated_at: after.updated_at },
    },
    { event: 'team.deleted', before: after, after: undefined },
  ]);
});

describe('a body of a team', () => {
  test.each([
    ['a member that is nobody', { members: ['ada', 'ghost'] }, ['/members/1']],
    ['a member of another workspace', { members: ['far'] }, ['/members/0']],
    ['a member twice', { members: ['ada', 'bo', 'ada'] }, ['/members/2']],
    ['a member that is no id', { members: ['a b'] }, ['/members/0']],
    ['an unknown field', { lead: 'ada' }, ['/lead']],
  ])('with %s is refused', async (_, body, want) => {
    await using stage = await openCrew();
    const made = await stage.admin('POST', '/v1/teams', { workspace_id: 'acme', ...body });
    expect([made.status, pointers(made)]).toEqual([422, want]);
    const changed = await stage.admin('PATCH', '/v1/teams/crew', body);
    expect([changed.status, pointers(changed)]).toEqual([422, want]);
    expect((await stage.admin('GET', '/v1/teams/crew')).body.members).toEqual(CREW.members);
  });

  test('with an id that is taken is refused', async () => {
    await using stage = await openCrew();
    const taken = await stage.admin('POST', '/v1/teams', CREW);
    expect([taken.status, taken.body.reason]).toEqual([409, 'already_exists']);
  });
});

test('a deleted team takes its keys along, and no others', async () => {
  await using stage = await openCrew();
  await stage.admin('POST', '/v1/teams', { ...CREW, id: 'crew2' });
  const key = await makeTeamKey(stage);
  const other = await makeTeamKey(stage, 'crew2');
  expect(await stage.gateOn(key)).toBe('allow');
  await stage.admin('DELETE', '/v1/teams/crew');
  expect(await stage.gateOn(key)).toBe('key_revoked');
  expect(await stage.gateOn(other)).toBe('allow');
  await stage.admin('POST', '/v1/teams', CREW);
  expect(await stage.gateOn(key)).toBe('key_revoked');
  expect(stage.events.find(({ event }) => event === 'key.revoked')?.reason).toBe('team_gone');
});

test('teams of another workspace do not exist', async () => {
  await using stage = await openCrew();
  const as = await token({ org: 'other', scope: 'users:read users:write' });
  expect((await stage.ask('GET', '/v1/teams', { as })).body.data).toEqual([]);
  for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const) {
    const refused = await stage.ask(method, '/v1/teams/crew', { as, body });
    expect([refused.status, refused.body.reason]).toEqual([404, 'not_found']);
  }
  const foreign = await stage.ask('POST', '/v1/teams', { as, body: { workspace_id: 'acme' } });
  expect([foreign.status, pointers(foreign)]).toEqual([403, ['/workspace_id']]);
  const own = await stage.ask('POST', '/v1/teams', { as, body: { id: 'crew', members: ['far'] } });
  expect([own.status, own.body.workspace_id]).toEqual([201, 'other']);
});
