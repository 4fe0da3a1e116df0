import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../envoy-harness/api.ts';
import type { Postern } from '../envoy-harness/postern.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import { apiOf, POLICY, startManagedPostern, textOf } from './manage.ts';

const METERED = {
  ...POLICY,
  plans: {
    metered: { per_day: 100_000, per_month: 200_000, quota: { requests: 300_000, per: 'month' } },
  },
  default_plan: 'metered',
  limit_by: 'key',
};
const LIMITS = { day: 100_000, month: 200_000, quota: 300_000 };
/** Where nothing is ended in order, counters of the last second may be lost, and uses of a write more. */
const COUNTERS_LOST_MS = 1000;
const USES_LOST_MS = 1500;
const SPENDING_MS = 1800;

type Ending = {
  readonly name: 'SIGTERM' | 'SIGKILL';
  readonly end: (one: Postern) => Promise<unknown>;
};
type Left = { readonly [window: string]: number };

const ENDINGS: readonly Ending[] = [
  { name: 'SIGTERM', end: (one) => one.stop() },
  { name: 'SIGKILL', end: (one) => one.kill() },
];

let folder: string;
let postern: Postern;
let api: ApiClient;
let client: CheckClient;

async function start(): Promise<void> {
  postern = await startManagedPostern(METERED, folder);
  api = apiOf(postern);
  client = openCheckClient(postern.checkAddress);
}

async function restart({ end }: Ending): Promise<void> {
  client.close();
  await end(postern);
  await start();
}

/** A check of a key: what became of it, and what is left of each limit. */
async function check(raw: string): Promise<{ readonly outcome: string; readonly left: Left }> {
  const { allowed, reason, responseHeaders } = await client.check({
    path: '/v1/reports/7',
    headers: [
      ['x-api-key', raw],
      ['x-forwarded-for', '192.0.2.10, 127.0.0.1'],
    ],
  });
  const fields = (responseHeaders['ratelimit'] ?? '').matchAll(/"(\w+)";r=(\d+)/g);
  const left = Object.fromEntries([...fields].map(([, name, rest]) => [name, Number(rest)]));
  return { outcome: allowed ? 'allow' : String(reason), left };
}

function post(path: string, body?: object): Promise<{ readonly [field: string]: unknown }> {
  return api.make(path, { method: 'POST', ...(body && { body }) });
}

async function makeKey(draft: object = {}): Promise<{ readonly id: string; readonly raw: string }> {
  const common = { name: 'a key', workspace_id: 'acme', environment: 'live' };
  const made = await post('/v1/api-keys', { ...common, scopes: ['reports:read'], ...draft });
  return { id: textOf(made, 'id'), raw: textOf(made, 'key') };
}

