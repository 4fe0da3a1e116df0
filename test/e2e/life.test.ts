import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../envoy-harness/cli.ts';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { HeaderLine } from '../envoy-harness/send.ts';
import { HOME, type Managed, startManaged, textOf } from './manage.ts';
import {
  expectTurn,
  type Hand,
  type HandName,
  handsOf,
  type Made,
  type Shown,
  watchUntilChanged,
} from './manage-hands.ts';
import { hashOf } from './policy.ts';

type Step = 'create' | 'restrict' | 'rotate' | 'grace' | 'switch' | 'expire' | 'revoke';

type Life = {
  readonly kind: 'personal' | 'team' | 'service';
  readonly owner: string | undefined;
  /** What upstream is told beside what all of them have in common. */
  readonly identity: (id: string) => Shown;
  /** By whose hand each step is done; every step has its turn with both. */
  readonly by: { readonly [step in Step]: HandName };
};

const LIVES: readonly Life[] = [
  {
    kind: 'personal',
    owner: 'ada',
    identity: () => ({ 'x-auth-username': 'ada', 'x-auth-subject': 'ada' }),
    by: {
      create: 'cli',
      restrict: 'api',
      rotate: 'cli',
      grace: 'api',
      switch: 'cli',
      expire: 'api',
      revoke: 'cli',
    },
  },
  {
    kind: 'team',
    owner: 'crew',
    identity: () => ({
      'x-auth-username': 'crew',
      'x-auth-subject': 'crew',
      'x-auth-team': 'crew',
    }),
    by: {
      create: 'api',
      restrict: 'cli',
      rotate: 'api',
      grace: 'cli',
      switch: 'api',
      expire: 'cli',
      revoke: 'api',
    },
  },
  {
    kind: 'service',
    owner: undefined,
    identity: (id) => ({ 'x-auth-username': 'nightly build', 'x-auth-subject': id }),
    by: {
      create: 'cli',
      restrict: 'api',
      rotate: 'api',
      grace: 'api',
      switch: 'cli',
      expire: 'api',
      revoke: 'cli',
    },
  },
];

const ELSEWHERE = '198.51.100.7';
const SCOPES = ['reports:read', 'reports:write'];

let managed: Managed;
let hands: { readonly [name in HandName]: Hand };

