import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ApiAnswer, ApiClient } from '../envoy-harness/api.ts';
import type { Postern } from '../envoy-harness/postern.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import { apiOf, itemsOf, POLICY, startManagedPostern, textOf } from './manage.ts';

const AT_ONCE = 24;

let postern: Postern;
let api: ApiClient;
let client: CheckClient;
let turns = 0;
let workspace_id: string;

beforeAll(async () => {
  postern = await startManagedPostern(POLICY);
  api = apiOf(postern);
  client = openCheckClient(postern.checkAddress);
});
afterAll(async () => {
  client?.close();
  await postern?.kill();
});

beforeEach(async () => {
  turns += 1;
  workspace_id = `w${turns}`;
  await post('/v1/workspaces', { id: workspace_id });
  await post('/v1/users', { id: 'ada', workspace_id, roles: ['writer'] });
  await post('/v1/teams', { id: 'crew', workspace_id, members: ['ada'] });
});

function post(path: string, body?: object): Promise<ApiAnswer> {
  return api.ask(path, { method: 'POST', ...(body && { body }) });
}

function create(draft: object): Promise<ApiAnswer> {
  const common = { name: 'a key', workspace_id, environment: 'live', scopes: ['reports:read'] };
  return post('/v1/api-keys', { ...common, ...draft });
}

async function outcome(raw: string): Promise<string> {
  const { allowed, reason } = await client.check({
    path: '/v1/reports/7',
    headers: [
      ['x-api-key', raw],
      ['x-forwarded-for', '192.0.2.10, 127.0.0.1'],
    ],
  });
  return allowed ? 'allow' : String(reason);
}

/** So many requests at once, one other among them; the answers of the many, and that of the one. */
async function among(
  many: () => Promise<ApiAnswer>,
  one: () => Promise<ApiAnswer>,
): Promise<{ readonly answers: readonly ApiAnswer[]; readonly lone: ApiAnswer }> {
  const before = Array.from({ length: AT_ONCE / 2 }, many);
  // Some are done, the others on their way.
  await Promise.race(before);
  const lone = one();
  const after = Array.from({ length: AT_ONCE / 2 }, many);
  return { answers: await Promise.all([...before, ...after]), lone: await lone };
}

/** The raw keys that answers hold. */
function rawsOf(answers: readonly ApiAnswer[]): readonly string[] {
  return answers.flatMap(({ body }) => (typeof body['key'] === 'string' ? [body['key']] : []));
}

/** What became of each, without repetition. */
async function outcomesOf(raws: readonly string[]): Promise<readonly string[]> {
  return [...new Set(await Promise.all(raws.map(outcome)))].sort();
}

describe('changes at the same time', () => {
  let id: string;
  let raw: string;

  beforeEach(async () => {
    const { body } = await create({});
    id = textOf(body, 'id');
    raw = textOf(body, 'key');
  });

  test.each([
    ['rotations', 'POST', '/rotate', { grace_seconds: 60 }],
    ['enablings', 'POST', '/enable', undefined],
    ['updates', 'PATCH', '', { metadata: { a: 1 } }],
  ] as const)(
    'a revocation among %s is the end of all of its secrets',
    async (_name, method, verb, body) => {
      if (verb === '/enable') await post(`/v1/api-keys/${id}/disable`);
      const path = `/v1/api-keys/${id}`;
      const { answers, lone } = await among(
        () => api.ask(`${path}${verb}`, { method, ...(body && { body }) }),
        () => api.ask(path, { method: 'DELETE' }),
      );
      expect(lone.status).toBe(204);
      const statuses = new Set(answers.map(({ status }) => status));
      expect([200, 409]).toEqual(expect.arrayContaining([...statuses]));
      const outcomes = await outcomesOf([raw, ...rawsOf(answers)]);
      expect(['key_revoked', 'unknown_key']).toEqual(expect.arrayContaining([...outcomes]));
      expect((await api.ask(path)).body).toMatchObject({ status: 'revoked' });
    },
  );

  test('of all rotations at once two secrets are left', async () => {
    const rotate = () => post(`/v1/api-keys/${id}/rotate`, { grace_seconds: 60 });
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, rotate));
    const raws = rawsOf(answers);
    expect(raws.length).toBeGreaterThan(1);
    expect(new Set(raws).size).toBe(raws.length);
    const outcomes = await Promise.all([raw, ...raws].map(outcome));
    expect(outcomes.filter((one) => one === 'allow')).toHaveLength(2);
    expect(new Set(outcomes)).toEqual(new Set(['allow', 'unknown_key']));
  });

  test('of changes to one version one is made', async () => {
    const path = `/v1/api-keys/${id}`;
    const etag = (await api.ask(path)).headers.get('etag') ?? '';
    const headers = { 'if-match': etag };
    const change = (_: unknown, at: number) =>
      api.ask(path, { method: 'PATCH', headers, body: { name: `name ${at}` } });
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, change));
    const made = answers.filter(({ status }) => status === 200);
    expect(made).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(AT_ONCE - 1);
    expect((await api.ask(path)).body['name']).toBe(made[0]?.body['name']);
  });
});

describe('keys that are made while their owner goes', () => {
  const patchUser = (status: string) =>
    api.ask(`/v1/users/ada?workspace_id=${workspace_id}`, { method: 'PATCH', body: { status } });

  test('a user who is deactivated leaves none, also not when reactivated', async () => {
    const { answers, lone } = await among(
      () => create({ kind: 'personal', owner: 'ada' }),
      () => patchUser('deactivated'),
    );
    expect(lone.status).toBe(200);
    const raws = rawsOf(answers);
    expect(raws.length).toBeGreaterThan(0);
    expect(await outcomesOf(raws)).toEqual(['owner_deactivated']);
    expect((await patchUser('active')).status).toBe(200);
    expect(await outcomesOf(raws)).toEqual(['key_revoked']);
  });

  test.each([
    [
      'user',
      { kind: 'personal', owner: 'ada' },
      () => `/v1/users/ada?workspace_id=${workspace_id}`,
    ],
    ['team', { kind: 'team', owner: 'crew' }, () => `/v1/teams/crew?workspace_id=${workspace_id}`],
    ['workspace', {}, () => `/v1/workspaces/${workspace_id}`],
  ])('a %s that is deleted leaves none', async (_name, draft, path) => {
    const { answers, lone } = await among(
      () => create(draft),
      () => api.ask(path(), { method: 'DELETE' }),
    );
    expect(lone.status).toBe(204);
    const raws = rawsOf(answers);
    expect(raws.length).toBeGreaterThan(0);
    expect(await outcomesOf(raws)).toEqual(['key_revoked']);
    const active = await api.make(`/v1/api-keys?workspace_id=${workspace_id}&status=active`);
    expect(itemsOf(active)).toEqual([]);
  });
});