/** Everything that is managed, as the API shows it, with versions; but for the last use of keys. */
async function everything(paths: readonly string[]): Promise<object> {
  const shown = paths.map(async (path) => {
    const { status, body, headers } = await api.ask(path);
    expect(status, path).toBe(200);
    const { last_used_at: _, ...rest } = body;
    return [path, { etag: headers.get('etag'), ...rest }] as const;
  });
  return Object.fromEntries(await Promise.all(shown));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-restart-'));
  await start();
  await post('/v1/workspaces', { id: 'acme', slug: 'acme-inc', overrides: { per_day: 100_000 } });
});
afterEach(async () => {
  client?.close();
  await postern?.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(ENDINGS)('after $name', (ending) => {
  test('keys, users, teams, roles and workspaces are what they were', async () => {
    const workspace_id = 'acme';
    await post('/v1/users', {
      id: 'ada',
      workspace_id,
      roles: ['writer'],
      email: 'ada@example.com',
    });
    await post('/v1/teams', { id: 'crew', workspace_id, members: ['ada'] });
    await post('/v1/roles', { name: 'press', workspace_id, scopes: ['reports:read'] });
    const keys = {
      service: await makeKey({ metadata: { deep: { list: [1, 2] } }, roles: ['press'] }),
      team: await makeKey({ kind: 'team', owner: 'crew' }),
      personal: await makeKey({ kind: 'personal', owner: 'ada' }),
      abroad: await makeKey({ allowed_ips: ['203.0.113.0/24'] }),
      disabled: await makeKey(),
      rotated: await makeKey(),
      replaced: await makeKey(),
      revoked: await makeKey(),
    };
    const path = (name: keyof typeof keys) => `/v1/api-keys/${keys[name].id}`;
    await post(`${path('disabled')}/disable`);
    const rotation = { grace_seconds: 600 };
    const newest = textOf(await post(`${path('rotated')}/rotate`, rotation), 'key');
    await post(`${path('replaced')}/rotate`);
    const raws = { ...mapRaw(keys), newest };
    const paths = [
      '/v1/workspaces/acme',
      '/v1/users/ada?workspace_id=acme',
      '/v1/teams/crew?workspace_id=acme',
      '/v1/roles?workspace_id=acme',
      ...Object.values(keys).map(({ id }) => `/v1/api-keys/${id}`),
    ];
    // The last of all is a revocation, which has been acknowledged when the end comes.
    const { [path('revoked')]: _, ...before } = Object(await everything(paths));
    expect((await api.ask(path('revoked'), { method: 'DELETE' })).status).toBe(204);
    await restart(ending);
    expect(await everything(paths)).toMatchObject(before);
    const outcomes = Object.entries(raws).map(async ([name, raw]) => {
      return [name, (await check(raw)).outcome] as const;
    });
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual({
      service: 'allow',
      team: 'allow',
      personal: 'allow',
      abroad: 'ip_not_allowed',
      disabled: 'key_disabled',
      rotated: 'allow',
      newest: 'allow',
      replaced: 'key_expired',
      revoked: 'key_revoked',
    });
    await api.make('/v1/users/ada?workspace_id=acme', { method: 'PATCH', body: { roles: [] } });
    expect((await check(keys.personal.raw)).outcome).toBe('insufficient_scope');
  });

  test('what was spent of a day, a month and a quota stays spent, and uses stay counted', async () => {
    const { id, raw } = await makeKey();
    const fromMs = Date.now();
    const spending = startSpending(raw);
    await expect.poll(spending.tookMs, { timeout: 10_000 }).toBeGreaterThan(SPENDING_MS);
    // It goes on while Postern ends: whatever is answered then counts too.
    const endedMs = performance.now();
    await ending.end(postern);
    const { answered, asked } = await spending.over();
    const sureAfter = (lostMs: number) =>
      answered.filter((atMs) => ending.name === 'SIGTERM' || atMs < endedMs - lostMs).length;
    client.close();
    await start();
    const used = await usesOf(id);
    const { left } = await check(raw);
    expect(Object.keys(left).sort()).toEqual(Object.keys(LIMITS).sort());
    const sure = sureAfter(COUNTERS_LOST_MS);
    expect(sure).toBeGreaterThan(10);
    for (const [window, limit] of Object.entries(LIMITS)) {
      const spent = limit - (left[window] ?? 0) - 1;
      expect(spent).toBeGreaterThanOrEqual(sure);
      expect(spent).toBeLessThanOrEqual(asked);
    }
    expect(used).toBeGreaterThanOrEqual(sureAfter(USES_LOST_MS));
    expect(used).toBeLessThanOrEqual(asked);
    const { last_used_at } = await api.make(`/v1/api-keys/${id}`);
    expect(Date.parse(String(last_used_at))).toBeGreaterThanOrEqual(fromMs);
  });
});

/** Checks of a key, one after the other, until Postern is gone. */
function startSpending(raw: string) {
  const answered: number[] = [];
  let asked = 0;
  const run = async () => {
    for (;;) {
      asked += 1;
      const { outcome } = await check(raw);
      if (outcome !== 'allow') throw new Error(outcome);
      answered.push(performance.now());
    }
  };
  const startedMs = performance.now();
  const running = run().catch((cause: unknown) => cause);
  return {
    tookMs: () => (answered.at(-1) ?? startedMs) - startedMs,
    over: async () => {
      expect(await running).toHaveProperty('code', status.UNAVAILABLE);
      return { answered, asked };
    },
  };
}

/** How often a key was used, by its usage. */
async function usesOf(id: string): Promise<number> {
  const { data } = await api.make(`/v1/api-keys/${id}/usage`);
  const { days } = data as { days: readonly { readonly requests: number }[] };
  return days.reduce((sum, { requests }) => sum + requests, 0);
}

/** The raw text of each key. */
function mapRaw(keys: { readonly [name: string]: { readonly raw: string } }): {
  readonly [name: string]: string;
} {
  return Object.fromEntries(Object.entries(keys).map(([name, { raw }]) => [name, raw]));
}
