import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Castle, type Hit, openCastle } from './attack-castle.ts';
import { keyOf } from './attack-town.ts';

const KEYS = '/v1/api-keys';
const live = { name: 'x', prefix: 'pst_live_', scopes: ['reports:read'] };

let castle: Castle;

beforeAll(async () => {
  castle = await openCastle();
  await castle.make('POST', '/v1/workspaces', { id: 'acme' });
});
afterAll(() => castle?.stop());

const statuses = (hits: readonly Hit[]) => hits.map(({ status }) => status).sort((a, b) => a - b);

function times<T>(count: number, one: (at: number) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(Array.from({ length: count }, (_, at) => one(at)));
}

/** What the gate's judgement of a key is now: `valid`, or the reason. */
async function stateOf(key: unknown): Promise<unknown> {
  const { body } = await castle.ask('GET', '/v1/auth/verify', undefined, { token: String(key) });
  return body['valid'] === true ? 'valid' : body['reason'];
}

/** No refusal of a race is more than a conflict. */
function expectCalm(hits: readonly Hit[]) {
  expect(hits.filter(({ status }) => status >= 500).map(({ text }) => text)).toEqual([]);
}

describe('two at the same time', () => {
  test.for([
    ['users', { id: 'twin', workspace_id: 'acme' }],
    ['teams', { id: 'twin', workspace_id: 'acme' }],
    ['roles', { name: 'twin', workspace_id: 'acme' }],
    ['workspaces', { id: 'twin' }],
    ['workspaces', { slug: 'one-slug' }],
  ] as const)('make one of %s %o', async ([list, body]) => {
    const hits = await times(8, () => castle.ask('POST', `/v1/${list}`, body));
    expect(statuses(hits)).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
  });

  test('a slug and an id of one name are never two workspaces', async () => {
    const hits = await times(8, (at) =>
      castle.ask('POST', '/v1/workspaces', at % 2 === 0 ? { id: 'both' } : { slug: 'both' }),
    );
    expect(statuses(hits).filter((status) => status === 201)).toHaveLength(1);
  });

  test('one imported hash is one key', async () => {
    const body = { name: 'x', prefix: 'old_', hash: `sha256:${'12'.repeat(32)}` };
    const hits = await times(8, () => castle.ask('POST', `${KEYS}/import`, body));
    expect(statuses(hits)).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
  });

  test('one Idempotency-Key makes one key, and who asks again gets its raw text', async () => {
    const headers = { 'idempotency-key': 'race' };
    const racing = await times(12, () => castle.ask('POST', KEYS, live, { headers }));
    const hits = [...racing, await castle.ask('POST', KEYS, live, { headers })];
    const made = hits.filter(({ status }) => status === 201);
    expect(hits.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(new Set(made.map(({ body }) => body['key'])).size).toBe(1);
    expect(hits.at(-1)?.status).toBe(201);
    expect(await stateOf(made[0]?.body['key'])).toBe('valid');
  });

  test('one Idempotency-Key with two bodies is never answered with the other one', async () => {
    const headers = { 'idempotency-key': 'two-bodies' };
    const hits = await times(10, (at) =>
      castle.ask('POST', KEYS, { ...live, name: at % 2 === 0 ? 'even' : 'odd' }, { headers }),
    );
    const names = hits.flatMap(({ status, body }, at) =>
      status === 201 ? [[body['name'], at % 2 === 0 ? 'even' : 'odd']] : [],
    );
    expect(names.length).toBeGreaterThan(0);
    for (const [made, asked] of names) expect(made).toBe(asked);
  });

  test.for([0, 3600])(
    'rotations with %i s of grace leave at most two secrets',
    async (grace_seconds) => {
      const { id, key } = await keyOf(castle, { workspace_id: 'acme' });
      const hits = await times(6, () =>
        castle.ask('POST', `${KEYS}/${id}/rotate`, { grace_seconds }),
      );
      expectCalm(hits);
      const raws = [
        key,
        ...hits.flatMap(({ body }) => (body['key'] === undefined ? [] : [body['key']])),
      ];
      const states = await Promise.all(raws.map(stateOf));
      const valid = states.filter((state) => state === 'valid').length;
      expect([valid >= 1, valid <= (grace_seconds === 0 ? 1 : 2)]).toEqual([true, true]);
    },
  );

  test('one If-Match is one change', async () => {
    const { id } = await keyOf(castle, { workspace_id: 'acme' });
    const headers = { 'if-match': '"1"' };
    const hits = await times(8, (at) =>
      castle.ask('PATCH', `${KEYS}/${id}`, { name: `n${at}` }, { headers }),
    );
    expect(statuses(hits)).toEqual([200, ...Array.from({ length: 7 }, () => 412)]);
  });

  test('a revoked key never comes back, whatever was under way', async () => {
    await times(6, async () => {
      const { id, key } = await keyOf(castle, { workspace_id: 'acme' });
      const path = `${KEYS}/${id}`;
      const hits = await Promise.all([
        castle.ask('PATCH', path, { name: 'y' }),
        castle.ask('POST', `${path}/disable`),
        castle.ask('POST', `${path}/rotate`, { grace_seconds: 60 }),
        castle.ask('DELETE', path),
        castle.ask('POST', `${path}/enable`),
        castle.ask('PATCH', path, { expires_at: '2099-01-01T00:00:00Z' }),
        castle.ask('POST', `${path}/rotate`, { grace_seconds: 60 }),
      ]);
      expectCalm(hits);
      const late = await Promise.all([
        castle.ask('POST', `${path}/enable`),
        castle.ask('POST', `${path}/rotate`, {}),
        castle.ask('PATCH', path, { name: 'z' }),
      ]);
      expect(statuses(late)).toEqual([409, 409, 409]);
      const raws = [
        key,
        ...[...hits, ...late].flatMap(({ body }) =>
          body['key'] === undefined ? [] : [body['key']],
        ),
      ];
      expect(new Set(await Promise.all(raws.map(stateOf)))).not.toContain('valid');
      expect((await castle.ask('GET', path)).body['status']).toBe('revoked');
    });
  });
});

describe('an owner goes while keys are made', () => {
  test.for([
    [
      'is deactivated',
      (id: string) => castle.ask('PATCH', `/v1/users/${id}`, { status: 'deactivated' }),
    ],
    ['is deleted', (id: string) => castle.ask('DELETE', `/v1/users/${id}`)],
  ] as const)('a user %s: no personal key works ever again', async ([how, end]) => {
    for (const round of [0, 1, 2, 3]) {
      const id = `user-${how.slice(3)}-${round}`;
      const user = { id, workspace_id: 'acme', scopes: ['reports:read'] };
      await castle.make('POST', '/v1/users', user);
      const personal = { ...live, workspace_id: 'acme', kind: 'personal', owner: id };
      const first = await castle.ask('POST', KEYS, personal);
      const creations = times(10, () => castle.ask('POST', KEYS, personal));
      const rotation = castle.ask('POST', `${KEYS}/${first.body['id']}/rotate`, {
        grace_seconds: 60,
      });
      const ended = await end(id);
      const hits = [first, ...(await creations), await rotation];
      expect(ended.status).toBeLessThan(300);
      expectCalm(hits);
      const again = await castle.ask('PATCH', `/v1/users/${id}`, { status: 'active' });
      if (again.status === 404) await castle.make('POST', '/v1/users', user);
      const raws = hits.flatMap(({ body }) => (body['key'] === undefined ? [] : [body['key']]));
      const states = await Promise.all(raws.map(stateOf));
      expect(raws.length).toBeGreaterThan(0);
      expect(states.filter((state) => state === 'valid')).toEqual([]);
    }
  });

  test.for([
    [
      'team',
      async () => {
        await castle.make('POST', '/v1/teams', { id: 'brief', workspace_id: 'acme' });
        return {
          body: { ...live, workspace_id: 'acme', kind: 'team', owner: 'brief' },
          path: '/v1/teams/brief',
        };
      },
    ],
    [
      'workspace',
      async () => {
        await castle.make('POST', '/v1/workspaces', { id: 'brief' });
        return { body: { ...live, workspace_id: 'brief' }, path: '/v1/workspaces/brief' };
      },
    ],
  ] as const)(
    'a %s is deleted: none of its keys works, also when it is made again',
    async ([, make]) => {
      for (let round = 0; round < 3; round += 1) {
        const { body, path } = await make();
        const first = await castle.ask('POST', KEYS, body);
        const creations = times(10, () => castle.ask('POST', KEYS, body));
        const people = times(3, (at) =>
          castle.ask('POST', '/v1/users', { id: `late-${at}`, workspace_id: body.workspace_id }),
        );
        const ended = await castle.ask('DELETE', path);
        const hits = [first, ...(await creations)];
        await people;
        expect(ended.status).toBe(204);
        expectCalm(hits);
        await make();
        const raws = hits.flatMap((hit) =>
          hit.body['key'] === undefined ? [] : [hit.body['key']],
        );
        const states = await Promise.all(raws.map(stateOf));
        expect(states.filter((state) => state === 'valid')).toEqual([]);
        await castle.make('DELETE', path);
      }
      const left = await castle.ask('GET', '/v1/users?workspace_id=brief');
      expect(left.body['data']).toEqual([]);
    },
  );
});

test('a change of rights made before an answer holds for every answer after it', async () => {
  await castle.make('POST', '/v1/users', { id: 'eve', workspace_id: 'acme', scopes: ['*'] });
  const personal = { workspace_id: 'acme', kind: 'personal', owner: 'eve', scopes: ['*'] };
  const { key } = await keyOf(castle, personal);
  const minted = times(10, () =>
    castle.ask('POST', KEYS, { ...live, scopes: ['reports:delete'] }, { token: key }),
  );
  await castle.make('PATCH', '/v1/users/eve', { scopes: [] });
  const late = await castle.ask(
    'POST',
    KEYS,
    { ...live, scopes: ['reports:delete'] },
    { token: key },
  );
  expect(late.status).toBe(403);
  expectCalm(await minted);
});
