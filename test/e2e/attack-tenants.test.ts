import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Castle, type Hit, openCastle } from './attack-castle.ts';
import { type Held, keyOf, settle, type Town, tokenOf } from './attack-town.ts';

const KEYS = '/v1/api-keys';
const ABSENT = '3MPJtZhK2hPQLagzYmZREVparqg';
const live = { name: 'x', prefix: 'pst_live_' };

let castle: Castle;
let town: Town;
let zeta: Held;
/** Who may do everything, in acme. */
let token: string;

beforeAll(async () => {
  castle = await openCastle();
  town = await settle(castle);
  token = town.strong.key;
  const workspace_id = 'zeta';
  zeta = await keyOf(castle, { workspace_id, scopes: ['*'], metadata: { secret: 'of zeta' } });
  await castle.make('POST', '/v1/users', { id: 'zoe', workspace_id });
  await castle.make('POST', '/v1/teams', { id: 'zoo', workspace_id, members: ['zoe'] });
  await castle.make('POST', '/v1/roles', { name: 'zap', workspace_id });
});
afterAll(() => castle?.stop());

/** What an answer says, but for the words that name the request. */
function said({ status, headers, text }: Hit): readonly unknown[] {
  const told = text.replace(/"request_id":"[^"]*"/, '');
  const { date: _, 'x-request-id': __, ...rest } = headers;
  return [status, rest, told];
}

type Probe = readonly [
  method: string,
  path: (id: string) => string,
  body?: object | undefined,
  headers?: object,
];

const key =
  (tail = '') =>
  (id: string) =>
    `${KEYS}/${id}${tail}`;
const PROBES: readonly Probe[] = [
  ['GET', key()],
  ['HEAD', key()],
  ['PATCH', key(), { name: 'mine' }],
  ['PATCH', key(), { nonsense: 1 }],
  ['PATCH', key(), { scopes: ['no:such'] }],
  ['PATCH', key(), { name: 'mine' }, { 'if-match': '"1"' }],
  ['PATCH', key(), { name: 'mine' }, { 'if-match': '"99"' }],
  ['PATCH', key(), { name: 'mine' }, { 'if-match': '*' }],
  ['DELETE', key()],
  ['DELETE', key(), undefined, { 'if-match': '"99"' }],
  ['POST', key('/rotate'), {}],
  ['POST', key('/rotate'), {}, { 'idempotency-key': 'probe' }],
  ['POST', key('/rotate'), { grace_seconds: -1 }],
  ['POST', key('/disable')],
  ['POST', key('/enable')],
  ['GET', key('/usage')],
  ['POST', () => KEYS],
];

