import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../envoy-harness/api.ts';
import type { Postern } from '../envoy-harness/postern.ts';
import { openCheckClient } from './check-client.ts';
import { apiOf, itemsOf, POLICY, startManagedPostern, textOf } from './manage.ts';
import { mint, policyText, sample } from './policy.ts';

const key = mint('pst_live_');
const DECLARED_KEY = {
  id: 'demo',
  name: 'demo key',
  hash: key.hash,
  workspace: 'house',
  scopes: ['reports:read'],
};

type Names = { readonly keys?: readonly string[]; readonly workspaces?: readonly string[] };

/** The policy with a key and a workspace declared, and more of either by id. */
function policyWith({ keys = [], workspaces = [] }: Names = {}): object {
  const more = keys.map((id) => ({ id, hash: mint('pst_live_').hash, workspace: 'house' }));
  const named = Object.fromEntries(workspaces.map((id) => [id, {}]));
  return {
    ...POLICY,
    api_keys: { ...POLICY.api_keys, declared: [DECLARED_KEY, ...more] },
    workspaces: { house: { slug: 'home', status: 'active' }, ...named },
  };
}

async function outcome(postern: Postern, raw: string): Promise<string> {
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

describe('what the policy declares', () => {
  let postern: Postern;
  let api: ApiClient;

  beforeAll(async () => {
    postern = await startManagedPostern(policyWith());
    api = apiOf(postern);
  });
  afterAll(() => postern?.kill());

  test('is shown with what is stored, read only and without its hash', async () => {
    const stored = await api.make('/v1/api-keys', {
      method: 'POST',
      body: { name: 'stored', workspace_id: 'house', environment: 'live' },
    });
    const list = await api.ask('/v1/api-keys');
    expect(itemsOf(list.body)).toMatchObject([
      { id: 'demo', workspace_id: 'house', status: 'active', read_only: true },
      { id: stored['id'], workspace_id: 'house', read_only: false },
    ]);
    expect(list.text).not.toContain(key.hash.slice('sha256:'.length));
    expect(await api.make('/v1/api-keys/demo')).toMatchObject({
      name: 'demo key',
      scopes: ['reports:read'],
      read_only: true,
    });
    expect(itemsOf(await api.make('/v1/workspaces'))).toMatchObject([
      { id: 'house', slug: 'home', read_only: true },
    ]);
    expect(await api.make('/v1/workspaces/house')).toMatchObject({ read_only: true });
    expect(itemsOf(await api.make('/v1/roles'))).toContainEqual(
      expect.objectContaining({ name: 'writer', read_only: true }),
    );
  });

  test.each([
    ['PATCH', '/v1/api-keys/demo', { name: 'mine' }],
    ['DELETE', '/v1/api-keys/demo', undefined],
    ['POST', '/v1/api-keys/demo/rotate', {}],
    ['POST', '/v1/api-keys/demo/disable', undefined],
    ['POST', '/v1/api-keys/demo/enable', undefined],
    ['PATCH', '/v1/workspaces/house', { status: 'suspended' }],
    ['DELETE', '/v1/workspaces/house', undefined],
    ['PATCH', '/v1/roles/writer', { scopes: [] }],
    ['DELETE', '/v1/roles/writer', undefined],
  ] as const)('is not changed by %s %s', async (method, path, body) => {
    const refused = await api.ask(path, { method, ...(body && { body }) });
    expect(refused.status).toBe(409);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    expect(refused.body).toMatchObject({ status: 409, reason: 'read_only' });
    expect(await outcome(postern, key.raw)).toBe('allow');
  });

  test('cannot be made a second time', async () => {
    for (const body of [{ id: 'house' }, { id: 'new', slug: 'home' }, { id: 'home' }]) {
      const refused = await api.ask('/v1/workspaces', { method: 'POST', body });
      expect({ status: refused.status, reason: refused.body['reason'] }).toEqual({
        status: 409,
        reason: 'already_exists',
      });
    }
    expect((await api.ask('/v1/workspaces/new')).status).toBe(404);
  });

  test('counts like any key', async () => {
    const usage = async () => JSON.stringify((await api.make('/v1/api-keys/demo/usage'))['data']);
    expect(await outcome(postern, key.raw)).toBe('allow');
    await expect.poll(usage, { timeout: 4000 }).toMatch(/"requests":[1-9]/);
  });
});

describe('a policy that declares what the store has already', () => {
  let folder: string;
  let postern: Postern;
  let id: string;
  let raw: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-clash-'));
    postern = await startManagedPostern(policyWith(), folder);
    const api = apiOf(postern);
    await api.make('/v1/workspaces', { method: 'POST', body: { id: 'acme' } });
    const made = await api.make('/v1/api-keys', {
      method: 'POST',
      body: {
        name: 'stored',
        workspace_id: 'acme',
        environment: 'live',
        scopes: ['reports:read'],
      },
    });
    id = textOf(made, 'id');
    raw = textOf(made, 'key');
  });
  afterEach(async () => {
    await postern?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  test('does not start: exit code 2, and every name is told', async () => {
    await postern.kill();
    const clash = policyWith({ keys: [id], workspaces: ['acme'] });
    const started = startManagedPostern(clash, folder);
    await expect(started).rejects.toThrow(/exit code 2/);
    await expect(started).rejects.toThrow(new RegExp(`api_keys\\.declared: .*"${id}"`));
    await expect(started).rejects.toThrow(/workspaces: .*"acme"/);
    postern = await startManagedPostern(policyWith(), folder);
    expect(await outcome(postern, raw)).toBe('allow');
  });

  test('is not taken by a reload: the policy before it decides on', async () => {
    const FAILED = 'postern_policy_reloads_total{outcome="failed"}';
    const metric = async (name: string) => {
      const page = await fetch(`${postern.opsUrl}/metrics`);
      return sample(await page.text(), name);
    };
    postern.writePolicy(policyText({ ...policyWith({ workspaces: ['acme'] }), routes: [PUBLIC] }));
    await expect.poll(() => metric(FAILED), { timeout: 8000 }).toBe(1);
    expect(postern.stderr()).toContain('acme');
    expect(await outcome(postern, mint('pst_live_').raw)).toBe('unknown_key');
    expect(await outcome(postern, raw)).toBe('allow');
    postern.writePolicy(policyText({ ...policyWith(), routes: [PUBLIC] }));
    const stranger = mint('pst_live_').raw;
    await expect.poll(() => outcome(postern, stranger), { timeout: 8000 }).toBe('allow');
  });
});

/** Tells one policy from another: it lets everybody in. */
const PUBLIC = { name: 'reports', path: '/v1/reports/**', access: 'public' };
