import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import { type Managed, startManaged, textOf } from './manage.ts';
import { handsOf, type Made } from './manage-hands.ts';

const SCOPES = ['reports:read', 'reports:write'];

let managed: Managed;
let turns = 0;
/** Names of this test alone. */
let workspace: string;
let user: string;

function post(path: string, body: object) {
  return managed.api.make(path, { method: 'POST', body });
}

function patch(path: string, body: object) {
  return managed.api.make(path, { method: 'PATCH', body });
}

async function remove(path: string): Promise<void> {
  expect((await managed.api.ask(path, { method: 'DELETE' })).status).toBe(204);
}

function makeKey(draft: object): Promise<Made> {
  const common = { name: 'a key', workspace_id: workspace, environment: 'live', scopes: SCOPES };
  return handsOf(managed).api.create({ ...common, ...draft });
}

function reads(key: Made): Promise<unknown> {
  return managed.outcome(key.raw);
}

function writes(key: Made): Promise<unknown> {
  return managed.outcome(key.raw, { method: 'POST' });
}

/** The effective scopes that upstream is told of. */
async function scopesOf(key: Made): Promise<readonly string[]> {
  const identity = (await managed.use(key.raw)).json();
  return textOf(identity, 'x-auth-scopes').split(' ').sort();
}

async function stateOf({ id }: Made): Promise<object> {
  const { status, revoked_because } = await managed.api.make(`/v1/api-keys/${id}`);
  return { status, revoked_because };
}

/** The path of an object within the workspace of this test. */
function within(path: string): string {
  return `${path}?workspace_id=${workspace}`;
}

