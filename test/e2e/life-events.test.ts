import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../envoy-harness/api.ts';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import type { Postern } from '../envoy-harness/postern.ts';
import { openCheckClient } from './check-client.ts';
import {
  apiOf,
  itemsOf,
  type Managed,
  POLICY,
  startManaged,
  startManagedPostern,
  textOf,
} from './manage.ts';
import { handsOf, type Made, type Shown } from './manage-hands.ts';
import { hashOf } from './policy.ts';

const WRITE_MS = 4000;

describeEnvoy('what happened', () => {
  let managed: Managed;
  /** Every secret that was made. */
  const raws: string[] = [];

  beforeAll(async () => {
    managed = await startManaged();
    await managed.api.make('/v1/workspaces', { method: 'POST', body: { id: 'acme' } });
    await managed.api.make('/v1/workspaces', { method: 'POST', body: { id: 'other' } });
  });
  afterAll(() => managed?.stop());

  async function makeKey(draft: Shown = {}): Promise<Made> {
    const common = { name: 'a key', workspace_id: 'acme', environment: 'live' };
    const key = await handsOf(managed).api.create({ ...common, ...draft });
    raws.push(key.raw);
    return key;
  }

  async function listed(query: string, token?: string): Promise<readonly Shown[]> {
    const path = `/v1/audit-events?limit=200&${query}`;
    return itemsOf(await managed.api.make(path, token === undefined ? {} : { token }));
  }

  /** The events of an object in the audit stream, the oldest first. */
  function streamed(kind: string, id: string): readonly Shown[] {
    const isOf = ({ object }: Shown) => JSON.stringify(object) === JSON.stringify({ kind, id });
    return managed.postern.events().filter(isOf);
  }

  test('to a key: each change with who, what, before and after; in the stream and in the API', async () => {
    const { api } = handsOf(managed);
    const key = await makeKey({ scopes: ['reports:read'] });
    await api.change(key.id, { name: 'renamed', allowed_ips: ['192.0.2.0/24'] });
    raws.push((await api.rotate(key.id, 60)).raw);
    await api.disable(key.id);
    await api.enable(key.id);
    await api.revoke(key.id);
    await expect.poll(() => streamed('key', key.id)).toHaveLength(6);
    const events = streamed('key', key.id);
    expect(events.map(({ event }) => event)).toEqual([
      'key.created',
      'key.updated',
      'key.rotated',
      'key.updated',
      'key.updated',
      'key.revoked',
    ]);
    for (const event of events) {
      expect(event).toMatchObject({
        id: expect.stringMatching(/^[\w-]{27,64}$/),
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        workspace_id: 'acme',
        actor: { kind: 'admin', id: 'admin' },
        request_id: expect.any(String),
        address: '127.0.0.1',
      });
    }
    const [created, renamed, , disabled, enabled, revoked] = events;
    expect(created?.['after']).toMatchObject({ name: 'a key', scopes: ['reports:read'] });
    expect(renamed).toMatchObject({
      before: { name: 'a key', allowed_ips: null },
      after: { name: 'renamed', allowed_ips: ['192.0.2.0/24'] },
    });
    expect(Object.keys(Object(renamed?.['after'])).sort()).toEqual([
      'allowed_ips',
      'name',
      'updated_at',
    ]);
    expect(disabled).toMatchObject({ before: { status: 'active' }, after: { status: 'disabled' } });
    expect(enabled).toMatchObject({ before: { status: 'disabled' }, after: { status: 'active' } });
    expect(revoked).toMatchObject({ reason: 'request', after: { status: 'revoked' } });
    const ids = events.map(({ id }) => id);
    expect(ids.toSorted()).toEqual(ids);
    const kept = await listed(`object=${key.id}`);
    expect(kept.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(kept.toReversed()).toMatchObject(events);
  });

  test('to users, teams and roles, and to the keys that end with them', async () => {
    const { api } = managed;
    const workspace_id = 'acme';
    const post = (path: string, body: object) => api.make(path, { method: 'POST', body });
    await post('/v1/users', { id: 'ada', workspace_id, roles: ['writer'] });
    await post('/v1/teams', { id: 'crew', workspace_id, members: ['ada'] });
    await post('/v1/roles', { name: 'press', workspace_id, scopes: ['reports:read'] });
    const own = await makeKey({ kind: 'personal', owner: 'ada' });
    const shared = await makeKey({ kind: 'team', owner: 'crew' });
    await api.make('/v1/users/ada?workspace_id=acme', {
      method: 'PATCH',
      body: { status: 'deactivated' },
    });
    for (const path of ['/v1/users/ada', '/v1/teams/crew', '/v1/roles/press']) {
      const { status } = await api.ask(`${path}?workspace_id=acme`, { method: 'DELETE' });
      expect(status).toBe(204);
    }
    const namesOf = (kind: string, id: string) => streamed(kind, id).map(({ event }) => event);
    await expect.poll(() => namesOf('role', 'press')).toEqual(['role.created', 'role.deleted']);
    expect(namesOf('user', 'ada')).toEqual(['user.created', 'user.updated', 'user.deleted']);
    expect(namesOf('team', 'crew')).toEqual(['team.created', 'team.updated', 'team.deleted']);
    expect(streamed('key', own.id).at(-1)).toMatchObject({
      event: 'key.revoked',
      reason: 'owner_gone',
    });
    expect(streamed('key', shared.id).at(-1)).toMatchObject({
      event: 'key.revoked',
      reason: 'team_gone',
    });
  });

  test('when a decision was a refusal', async () => {
    const key = await makeKey({ scopes: ['reports:read'] });
    expect(await managed.outcome(key.raw, { method: 'POST' })).toBe('insufficient_scope');
    await handsOf(managed).api.revoke(key.id);
    expect(await managed.outcome(key.raw, { target: '/v1/reports/9?x=1' })).toBe('key_revoked');
    const refusals = () => listed(`event=decision.refused&object=${key.id}`);
    await expect.poll(refusals, { timeout: WRITE_MS }).toHaveLength(2);
    expect(await refusals()).toMatchObject([
      {
        event: 'decision.refused',
        reason: 'key_revoked',
        workspace_id: 'acme',
        actor: null,
        object: { kind: 'key', id: key.id },
        address: '192.0.2.10',
        facts: { route: 'reports', http_method: 'GET', path: '/v1/reports/9' },
      },
      { reason: 'insufficient_scope', facts: { http_method: 'POST' } },
    ]);
    const byReason = await listed('reason=key_revoked&workspace_id=acme');
    expect(byReason.map(({ object }) => object)).toContainEqual({ kind: 'key', id: key.id });
  });

  test('is found by kind, actor and time, page by page', async () => {
    const manager = await makeKey({ scopes: ['api_keys:write', 'reports:read'] });
    const from = new Date().toISOString();
    for (const name of ['one', 'two', 'three']) {
      const made = await managed.api.make('/v1/api-keys', {
        method: 'POST',
        token: manager.raw,
        body: { name, environment: 'live', scopes: ['reports:read'] },
      });
      raws.push(textOf(made, 'key'));
    }
    const nameOf = ({ after }: Shown) => Object(after).name;
    const query = `actor=${manager.id}&event=key.*&from=${encodeURIComponent(from)}`;
    const all = await listed(query);
    expect(all.map(nameOf)).toEqual(['three', 'two', 'one']);
    expect(all[0]?.['actor']).toMatchObject({ kind: 'api_key', id: manager.id });
    const names: unknown[] = [];
    let cursor = '';
    do {
      const next = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await managed.api.make(`/v1/audit-events?limit=2&${query}${next}`);
      names.push(...itemsOf(page).map(nameOf));
      cursor = String(page['next_cursor'] ?? '');
    } while (cursor !== '');
    expect(names).toEqual(['three', 'two', 'one']);
    expect(await listed(`${query}&event=user.*`.replace('event=key.*&', ''))).toEqual([]);
    expect(await listed(`actor=${manager.id}&to=${encodeURIComponent(from)}`)).toEqual([]);
  });

  test('in another workspace is not told', async () => {
    const auditor = await makeKey({ scopes: ['audit:read'] });
    await makeKey({ workspace_id: 'other', name: 'secret plan' });
    const seen = await listed('', auditor.raw);
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen.map(({ workspace_id }) => workspace_id))).toEqual(new Set(['acme']));
    expect(await listed('workspace_id=other', auditor.raw)).toEqual([]);
    const { status } = await managed.api.ask('/v1/audit-events', { token: raws[0] ?? '' });
    expect([401, 403]).toContain(status);
  });

  test('holds no key and no hash of one', async () => {
    const kept: string[] = [];
    let cursor = '';
    do {
      const next = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { text, body } = await managed.api.ask(`/v1/audit-events?limit=200${next}`);
      kept.push(text);
      cursor = String(body['next_cursor'] ?? '');
    } while (cursor !== '');
    const { postern, envoy } = managed;
    const told = [...kept, JSON.stringify(postern.lines()), postern.stderr(), envoy.log()].join();
    expect(raws.length).toBeGreaterThan(8);
    for (const raw of raws) {
      const hex = hashOf(raw).slice('sha256:'.length);
      expect(told).not.toContain(raw.slice('pst_live_'.length + 2, -6));
      expect(told).not.toContain(hex);
      expect(told).not.toContain(Buffer.from(hex, 'hex').toString('base64').slice(0, -2));
    }
  });

  test('no key is in the store, nor in any answer but the one that made it', async () => {
    const folder = dirname(managed.postern.configPath);
    const files = readdirSync(folder).filter((name) => name.startsWith('postern.db'));
    expect(files.length).toBeGreaterThan(0);
    const bytes = Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
    expect(bytes.includes(Buffer.from(hashOf(raws[0] ?? '').slice('sha256:'.length), 'hex'))).toBe(
      true,
    );
    for (const raw of raws) {
      expect(bytes.includes(raw.slice('pst_live_'.length + 2, -6))).toBe(false);
      const answers = managed.api.told().filter((text) => text.includes(raw));
      expect(answers).toHaveLength(1);
    }
  });
});