describe('what another workspace has does not exist', () => {
  test.for(PROBES)('%s %s %o %o', async ([method, path, body, headers]) => {
    const ask = (id: string) =>
      castle.ask(method, path(id), body, { token, ...(headers && { headers: { ...headers } }) });
    const [there, declared, nowhere] = [
      await ask(zeta.id),
      await ask('declared-key'),
      await ask(ABSENT),
    ];
    expect(said(there)).toEqual(said(nowhere));
    expect(said(declared)).toEqual(said(nowhere));
    expect(there.status).toBeGreaterThanOrEqual(400);
  });

  const members = [
    ['users', 'zoe', 'nobody'],
    ['teams', 'zoo', 'nothing'],
    ['roles', 'zap', 'nothing'],
    ['workspaces', 'zeta', 'nowhere'],
    ['workspaces', 'walled', 'nowhere'],
  ] as const;
  test.for(members)('%s: %s is as little there as %s', async ([list, there, nowhere]) => {
    const clerk = await keyOf(castle, {
      workspace_id: 'acme',
      scopes: ['users:read', 'users:write', 'workspaces:read', 'workspaces:write'],
    });
    for (const [method, body] of [
      ['GET'],
      ['PATCH', {}],
      ['PATCH', { name: 'x' }],
      ['PATCH', { nonsense: 1 }],
      ['DELETE'],
    ] as const) {
      for (const query of list === 'workspaces'
        ? ['']
        : ['', '?workspace_id=zeta', '?workspace_id=none', '?workspace_id=']) {
        const ask = (id: string) =>
          castle.ask(method, `/v1/${list}/${id}${query}`, body, { token: clerk.key });
        expect(said(await ask(there)), `${method} ${query}`).toEqual(said(await ask(nowhere)));
      }
    }
  });

  test.for([
    [
      'a workspace of its own',
      KEYS,
      (one: boolean) => ({ ...live, workspace_id: one ? 'zeta' : 'none' }),
    ],
    [
      'an owner',
      KEYS,
      (one: boolean) => ({ ...live, kind: 'personal', owner: one ? 'zoe' : 'nobody' }),
    ],
    ['a team', KEYS, (one: boolean) => ({ ...live, kind: 'team', owner: one ? 'zoo' : 'nothing' })],
    ['a role', KEYS, (one: boolean) => ({ ...live, roles: [one ? 'zap' : 'nothing'] })],
    [
      'a member',
      '/v1/teams',
      (one: boolean) => ({ id: 'probe', members: [one ? 'zoe' : 'nobody'] }),
    ],
    [
      'a user there',
      '/v1/users',
      (one: boolean) => ({ id: 'p', workspace_id: one ? 'zeta' : 'none' }),
    ],
    [
      'a role there',
      '/v1/roles',
      (one: boolean) => ({ name: 'p', workspace_id: one ? 'zeta' : 'none' }),
    ],
    [
      'a role of a user',
      '/v1/users',
      (one: boolean) => ({ id: 'p', roles: [one ? 'zap' : 'nothing'] }),
    ],
    [
      'a parent',
      '/v1/roles',
      (one: boolean) => ({ name: 'p', inherits: [one ? 'zap' : 'nothing'] }),
    ],
    ['the id of a workspace', '/v1/workspaces', (one: boolean) => ({ id: one ? 'zeta' : 'none' })],
    [
      'the slug of a workspace',
      '/v1/workspaces',
      (one: boolean) => ({ slug: one ? 'zz' : 'none' }),
    ],
  ] as const)('%s cannot be probed for at %s', async ([, path, body]) => {
    const [there, nowhere] = [
      await castle.ask('POST', path, body(true), { token }),
      await castle.ask('POST', path, body(false), { token }),
    ];
    expect(said(there)).toEqual(said(nowhere));
    expect(there.status).toBeGreaterThanOrEqual(400);
  });

  test('the same id may stand in two workspaces, and each sees its own', async () => {
    await castle.make('POST', '/v1/users', { id: 'zoe', name: 'our own' }, token);
    const { body } = await castle.ask('GET', '/v1/users/zoe', undefined, { token });
    expect([body['name'], body['workspace_id']]).toEqual(['our own', 'acme']);
    const whose = await castle.ask('GET', '/v1/users/zoe?workspace_id=zeta');
    expect(whose.body['name']).toBeNull();
  });
});