describeEnvoy('whose key it is', () => {
  beforeAll(async () => {
    managed = await startManaged();
  });
  afterAll(() => managed?.stop());

  beforeEach(async () => {
    turns += 1;
    workspace = `w${turns}`;
    user = `user${turns}`;
    await post('/v1/workspaces', { id: workspace });
    await post('/v1/users', { id: user, workspace_id: workspace, roles: ['writer'] });
  });

  describe('a personal key', () => {
    let key: Made;

    beforeEach(async () => {
      key = await makeKey({ kind: 'personal', owner: user });
      expect(await writes(key)).toBe('allow');
    });

    test.each([
      ['a smaller role', { roles: ['reader'] }],
      ['a scope in place of the role', { roles: [], scopes: ['reports:read'] }],
    ])('shrinks with its owner at the next check, and grows again: %s', async (_name, smaller) => {
      const path = within(`/v1/users/${user}`);
      await patch(path, smaller);
      expect(await writes(key)).toBe('insufficient_scope');
      expect(await reads(key)).toBe('allow');
      expect(await scopesOf(key)).toEqual(['reports:read']);
      await patch(path, { roles: [], scopes: [] });
      expect(await reads(key)).toBe('insufficient_scope');
      await patch(path, { roles: ['writer'] });
      expect(await writes(key)).toBe('allow');
      expect(await scopesOf(key)).toEqual(SCOPES);
    });

    test('follows the custom role of its owner', async () => {
      await post('/v1/roles', { name: 'press', workspace_id: workspace, scopes: SCOPES });
      await patch(within(`/v1/users/${user}`), { roles: ['press'] });
      expect(await writes(key)).toBe('allow');
      await patch(within('/v1/roles/press'), { scopes: ['reports:read'] });
      expect(await writes(key)).toBe('insufficient_scope');
      expect(await reads(key)).toBe('allow');
    });

    test('never exceeds itself when its owner grows', async () => {
      const small = await makeKey({ kind: 'personal', owner: user, scopes: ['reports:read'] });
      await patch(within(`/v1/users/${user}`), { roles: ['writer'], scopes: ['api_keys:write'] });
      expect(await scopesOf(small)).toEqual(['reports:read']);
      expect(await writes(small)).toBe('insufficient_scope');
    });

    test('is refused when its owner is deactivated, and stays revoked for good', async () => {
      const path = within(`/v1/users/${user}`);
      await patch(path, { status: 'deactivated' });
      expect(await reads(key)).toBe('owner_deactivated');
      expect(await stateOf(key)).toEqual({ status: 'revoked', revoked_because: 'owner_gone' });
      await patch(path, { status: 'active' });
      expect(await reads(key)).toBe('key_revoked');
      expect(await stateOf(key)).toEqual({ status: 'revoked', revoked_because: 'owner_gone' });
      const next = await makeKey({ kind: 'personal', owner: user });
      expect(await reads(next)).toBe('allow');
      expect(await reads(key)).toBe('key_revoked');
    });

    test('is revoked when its owner is deleted, even if one of the name comes again', async () => {
      await remove(within(`/v1/users/${user}`));
      expect(await reads(key)).toBe('key_revoked');
      await post('/v1/users', { id: user, workspace_id: workspace, roles: ['writer'] });
      expect(await reads(key)).toBe('key_revoked');
      expect(await stateOf(key)).toEqual({ status: 'revoked', revoked_because: 'owner_gone' });
    });

    test('is not made for a user who is deactivated, or of another workspace', async () => {
      await patch(within(`/v1/users/${user}`), { status: 'deactivated' });
      await post('/v1/workspaces', { id: `${workspace}-b` });
      await post('/v1/users', { id: 'eve', workspace_id: `${workspace}-b`, roles: ['writer'] });
      for (const owner of [user, 'eve', 'nobody']) {
        const body = { name: 'a key', workspace_id: workspace, environment: 'live' };
        const refused = await managed.api.ask('/v1/api-keys', {
          method: 'POST',
          body: { ...body, kind: 'personal', owner },
        });
        expect(refused.status).toBe(422);
        expect(refused.body).toMatchObject({ errors: [{ pointer: '/owner' }] });
      }
    });

    test('a service key of the same workspace does not care', async () => {
      const service = await makeKey({ kind: 'service' });
      await patch(within(`/v1/users/${user}`), { status: 'deactivated' });
      expect(await writes(service)).toBe('allow');
    });
  });

  test('a team key ends with its team, and not with a member of it', async () => {
    await post('/v1/teams', { id: 'crew', workspace_id: workspace, members: [user] });
    const key = await makeKey({ kind: 'team', owner: 'crew' });
    await patch(within(`/v1/users/${user}`), { status: 'deactivated' });
    expect(await writes(key)).toBe('allow');
    await remove(within('/v1/teams/crew'));
    expect(await reads(key)).toBe('key_revoked');
    expect(await stateOf(key)).toEqual({ status: 'revoked', revoked_because: 'team_gone' });
    await post('/v1/teams', { id: 'crew', workspace_id: workspace, members: [] });
    expect(await reads(key)).toBe('key_revoked');
  });

  describe('a workspace', () => {
    let keys: readonly Made[];
    let neighbour: Made;

    beforeEach(async () => {
      await post('/v1/teams', { id: 'crew', workspace_id: workspace, members: [user] });
      keys = await Promise.all([
        makeKey({ kind: 'personal', owner: user }),
        makeKey({ kind: 'team', owner: 'crew' }),
        makeKey({ kind: 'service' }),
      ]);
      await post('/v1/workspaces', { id: `${workspace}-b` });
      neighbour = await makeKey({ workspace_id: `${workspace}-b` });
    });

    async function expectAll(outcome: string): Promise<void> {
      expect(await Promise.all(keys.map(reads))).toEqual([outcome, outcome, outcome]);
      expect(await reads(neighbour)).toBe('allow');
    }

    test('suspended or behind with its bills, its keys wait; paid, they work', async () => {
      await expectAll('allow');
      await patch(`/v1/workspaces/${workspace}`, { status: 'suspended' });
      await expectAll('workspace_suspended');
      expect((await managed.use(keys[0]?.raw ?? '')).status).toBe(403);
      await patch(`/v1/workspaces/${workspace}`, { status: 'past_due' });
      await expectAll('workspace_past_due');
      expect((await managed.use(keys[0]?.raw ?? '')).status).toBe(402);
      await patch(`/v1/workspaces/${workspace}`, { status: 'active' });
      await expectAll('allow');
    });

    test('gives its keys another plan and other figures, at the next check', async () => {
      const policyOf = async () => {
        const used = await managed.use(keys[2]?.raw ?? '');
        return [used.header('x-ratelimit-policy'), used.header('x-ratelimit-remaining')];
      };
      const path = `/v1/workspaces/${workspace}`;
      expect(await policyOf()).toEqual([undefined, undefined]);
      await patch(path, { plan: 'small' });
      expect(await policyOf()).toEqual(['100/day', '99']);
      await patch(path, { overrides: { per_day: 7 } });
      expect(await policyOf()).toEqual(['7/day', '5']);
      await patch(path, { plan: 'big', overrides: null });
      expect(await policyOf()).toEqual(['1000/day', '999']);
      await patch(path, { plan: null });
      expect(await policyOf()).toEqual([undefined, undefined]);
    });

    test('has addresses of its own, at the next check', async () => {
      await patch(`/v1/workspaces/${workspace}`, { allowed_ips: ['203.0.113.0/24'] });
      await expectAll('ip_not_allowed');
      await patch(`/v1/workspaces/${workspace}`, { allowed_ips: null });
      await expectAll('allow');
    });

    test('deleted, its keys are revoked, also when one of the name comes again', async () => {
      await remove(`/v1/workspaces/${workspace}`);
      await expectAll('key_revoked');
      expect((await managed.api.ask(`/v1/workspaces/${workspace}`)).status).toBe(404);
      expect((await managed.api.ask(within(`/v1/users/${user}`))).status).toBe(404);
      await post('/v1/workspaces', { id: workspace });
      await post('/v1/users', { id: user, workspace_id: workspace, roles: ['writer'] });
      await expectAll('key_revoked');
      for (const key of keys) {
        expect(await stateOf(key)).toMatchObject({ status: 'revoked' });
      }
    });
  });
});