describe('time passes', () => {
  let folder: string;
  let postern: Postern;
  let api: ApiClient;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-time-'));
  });
  afterEach(async () => {
    await postern?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts it again: it tells what became due as it starts. */
  async function start(rules: object): Promise<void> {
    await postern?.kill();
    const api_keys = { ...POLICY.api_keys, ...rules };
    postern = await startManagedPostern({ ...POLICY, api_keys }, folder);
    api = apiOf(postern);
  }

  function makeKey(draft: object): Promise<Shown> {
    const body = { name: 'a key', environment: 'live', scopes: ['reports:read'], ...draft };
    return api.make('/v1/api-keys', { method: 'POST', body });
  }

  function told(): readonly (readonly unknown[])[] {
    return postern
      .events()
      .map(({ event, reason, object }) => [event, reason, Object(object).id] as const);
  }

  async function outcome(raw: string): Promise<string> {
    const client = openCheckClient(postern.checkAddress);
    try {
      const headers = [
        ['x-api-key', raw],
        ['x-forwarded-for', '192.0.2.10, 127.0.0.1'],
      ] as const;
      const { allowed, reason } = await client.check({ path: '/v1/reports/7', headers });
      return allowed ? 'allow' : String(reason);
    } finally {
      client.close();
    }
  }

  test('a key is told of before its end, at its end, and when nobody uses it; each once', async () => {
    const rules = { warn_before: '1h', stale_after: '1s' };
    await start(rules);
    const at = (aheadMs: number) => new Date(Date.now() + aheadMs).toISOString();
    const [soon, far] = [await makeKey({ expires_at: at(1_800_000) }), await makeKey({})];
    const over = await makeKey({ expires_at: at(1000) });
    const raw = textOf(over, 'key');
    await expect.poll(() => outcome(raw), { timeout: 5000 }).toBe('key_expired');
    await start(rules);
    await expect.poll(told).toHaveLength(4);
    const [soonId, farId, overId] = [soon, far, over].map(({ id }) => id);
    expect(new Set(told())).toEqual(
      new Set([
        ['key.expiring', 'expires_at', soonId],
        ['key.expired', 'expires_at', overId],
        ['key.stale', 'unused', soonId],
        ['key.stale', 'unused', farId],
      ]),
    );
    const kept = itemsOf(await api.make(`/v1/audit-events?object=${soonId}&event=key.expiring`));
    expect(kept).toMatchObject([
      { event: 'key.expiring', actor: null, facts: { name: 'a key', ends_at: soon['expires_at'] } },
    ]);
    await start(rules);
    const probe = await makeKey({});
    await expect.poll(() => JSON.stringify(told())).toContain(probe['id']);
    expect(told().map(([event]) => event)).toEqual(['key.created']);
  });

  test.each([
    ['max_age', 'created_at', 'key_ended'],
    ['rotate_every', 'rotated_at', 'allow'],
  ] as const)('%s ends keys, and tells so', async (rule, field, rotated) => {
    await start({});
    const key = await makeKey({ expires_at: new Date(Date.now() + 1_800_000).toISOString() });
    const [id, raw] = [textOf(key, 'id'), textOf(key, 'key')];
    expect(await outcome(raw)).toBe('allow');
    await start({ [rule]: '1h', warn_before: '2h' });
    await expect.poll(told).toContainEqual(['key.expiring', field, id]);
    expect(await outcome(raw)).toBe('allow');
    const madeMs = Date.parse(textOf(key, 'created_at'));
    await expect.poll(() => Date.now(), { timeout: 5000 }).toBeGreaterThan(madeMs + 2000);
    await start({ [rule]: '2s' });
    expect(await outcome(raw)).toBe('key_expired');
    await expect.poll(told).toContainEqual(['key.expired', field, id]);
    expect((await api.make(`/v1/api-keys/${id}`))['status']).toBe('expired');
    const again = await api.ask(`/v1/api-keys/${id}/rotate`, { method: 'POST' });
    const next = again.body['key'];
    const now = typeof next === 'string' ? await outcome(next) : again.body['reason'];
    expect(now).toBe(rotated);
  });
});
