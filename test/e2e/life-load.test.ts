import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ApiClient } from '../envoy-harness/api.ts';
import type { Postern } from '../envoy-harness/postern.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import { apiOf, POLICY, startManagedPostern, textOf } from './manage.ts';

const STREAMS = 12;
const CLIENTS = 3;
const BEFORE = 200;
const AFTER = 200;

type Check = { readonly startedMs: number; readonly endedMs: number; readonly outcome: string };

let postern: Postern;
let api: ApiClient;
let clients: readonly CheckClient[];
let id: string;
let raw: string;

/** One check of the key as Envoy asks it; times are those of the monotonic clock. */
async function check(client: CheckClient): Promise<Check> {
  const startedMs = performance.now();
  const { allowed, reason } = await client.check({
    path: '/v1/reports/7',
    headers: [
      ['x-api-key', raw],
      ['x-forwarded-for', '192.0.2.10, 127.0.0.1'],
    ],
  });
  return { startedMs, endedMs: performance.now(), outcome: allowed ? 'allow' : String(reason) };
}

/** Streams of checks without a pause, until they are stopped. */
function startStreams(): { readonly checks: readonly Check[]; stop: () => Promise<void> } {
  const checks: Check[] = [];
  let isStopping = false;
  const run = async (client: CheckClient) => {
    while (!isStopping) checks.push(await check(client));
  };
  const running = Array.from({ length: STREAMS }, (_, at) => {
    const client = clients[at % clients.length];
    return client ? run(client) : Promise.resolve();
  });
  return {
    checks,
    stop: async () => {
      isStopping = true;
      await Promise.all(running);
    },
  };
}

beforeAll(async () => {
  postern = await startManagedPostern(POLICY);
  api = apiOf(postern);
  clients = Array.from({ length: CLIENTS }, () => openCheckClient(postern.checkAddress));
  const workspace_id = 'acme';
  await api.make('/v1/workspaces', { method: 'POST', body: { id: workspace_id } });
  await api.make('/v1/teams', { method: 'POST', body: { id: 'crew', workspace_id } });
});

afterAll(async () => {
  for (const client of clients ?? []) client.close();
  await postern?.kill();
});

type Change = {
  readonly name: string;
  readonly outcome: string;
  /** Whose key it is. */
  readonly kind: 'personal' | 'team' | 'service';
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly path: (key: string, user: string) => string;
  readonly body?: object;
};

const CHANGES: readonly Change[] = [
  {
    name: 'revoked',
    outcome: 'key_revoked',
    kind: 'service',
    method: 'DELETE',
    path: (key) => `/v1/api-keys/${key}`,
  },
  {
    name: 'disabled',
    outcome: 'key_disabled',
    kind: 'service',
    method: 'POST',
    path: (key) => `/v1/api-keys/${key}/disable`,
  },
  {
    name: 'rotated',
    outcome: 'key_expired',
    kind: 'service',
    method: 'POST',
    path: (key) => `/v1/api-keys/${key}/rotate`,
  },
  {
    name: 'narrowed',
    outcome: 'insufficient_scope',
    kind: 'service',
    method: 'PATCH',
    path: (key) => `/v1/api-keys/${key}`,
    body: { scopes: ['reports:write'] },
  },
  {
    name: 'bereft of its owner',
    outcome: 'owner_deactivated',
    kind: 'personal',
    method: 'PATCH',
    path: (_key, user) => `/v1/users/${user}?workspace_id=acme`,
    body: { status: 'deactivated' },
  },
  {
    name: 'bereft of its team',
    outcome: 'key_revoked',
    kind: 'team',
    method: 'DELETE',
    path: () => '/v1/teams/crew?workspace_id=acme',
  },
  {
    name: 'suspended with its workspace',
    outcome: 'workspace_suspended',
    kind: 'service',
    method: 'PATCH',
    path: () => '/v1/workspaces/acme',
    body: { status: 'suspended' },
  },
];

describe('under load, what the API has acknowledged holds for the very next check', () => {
  let user: string;

  async function makeKey(kind: Change['kind']): Promise<void> {
    const owners = { personal: user, team: 'crew', service: undefined };
    const owner = owners[kind];
    const made = await api.make('/v1/api-keys', {
      method: 'POST',
      body: {
        name: 'busy',
        kind,
        ...(owner !== undefined && { owner }),
        workspace_id: 'acme',
        environment: 'live',
        scopes: ['reports:read'],
      },
    });
    id = textOf(made, 'id');
    raw = textOf(made, 'key');
  }

  beforeEach(async ({ task }) => {
    user = `user-${task.id.replaceAll(/\W/g, '')}`;
    const body = { id: user, workspace_id: 'acme', roles: ['writer'] };
    await api.make('/v1/users', { method: 'POST', body });
  });

  test.each(CHANGES)('a key is $name', async ({ kind, method, path, body, outcome }) => {
    await makeKey(kind);
    const streams = startStreams();
    try {
      const { checks } = streams;
      await expect.poll(() => checks.length).toBeGreaterThan(BEFORE);
      const askedMs = performance.now();
      const answer = await api.ask(path(id, user), { method, ...(body && { body }) });
      const doneMs = performance.now();
      expect(answer.status, answer.text).toBeLessThan(300);
      const later = () => checks.filter(({ startedMs }) => startedMs > doneMs);
      await expect.poll(() => later().length).toBeGreaterThan(AFTER);
      expect(new Set(later().map((one) => one.outcome))).toEqual(new Set([outcome]));
      const sooner = checks.filter(({ endedMs }) => endedMs < askedMs);
      expect(sooner.length).toBeGreaterThan(BEFORE / 2);
      expect(new Set(sooner.map((one) => one.outcome))).toEqual(new Set(['allow']));
    } finally {
      await streams.stop();
    }
  });
});