describe('lists', () => {
  const LISTS = ['api-keys', 'users', 'teams', 'roles', 'workspaces'];
  const holders: readonly (readonly [string, () => string | Promise<string>, RegExp])[] = [
    ['acme', () => token, /zeta|zoe|zoo|zap|walled|declared-key|homeless/],
    ['no workspace', () => town.homeless.key, /zeta|acme|zoe|zoo|zap|walled|declared-key|boss/],
    [
      'a token of an empty workspace',
      () => tokenOf({ sub: 'x', org: '', scope: '*' }),
      /zeta|acme|zoe|walled/,
    ],
    [
      'a token of a workspace nobody has',
      () => tokenOf({ sub: 'x', org: 'no/such', scope: '*' }),
      /zeta|acme|zoe|walled|null,"name":"key"/,
    ],
  ];
  test.for(holders)('of %s show nothing of others', async ([, holder, foreign]) => {
    const held = await holder();
    for (const list of LISTS) {
      for (const query of [
        '',
        '?workspace_id=zeta',
        '?workspace_id=acme',
        '?workspace_id=walled',
        '?workspace_id=',
      ]) {
        const { text, status } = await castle.ask('GET', `/v1/${list}${query}`, undefined, {
          token: held,
        });
        if (status !== 200) continue;
        const ours = query === '?workspace_id=acme' ? text.replace('zoe', '') : text;
        expect(
          ours.replaceAll('"id":"zoe","workspace_id":"acme"', ''),
          `${list}${query}`,
        ).not.toMatch(foreign);
      }
    }
  });

  test('a cursor of one workspace serves no other', async () => {
    const { body } = await castle.ask('GET', `${KEYS}?limit=1`, undefined, { token });
    const path = `${KEYS}?limit=1&cursor=${body['next_cursor']}`;
    expect((await castle.ask('GET', path, undefined, { token })).status).toBe(200);
    for (const other of [zeta.key, town.homeless.key]) {
      expect((await castle.ask('GET', path, undefined, { token: other })).status).toBe(400);
    }
  });

  test('a cursor that was changed to begin elsewhere shows only what is ours', async () => {
    const { body } = await castle.ask('GET', `${KEYS}?limit=1`, undefined, { token });
    const place = JSON.parse(Buffer.from(String(body['next_cursor']), 'base64url').toString());
    for (const after of [zeta.id, town.homeless.id, 'zzzz', '0']) {
      const cursor = Buffer.from(JSON.stringify({ ...place, after })).toString('base64url');
      const { text } = await castle.ask('GET', `${KEYS}?limit=1&cursor=${cursor}`, undefined, {
        token,
      });
      expect(text).not.toContain('"workspace_id":"zeta"');
      expect(text).not.toContain('"workspace_id":null');
    }
  });
});

describe('the same Idempotency-Key', () => {
  const headers = { 'idempotency-key': 'order-66' };
  const body = { ...live, scopes: ['reports:read'] };

  test('of another caller is another request', async () => {
    const first = await castle.ask('POST', KEYS, body, { token: town.weak.key, headers });
    const again = await castle.ask('POST', KEYS, body, { token: town.weak.key, headers });
    expect([first.status, again.body['key']]).toEqual([201, first.body['key']]);
    for (const other of [town.strong.key, zeta.key, town.homeless.key]) {
      const { body: made } = await castle.ask('POST', KEYS, body, { token: other, headers });
      expect(made['id']).not.toBe(first.body['id']);
      expect(made['key']).not.toBe(first.body['key']);
    }
  });

  test('of the same key with a new secret does not open what the old one sealed', async () => {
    const held = await keyOf(castle, { workspace_id: 'acme', scopes: ['*'] });
    const more = { headers: { 'idempotency-key': 'mine' } };
    const first = await castle.ask('POST', KEYS, body, { token: held.key, ...more });
    const { key: next } = await castle.make('POST', `${KEYS}/${held.id}/rotate`);
    const again = await castle.ask('POST', KEYS, body, { token: String(next), ...more });
    expect(again.status).toBe(409);
    expect(again.text).not.toContain(String(first.body['key']));
  });

  test('of a user name in two tenants is two requests', async () => {
    const answers = await Promise.all(
      ['acme', 'zeta'].map(async (org) => {
        const jwt = await tokenOf({ sub: 'same', org, scope: 'api_keys:write reports:read' });
        return castle.ask('POST', KEYS, body, { token: jwt, headers });
      }),
    );
    const [one, other] = answers.map((answer) => answer.body);
    expect([one?.['workspace_id'], other?.['workspace_id']]).toEqual(['acme', 'zeta']);
    expect(one?.['key']).not.toBe(other?.['key']);
  });
});
