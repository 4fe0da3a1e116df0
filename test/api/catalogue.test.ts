import { describe, expect, test } from 'vitest';
import { openStage, POLICY, token } from './stage.ts';

const BLOCKS = `
blocks:
  - { ip: 192.0.2.7, note: abuse }
  - { workspace: acme, until: "2030-01-31T00:00:00Z" }
  - { key: k1 }
`;

type Named = { readonly name: string; readonly held: boolean };

describe('GET /v1/scopes', () => {
  test('names the catalogue with its descriptions, then what is of Postern itself', async () => {
    await using stage = await openStage();
    const { body } = await stage.admin('GET', '/v1/scopes');
    expect(body.data[0]).toEqual({
      ...{ name: 'reports:read', description: 'Read reports', held: true, read_only: true },
    });
    expect(body.data.map(({ name }: Named) => name)).toEqual([
      ...['reports:read', 'reports:write', 'billing:read'],
      ...['api_keys:read', 'api_keys:write', 'workspaces:read', 'workspaces:write'],
      ...['users:read', 'users:write', 'audit:read'],
    ]);
    expect(body.data.every(({ held }: Named) => held)).toBe(true);
  });

  test.each([
    ['a scope', 'billing:read', ['billing:read']],
    ['a wildcard', '*', ['reports:read', 'reports:write', 'billing:read']],
    ['nothing', '', []],
    ["one of Postern's own", 'users:read', ['users:read']],
  ])('says what somebody with %s holds', async (_, scope, want) => {
    await using stage = await openStage();
    const as = await token({ org: 'acme', scope });
    const { body } = await stage.ask('GET', '/v1/scopes', { as });
    const held = body.data.filter((one: Named) => one.held).map(({ name }: Named) => name);
    expect(held).toEqual(want);
  });

  test('needs a credential, of whatever scope', async () => {
    await using stage = await openStage();
    const refused = await stage.ask('GET', '/v1/scopes');
    expect([refused.status, refused.body.reason]).toEqual([401, 'missing_credential']);
    expect(refused.headers.get('www-authenticate')).toContain('Bearer');
  });

  test('comes page by page', async () => {
    await using stage = await openStage();
    const seen: string[] = [];
    let path: string | undefined = '/v1/scopes?limit=4';
    for (let page = 0; page < 9 && path !== undefined; page += 1) {
      const { body, headers } = await stage.admin('GET', path);
      seen.push(...body.data.map(({ name }: Named) => name));
      path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
    }
    expect(seen).toHaveLength(10);
    expect(new Set(seen).size).toBe(10);
  });
});

test('GET /v1/plans shows the figures of each plan for each kind of credential', async () => {
  const text = POLICY.replace('pro: {', 'pro: { by: username, jwt: { per_minute: 5 },');
  await using stage = await openStage(text);
  const { body } = await stage.ask('GET', '/v1/plans', { as: await token({}) });
  const free = { per_minute: 60 };
  const pro = { per_minute: 600, burst: 20 };
  expect(body.data).toEqual([
    {
      ...{ name: 'free', by: null, is_default: true, read_only: true },
      ...{ api_key: free, jwt: free, anonymous: free },
    },
    {
      ...{ name: 'pro', by: 'username', is_default: false, read_only: true },
      ...{ api_key: pro, jwt: { per_minute: 5, burst: 20 }, anonymous: pro },
    },
  ]);
});

describe('blocks', () => {
  const none = { ip: null, key: null, username: null, workspace: null, client: null };
  const open = { ...none, until: null, note: null, read_only: true };
  const ofAcme = { ...open, id: 'block-2', workspace: 'acme', until: '2030-01-31T00:00:00Z' };

  test('are all shown to the admin', async () => {
    await using stage = await openStage(POLICY + BLOCKS);
    expect((await stage.admin('GET', '/v1/blocks')).body.data).toEqual([
      { ...open, id: 'block-1', ip: '192.0.2.7', note: 'abuse' },
      ofAcme,
      { ...open, id: 'block-3', key: 'k1' },
    ]);
    expect((await stage.admin('GET', '/v1/blocks/block-2')).body).toEqual(ofAcme);
  });

  test.each([
    ['of a workspace, those that name it', { org: 'lab' }, ['block-1']],
    ['without a workspace, none', {}, []],
  ])('are shown to somebody %s', async (_, claims, want) => {
    const over = '{ workspace: lab, until: "2020-01-01T00:00:00Z" }';
    await using stage = await openStage(
      `${POLICY}blocks: [${over}, { ip: 192.0.2.7 }, { key: k1 }]`,
    );
    const as = await token({ ...claims, scope: 'api_keys:read api_keys:write' });
    const { body } = await stage.ask('GET', '/v1/blocks', { as });
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(want);
    expect((await stage.ask('GET', '/v1/blocks/block-2', { as })).status).toBe(404);
    expect((await stage.ask('DELETE', '/v1/blocks/block-2', { as })).status).toBe(404);
  });

  test.each(['PATCH', 'DELETE'])('are not changed by %s', async (method) => {
    await using stage = await openStage(POLICY + BLOCKS);
    const refused = await stage.admin(method, '/v1/blocks/block-1');
    expect([refused.status, refused.body.reason]).toEqual([409, 'read_only']);
    expect((await stage.admin(method, '/v1/blocks/block-9')).status).toBe(404);
    const as = await token({ org: 'lab', scope: 'api_keys:read' });
    expect((await stage.ask(method, '/v1/blocks/block-1', { as })).body.reason).toBe(
      'insufficient_scope',
    );
  });
});
