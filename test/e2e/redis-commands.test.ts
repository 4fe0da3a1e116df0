import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiClient } from '../envoy-harness/api.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { startCluster } from '../redis-harness/cluster.ts';
import { startRedis } from '../redis-harness/redis.ts';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { waitFor } from '../redis-harness/wait.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import { policyText } from './policy.ts';
import { type Cost, costOf, type Sources } from './redis-costs.ts';
import { countsOf, outcomeOf } from './redis-four.ts';
import { inLanes } from './redis-storm.ts';

const CHECKS = 1000;
const KEYS = 20;
/** Few, so that a busy machine answers them in time. */
const LANES = 4;
/** A round in which Redis was late says nothing about what a check costs. */
const ROUNDS_MAX = 5;
const ROUND_MS = 30_000;
const WIDE = { per_month: 1_000_000_000 };

/** Routes by what their own limit counts against; the plan counts against the workspace. */
const ROUTES = ['workspace', 'key', 'ip'] as const;

type Case = {
  readonly route: (typeof ROUTES)[number];
  /** Keys with a limit of their own, which counts against the key. */
  readonly own: boolean;
  readonly limits: number;
  readonly subjects: number;
};

const CASES: readonly Case[] = [
  { route: 'workspace', own: false, limits: 2, subjects: 1 },
  { route: 'workspace', own: true, limits: 3, subjects: 2 },
  { route: 'key', own: true, limits: 3, subjects: 2 },
  { route: 'ip', own: true, limits: 3, subjects: 3 },
];

function policyOn(urls: string | readonly string[], mode: string): string {
  return policyText({
    store: { urls, namespace: `commands-${mode}` },
    limits: { mode },
    audit: 'none',
    on_store_failure: { limits: 'deny' },
    workspaces: { acme: {} },
    plans: { shared: { by: 'workspace', per_minute: 1_000_000_000, per_day: 1_000_000_000 } },
    default_plan: 'shared',
    routes: ROUTES.map((by) => ({
      name: by,
      path: `/${by}`,
      access: ['api_key'],
      limits: [{ name: 'more', by, ...WIDE }],
    })),
  });
}

/** A Postern with keys that it has met. */
type Gate = {
  readonly sources: Sources;
  /** So many checks of a route, with all keys in turn; answers how many were allowed, as all are that Redis was in time for. */
  readonly check: (route: string, keys: readonly string[], count: number) => Promise<number>;
  /** Keys of one workspace, some of them with a limit of their own. */
  readonly plain: readonly string[];
  readonly limited: readonly string[];
  readonly stop: () => Promise<unknown>;
};

async function openGate(
  urls: string | readonly string[],
  servers: Sources['servers'],
  mode = 'exact',
): Promise<Gate> {
  const token = randomBytes(32).toString('base64url');
  const env = { POSTERN_ADMIN_TOKEN: token };
  const postern: Postern = await startPostern({ policy: policyOn(urls, mode), env });
  const client: CheckClient = openCheckClient(postern.checkAddress);
  const api = openApiClient(postern.apiUrl ?? '', token);
  await waitFor('Postern is ready', async () => (await fetch(`${postern.opsUrl}/readyz`)).ok);
  const make = async (draft: object) => {
    const body = { name: 'a key', workspace_id: 'acme', ...draft };
    return String((await api.make('/v1/api-keys', { method: 'POST', body }))['key']);
  };
  const plain = await inLanes(Array(KEYS).fill({}), LANES, make);
  const limited = await inLanes(Array(KEYS).fill({ rate_limit: WIDE }), LANES, make);
  const check = async (route: string, keys: readonly string[], count: number) => {
    const turns = Array.from({ length: count }, (_, turn) => keys[turn % keys.length] ?? '');
    const outcomes = await inLanes(turns, LANES, async (raw) =>
      outcomeOf(await client.check({ path: `/${route}`, headers: [['x-api-key', raw]] })),
    );
    const { allow = 0, unavailable = 0 } = countsOf(outcomes);
    expect(allow + unavailable).toBe(count);
    return allow;
  };
  for (const route of ROUTES) await check(route, [...plain, ...limited], 2 * KEYS);
  const stop = async () => {
    client.close();
    await postern.kill();
  };
  return { sources: { opsUrl: postern.opsUrl, servers }, check, plain, limited, stop };
}

/** What checks cost where Redis was in time for all of them. */
async function costOfChecks(
  gate: Gate,
  { route, own }: Pick<Case, 'route' | 'own'>,
): Promise<Cost> {
  const keys = own ? gate.limited : gate.plain;
  for (let round = 1; ; round += 1) {
    let allowed = 0;
    const cost = await costOf(gate.sources, async () => {
      allowed = await gate.check(route, keys, CHECKS);
    });
    const isInTime = allowed === CHECKS && cost.missed === 0;
    if (isInTime || round === ROUNDS_MAX) return cost;
  }
}

describeRedisServer('what a check of a remembered key costs', () => {
  describe('on a single Redis', () => {
    let redis: Awaited<ReturnType<typeof startRedis>>;
    let gate: Gate;
    beforeAll(async () => {
      redis = await startRedis();
      gate = await openGate(redis.url, [redis]);
    }, ROUND_MS);
    afterAll(async () => {
      await gate?.stop();
      await redis?.stop();
    });

    test.each(CASES)(
      'one command for $limits limits of $subjects subject(s); the last counts by $route',
      async (one) => {
        const cost = await costOfChecks(gate, one);
        expect(cost).toMatchObject({ missed: 0, ofChecks: CHECKS });
        expect(cost.trips.get('take')).toBe(CHECKS);
      },
      ROUNDS_MAX * ROUND_MS,
    );
  });

  describe('on a Cluster', () => {
    let cluster: Awaited<ReturnType<typeof startCluster>>;
    let gate: Gate;
    beforeAll(async () => {
      cluster = await startCluster({ replicas: 0, nodeTimeoutMs: 15_000 });
      await cluster.untilOk();
      gate = await openGate(cluster.urls, cluster.nodes);
    }, ROUND_MS);
    afterAll(async () => {
      await gate?.stop();
      await cluster?.stop();
    });

    test.each(CASES)(
      '$subjects for $limits limits of $subjects subject(s); the last counts by $route',
      async (one) => {
        const cost = await costOfChecks(gate, one);
        expect(cost).toMatchObject({ missed: 0, ofChecks: one.subjects * CHECKS });
        expect(cost.trips.get('take')).toBe(one.subjects * CHECKS);
      },
      ROUNDS_MAX * ROUND_MS,
    );
  });

  describe('on a single Redis, where hot limits are leased', () => {
    let redis: Awaited<ReturnType<typeof startRedis>>;
    let gate: Gate;
    beforeAll(async () => {
      redis = await startRedis();
      gate = await openGate(redis.url, [redis], 'leased');
    }, ROUND_MS);
    afterAll(async () => {
      await gate?.stop();
      await redis?.stop();
    });

    test(
      'less than a command for ten checks, all that goes back counted in',
      async () => {
        const one: Gate = { ...gate, limited: gate.limited.slice(0, 1) };
        await one.check('ip', one.limited, CHECKS);
        const cost = await costOfChecks(one, { route: 'ip', own: true });
        expect(cost.ofChecks).toBeLessThan(CHECKS / 10);
      },
      ROUNDS_MAX * ROUND_MS,
    );
  });
});