describeEnvoy('the life of a key', () => {
  beforeAll(async () => {
    managed = await startManaged();
    hands = handsOf(managed);
    const { api } = managed;
    const workspace_id = 'acme';
    const post = (path: string, body: object) => api.make(path, { method: 'POST', body });
    await post('/v1/workspaces', { id: workspace_id });
    await post('/v1/users', { id: 'ada', workspace_id, roles: ['writer'] });
    await post('/v1/teams', { id: 'crew', workspace_id, members: ['ada'] });
  });
  afterAll(() => managed?.stop());

  describe.each(LIVES)('of a $kind key', ({ kind, owner, identity, by }) => {
    let made: Made;

    test(`created by the ${by.create}, it works at once`, async () => {
      made = await hands[by.create].create({
        name: 'nightly build',
        kind,
        ...(owner === undefined ? {} : { owner }),
        workspace_id: 'acme',
        environment: 'live',
        scopes: SCOPES,
      });
      const response = await managed.use(made.raw);
      expect(response.status).toBe(200);
      expect(response.json()).toEqual({
        'x-auth-method': 'api_key',
        'x-auth-key-id': made.id,
        'x-auth-workspace': 'acme',
        'x-auth-environment': 'live',
        'x-auth-scopes': SCOPES.join(' '),
        ...identity(made.id),
      });
      expect(managed.upstream.last().header('x-api-key')).toBeUndefined();
      expect(await managed.outcome(made.raw, { method: 'POST' })).toBe('allow');
    });

    test('is shown without its secret', async () => {
      expect(made.raw).toMatch(/^pst_live_[0-9A-Za-z]{38}$/);
      expect(made.id).toMatch(/^[0-9A-Za-z]{27}$/);
      const { text, body } = await managed.api.ask(`/v1/api-keys/${made.id}`);
      expect(body).toMatchObject({
        id: made.id,
        workspace_id: 'acme',
        name: 'nightly build',
        kind,
        owner: owner ?? null,
        environment: 'live',
        key_prefix: made.raw.slice(0, 'pst_live_'.length + 2),
        scopes: SCOPES,
        status: 'active',
        expires_at: null,
        created_by: 'admin',
        read_only: false,
      });
      expect(text).not.toContain(made.raw);
      expect(text).not.toContain(hashOf(made.raw).slice('sha256:'.length));
      expect(body).not.toHaveProperty('key');
    });

    test(`restricted by the ${by.restrict}, from the very next check`, async () => {
      const hand = hands[by.restrict];
      await hand.change(made.id, { scopes: ['reports:read'] });
      expect(await managed.outcome(made.raw, { method: 'POST' })).toBe('insufficient_scope');
      expect((await managed.use(made.raw)).json()).toMatchObject({
        'x-auth-scopes': 'reports:read',
      });
      await hand.change(made.id, { allowed_ips: ['198.51.100.0/24', '2001:db8::/32'] });
      expect(await managed.outcome(made.raw, { from: HOME })).toBe('ip_not_allowed');
      expect(await managed.outcome(made.raw, { from: ELSEWHERE })).toBe('allow');
      await hand.change(made.id, { allowed_ips: null, scopes: SCOPES });
      expect(await managed.outcome(made.raw, { from: HOME })).toBe('allow');
      expect(await managed.outcome(made.raw, { method: 'POST' })).toBe('allow');
    });

    test(`rotated by the ${by.rotate} without grace, the old secret is dead at once`, async () => {
      const old = made;
      made = await hands[by.rotate].rotate(made.id, 0);
      expect(await managed.outcome(old.raw)).toBe('key_expired');
      expect(await managed.outcome(made.raw)).toBe('allow');
      expect(made.raw).not.toBe(old.raw);
      expect(made.shown).toMatchObject({ id: old.id, previous_secret_until: null });
      expect(managed.upstream.last().header('x-auth-key-id')).toBe(old.id);
    });

    test(`rotated by the ${by.grace} with grace, both work until its end`, async () => {
      const old = made;
      const graceSeconds = by.grace === 'cli' ? 3 : 1;
      made = await hands[by.grace].rotate(made.id, graceSeconds);
      const until = textOf(made.shown, 'previous_secret_until');
      const rotatedMs = Date.parse(textOf(made.shown, 'rotated_at'));
      expect(Date.parse(until)).toBe(rotatedMs + graceSeconds * 1000);
      expect(await managed.outcome(made.raw)).toBe('allow');
      const sights = await watchUntilChanged(() => managed.outcome(old.raw));
      expectTurn(sights, until, ['allow', 'key_expired']);
      expect(await managed.outcome(made.raw)).toBe('allow');
    });

    test('at most two of its secrets are known: the third one back is nobody’s', async () => {
      const [first, second] = [made, await hands.api.rotate(made.id, 60)];
      expect(await managed.outcome(first.raw)).toBe('allow');
      made = await hands.api.rotate(made.id, 60);
      expect(await managed.outcome(first.raw)).toBe('unknown_key');
      expect(await managed.outcome(second.raw)).toBe('allow');
      expect(await managed.outcome(made.raw)).toBe('allow');
      made = await hands.api.rotate(made.id, 0);
      expect(await managed.outcome(second.raw)).toBe('unknown_key');
    });

    test(`disabled and enabled by the ${by.switch}`, async () => {
      await hands[by.switch].disable(made.id);
      expect(await managed.outcome(made.raw)).toBe('key_disabled');
      expect(await statusOf(made.id)).toBe('disabled');
      await hands[by.switch].enable(made.id);
      expect(await managed.outcome(made.raw)).toBe('allow');
      expect(await statusOf(made.id)).toBe('active');
    });

    test(`given an end by the ${by.expire}, it works until then; rotating brings it back`, async () => {
      const aheadMs = by.expire === 'cli' ? 3000 : 1000;
      const end = new Date(Date.now() + aheadMs).toISOString();
      await hands[by.expire].change(made.id, { expires_at: end });
      const sights = await watchUntilChanged(() => managed.outcome(made.raw));
      expectTurn(sights, end, ['allow', 'key_expired']);
      expect(await statusOf(made.id)).toBe('expired');
      const old = made;
      const later = new Date(Date.now() + 3_600_000).toISOString();
      // A grace after the end would bring a dead secret back.
      made = await hands[by.expire].rotate(made.id, 60, later);
      expect(await managed.outcome(made.raw)).toBe('allow');
      expect(await managed.outcome(old.raw)).toBe('key_expired');
    });

    test(`revoked by the ${by.revoke}, for good`, async () => {
      const before = made;
      made = await hands.api.rotate(made.id, 60);
      await hands[by.revoke].revoke(made.id);
      expect(await managed.outcome(made.raw)).toBe('key_revoked');
      expect(await managed.outcome(before.raw)).toBe('key_revoked');
      const path = `/v1/api-keys/${made.id}`;
      expect((await managed.api.ask(path)).body).toMatchObject({
        status: 'revoked',
        revoked_because: 'request',
      });
      const refused = await Promise.all([
        managed.api.ask(path, { method: 'PATCH', body: { name: 'again' } }),
        ...['enable', 'disable', 'rotate'].map((verb) =>
          managed.api.ask(`${path}/${verb}`, { method: 'POST', body: {} }),
        ),
      ]);
      for (const { status, body } of refused) {
        expect({ status, reason: body['reason'] }).toEqual({ status: 409, reason: 'key_revoked' });
      }
      expect(await managed.outcome(made.raw)).toBe('key_revoked');
    });
  });

  test('a key that nobody made is not known', async () => {
    const draft = { name: 'near', workspace_id: 'acme', prefix: 'pst_test_' };
    const { raw } = await hands.api.create(draft);
    expect(await managed.outcome(raw)).toBe('insufficient_scope');
    const other = raw.endsWith('0') ? '1' : '0';
    expect(await managed.outcome(raw.slice(0, -1) + other)).toBe('unknown_key');
  });

  test('a key that was refused as unknown works as soon as it is imported', async () => {
    const raw = `old_${randomBytes(24).toString('base64url')}`;
    // Again and again, so that whoever remembers what is unknown does.
    for (let turn = 0; turn < 4; turn += 1) {
      expect(await managed.outcome(raw)).toBe('unknown_key');
    }
    const body = { name: 'old', prefix: 'old_', scopes: SCOPES, hash: hashOf(raw) };
    const imported = await managed.api.ask('/v1/api-keys/import', { method: 'POST', body });
    expect(imported.status).toBe(201);
    expect(imported.body).not.toHaveProperty('key');
    expect(await managed.outcome(raw)).toBe('allow');
    const again = await managed.api.ask('/v1/api-keys/import', { method: 'POST', body });
    expect(again.status).toBe(409);
    await hands.api.revoke(textOf(imported.body, 'id'));
    expect(await managed.outcome(raw)).toBe('key_revoked');
  });

  test('the command line works on the store itself, beside the server', async () => {
    const store = ['--config', managed.postern.configPath] as const;
    const made = await runCli([
      ...['keys', 'create', '--name', 'night shift', '--workspace', 'acme'],
      ...['--environment', 'live', '--scopes', 'reports:read', ...store],
    ]);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^pst_live_\w{38}\n$/) });
    const raw = made.stdout.trim();
    expect(await managed.outcome(raw)).toBe('allow');
    expect(made.stderr).not.toContain(raw);
    const verified = await managed.api.make('/v1/auth/verify', { token: raw });
    const id = textOf(verified['api_key'] as Shown, 'id');
    expect(await runCli(['keys', 'revoke', id, ...store])).toMatchObject({ code: 0 });
    // Another process: the server looks for what it changed a few times a second.
    await expect.poll(() => managed.outcome(raw)).toBe('key_revoked');
  });

  describe('every field that restricts does so from the next check on', () => {
    test.each<readonly [field: string, value: unknown, headers: readonly HeaderLine[], string]>([
      ['allowed_ips', ['203.0.113.7'], [], 'ip_not_allowed'],
      [
        'allowed_referers',
        ['app.example.com'],
        [['Referer', 'https://app.example.org/x']],
        'referer_not_allowed',
      ],
      [
        'allowed_referers',
        { allow: ['app.example.com'], missing: 'deny' },
        [],
        'referer_not_allowed',
      ],
      [
        'allowed_origins',
        ['https://app.example.com'],
        [['Origin', 'https://app.example.org']],
        'origin_not_allowed',
      ],
      [
        'allowed_origins',
        { allow: ['app.example.com'], missing: 'deny' },
        [],
        'origin_not_allowed',
      ],
      ['allowed_routes', ['api-keys'], [], 'route_not_allowed'],
    ])('%s: %j', async (field, value, headers, outcome) => {
      const draft = { name: 'any', environment: 'live', scopes: SCOPES };
      const { id, raw } = await hands.api.create(draft);
      expect(await managed.outcome(raw, { headers })).toBe('allow');
      await hands.api.change(id, { [field]: value });
      expect(await managed.outcome(raw, { headers })).toBe(outcome);
      await hands.api.change(id, { [field]: null });
      expect(await managed.outcome(raw, { headers })).toBe('allow');
      const { id: late, raw: born } = await hands.api.create({ ...draft, [field]: value });
      expect(await managed.outcome(born, { headers })).toBe(outcome);
      await hands.api.revoke(late);
    });

    test('roles, username, plan and rate_limit', async () => {
      const { id, raw } = await hands.api.create({
        name: 'any',
        workspace_id: 'acme',
        environment: 'live',
        roles: ['writer'],
      });
      expect(await managed.outcome(raw, { method: 'POST' })).toBe('allow');
      await hands.api.change(id, { roles: ['reader'], username: 'robot', plan: 'small' });
      expect(await managed.outcome(raw, { method: 'POST' })).toBe('insufficient_scope');
      const used = await managed.use(raw);
      expect(used.json()).toMatchObject({
        'x-auth-username': 'robot',
        'x-auth-roles': 'reader',
        'x-auth-plan': 'small',
      });
      expect(used.header('x-ratelimit-policy')).toBe('100/day');
      await hands.api.change(id, { plan: null, rate_limit: { per_day: 1 } });
      expect(await managed.outcome(raw)).toBe('allow');
      expect(await managed.outcome(raw)).toBe('rate_limited');
      await hands.api.change(id, { rate_limit: { per_day: 3 } });
      expect((await managed.use(raw)).header('x-ratelimit-remaining')).toBe('1');
      await hands.api.change(id, { rate_limit: null });
      expect((await managed.use(raw)).header('x-ratelimit-policy')).toBeUndefined();
    });
  });
});

async function statusOf(id: string): Promise<unknown> {
  return (await managed.api.make(`/v1/api-keys/${id}`))['status'];
}
