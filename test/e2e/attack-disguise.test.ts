import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Castle, openCastle } from './attack-castle.ts';
import { keyOf, settle, type Town, tokenOf } from './attack-town.ts';

const KEYS = '/v1/api-keys';
const live = { name: 'x', prefix: 'pst_live_' };

let castle: Castle;
let town: Town;

beforeAll(async () => {
  castle = await openCastle();
  town = await settle(castle);
});
afterAll(() => castle?.stop());

describe('what looks like less is no more', () => {
  test('a key of a small plan does not take the greater one of its workspace by naming none', async () => {
    const hit = await castle.ask(
      'PATCH',
      `${KEYS}/${town.small.id}`,
      { plan: null },
      { token: town.small.key },
    );
    expect(hit.status, hit.text).toBe(403);
  });

  test('a key of a small plan makes no key of the greater one of its workspace', async () => {
    const hit = await castle.ask(
      'POST',
      KEYS,
      { ...live, scopes: ['reports:read'] },
      { token: town.small.key },
    );
    const { body } = await castle.ask('GET', '/v1/auth/verify', undefined, {
      token: String(hit.body['key']),
    });
    expect([hit.status === 403 ? 'free' : body['plan']]).toEqual(['free']);
  });

  test.for(['disable', 'DELETE', 'PATCH'])(
    'a key of one environment does not %s a key of another',
    async (what) => {
      const path = `${KEYS}/${town.strong.id}`;
      const token = town.tester.key;
      const hit =
        what === 'disable'
          ? await castle.ask('POST', `${path}/disable`, undefined, { token })
          : await castle.ask(what, path, what === 'PATCH' ? { name: 'mine' } : undefined, {
              token,
            });
      expect(hit.status, hit.text).toBe(403);
      const { body } = await castle.ask('GET', path);
      expect([body['status'], body['name']]).toEqual(['active', 'key']);
    },
  );

  test('a faster refill of a bucket is more', async () => {
    const rate_limit = { per_minute: 60, burst: 10 };
    const bound = await keyOf(castle, { workspace_id: 'acme', scopes: ['*'], rate_limit });
    const more = { rate_limit: { ...rate_limit, per_second: 60 } };
    const hit = await castle.ask('PATCH', `${KEYS}/${bound.id}`, more, { token: town.weak.key });
    expect(hit.status, hit.text).toBe(403);
  });

  test('a token of one tenant beside a key of another does not make its user the owner there', async () => {
    const token = await tokenOf({
      sub: 'mallory',
      org: 'zeta',
      scope: 'api_keys:write reports:read',
    });
    const body = { ...live, kind: 'personal', owner: 'mallory', scopes: ['reports:read'] };
    const headers = { 'x-api-key': town.weak.key };
    const hit = await castle.ask('POST', KEYS, body, { token, headers });
    expect(hit.status, hit.text).toBeGreaterThanOrEqual(400);
  });

  test.for([
    ['a list', ['acme']],
    ['a number', 7],
    ['a control character', 'acme\u0000'],
    ['five thousand letters', 'x'.repeat(5000)],
  ])('a token whose workspace is %s is not one of nobody', async ([, org]) => {
    const token = await tokenOf({ sub: 'eve', org, scope: 'api_keys:read' });
    const { text } = await castle.ask('GET', KEYS, undefined, { token });
    expect(text).not.toContain(town.homeless.id);
  });

  test('a key is not taken for a user of the workspace because of its name', async () => {
    const draft = { name: 'boss', scopes: ['reports:read'] };
    const wanted = { ...live, ...draft };
    const { status, body } = await castle.ask('POST', KEYS, wanted, { token: town.weak.key });
    expect([status, body['errors']]).toEqual([
      403,
      [expect.objectContaining({ pointer: '/name' })],
    ]);
    const other = await keyOf(castle, { ...draft, name: 'plain' }, town.weak.key);
    const renamed = await castle.ask('PATCH', `${KEYS}/${other.id}`, draft, {
      token: town.weak.key,
    });
    expect(renamed.status).toBe(403);
  });

  test('upstream tells a key from a person by its subject, whatever its name', async () => {
    const made = await keyOf(castle, { name: 'anybody', scopes: ['reports:read'] }, town.weak.key);
    const { body } = await castle.ask('GET', '/v1/auth/verify', undefined, { token: made.key });
    expect([body['subject'], body['method']]).toEqual([made.id, 'api_key']);
  });

  test('a personal key is no more than its owner, whatever it names, and shrinks at once', async () => {
    const scopesOf = async () => {
      const { body } = await castle.ask('GET', '/v1/auth/verify', undefined, {
        token: town.ofMallory.key,
      });
      return body['scopes'];
    };
    expect(await scopesOf()).toEqual(expect.arrayContaining(['reports:read', 'api_keys:write']));
    await castle.make('PATCH', '/v1/users/mallory', { scopes: ['reports:read'] });
    expect(await scopesOf()).toEqual(['reports:read']);
    const { status } = await castle.ask('POST', KEYS, live, { token: town.ofMallory.key });
    expect(status).toBe(403);
    await castle.make('PATCH', '/v1/users/mallory', { scopes: ['reports:read', 'api_keys:*'] });
  });

  test('who puts a stronger user away does not bring them back', async () => {
    const token = town.clerk.key;
    await castle.make('POST', '/v1/users', { id: 'chief', workspace_id: 'acme', scopes: ['*'] });
    const own = await keyOf(castle, {
      workspace_id: 'acme',
      kind: 'personal',
      owner: 'chief',
      scopes: ['*'],
    });
    expect(
      (await castle.ask('PATCH', '/v1/users/chief', { status: 'deactivated' }, { token })).status,
    ).toBe(200);
    expect(
      (await castle.ask('PATCH', '/v1/users/chief', { status: 'active' }, { token })).status,
    ).toBe(403);
    expect((await castle.ask('DELETE', '/v1/users/chief', undefined, { token })).status).toBe(204);
    await castle.make('POST', '/v1/users', { id: 'chief', workspace_id: 'acme', scopes: ['*'] });
    const { status } = await castle.ask('GET', KEYS, undefined, { token: own.key });
    expect(status).toBe(401);
  });

  test('whoever is known by a word of an object is nobody', async () => {
    for (const id of ['__proto__', 'constructor', 'toString']) {
      const personal = { ...live, workspace_id: 'acme', kind: 'personal', owner: id };
      expect((await castle.ask('POST', KEYS, personal)).status).toBe(422);
      expect((await castle.ask('POST', KEYS, { ...live, roles: [id] })).status).toBe(422);
      expect((await castle.ask('POST', KEYS, { ...live, plan: id })).status).toBe(422);
      expect((await castle.ask('POST', KEYS, { ...live, workspace_id: id })).status).toBe(422);
      expect((await castle.ask('POST', KEYS, { name: 'x', prefix: id })).status).toBe(422);
      const made = await castle.ask('POST', '/v1/users', { id, workspace_id: 'acme' });
      expect([201, 422]).toContain(made.status);
      if (made.status === 201) await castle.make('DELETE', `/v1/users/${id}?workspace_id=acme`);
    }
  });

  test.for(['.', '..'])('nothing is named %s, which no path could reach', async (id) => {
    for (const list of ['users', 'teams', 'workspaces']) {
      const hit = await castle.ask('POST', `/v1/${list}`, { id });
      expect([list, hit.status]).toEqual([list, 422]);
    }
    expect((await castle.ask('POST', '/v1/roles', { name: id })).status).toBe(422);
  });
});
