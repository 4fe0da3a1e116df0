import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { inOneMinute, inWaves } from '../profiles/gate.ts';
import { type CheckClient, type CheckSummary, openCheckClient } from './check-client.ts';
import { mint, policyText, sample } from './policy.ts';

const CHECKS = 1000;
const LIMIT = 100;
const key = mint();
const expired = mint();
const narrow = mint();

/** One plan by address, so that each run of a test counts anew; nothing else is shared. */
const POLICY = policyText({
  client_ip: { trusted_hops: 1 },
  plans: {
    minute: { by: 'ip', per_minute: LIMIT },
    both: { by: 'ip', per_minute: LIMIT, per_day: 150 },
    bucket: { by: 'ip', per_day: 10_000, burst: LIMIT },
    costly: { by: 'ip', per_day: LIMIT },
  },
  scopes: { 'docs:read': 'Read.', 'docs:write': 'Write.' },
  api_keys: {
    declared: [
      { id: 'one', hash: key.hash, scopes: ['docs:read'] },
      { id: 'old', hash: expired.hash, expires_at: '2020-01-01T00:00:00Z' },
      { id: 'two', hash: narrow.hash, rate_limit: { per_minute: 5 }, scopes: ['docs:read'] },
    ],
  },
  defaults: { access: ['api_key'] },
  routes: [
    { name: 'minute', path: '/minute', plan: 'minute' },
    { name: 'written', path: '/written', plan: 'minute', scopes: ['docs:write'] },
    { name: 'both', path: '/both', plan: 'both' },
    { name: 'bucket', path: '/bucket', plan: 'bucket' },
    { name: 'costly', path: '/costly', plan: 'costly', cost: 7 },
    {
      name: 'own',
      path: '/own',
      plan: 'minute',
      limits: [{ name: 'few', by: 'ip', per_minute: 3 }],
    },
    {
      name: 'open',
      path: '/open',
      access: 'public',
      limits: [{ name: 'all', by: 'ip', per_minute: LIMIT }],
    },
  ],
});

let postern: Postern;
let client: CheckClient;
let runs = 0;

beforeAll(async () => {
  postern = await startPostern({ policy: POLICY });
  client = openCheckClient(postern.checkAddress);
});

afterAll(async () => {
  client?.close();
  await postern?.kill();
});

/** An address that no run has had before. */
function freshAddress(): string {
  runs += 1;
  return `198.51.${Math.floor(runs / 250)}.${1 + (runs % 250)}`;
}

type Question = { readonly path: string; readonly from: string; readonly raw?: string };

function ask({ path, from, raw = key.raw }: Question): Promise<CheckSummary> {
  const headers = [
    ['x-api-key', raw],
    ['x-forwarded-for', `${from}, 127.0.0.1`],
  ] as const;
  return client.check({ path, headers });
}

/** How often each outcome came, when all are asked at the same time. */
async function tally(question: Question, times = CHECKS): Promise<{ [outcome: string]: number }> {
  const answers = await Promise.all(Array.from({ length: times }, () => ask(question)));
  const counts: { [outcome: string]: number } = {};
  for (const { allowed, reason = '' } of answers) {
    const outcome = allowed ? 'allow' : reason;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

async function remaining(question: Question): Promise<number> {
  return Number((await ask(question)).responseHeaders['x-ratelimit-remaining']);
}

async function metrics(): Promise<string> {
  return (await fetch(`${postern.opsUrl}/metrics`)).text();
}

describe('a thousand checks at once against a limit of a hundred', () => {
  test.each([
    ['minute', '/minute', LIMIT],
    ['minute and day', '/both', LIMIT],
    ['bucket', '/bucket', LIMIT],
    ['day, each for 7 units', '/costly', 14],
    ['minute, without a credential', '/open', LIMIT],
  ])('%s: exactly as many as fit', async (_name, path, fitting) => {
    const counts = await inOneMinute(() => tally({ path, from: freshAddress() }));
    // A bucket refills at its plan's rate of 10,000 a day: one every 8.64 s.
    const refilled = path === '/bucket' ? 1 : 0;
    expect(counts['allow']).toBeGreaterThanOrEqual(fitting);
    expect(counts['allow']).toBeLessThanOrEqual(fitting + refilled);
    expect(counts['rate_limited']).toBe(CHECKS - (counts['allow'] ?? 0));
  });

  test('spread over ten subjects: a hundred each', async () => {
    const counts = await inOneMinute(() =>
      Promise.all(
        Array.from({ length: 10 }, () => tally({ path: '/minute', from: freshAddress() }, 200)),
      ),
    );
    expect(counts).toEqual(Array(10).fill({ allow: LIMIT, rate_limited: 100 }));
  });

  test('the metrics agree', async () => {
    const names = ['allow', 'deny'].map((decision) => {
      const reason = decision === 'deny' ? 'rate_limited' : '';
      return `postern_checks_total{route="minute",decision="${decision}",reason="${reason}"}`;
    });
    const takes = ['admitted', 'refused'].map(
      (outcome) => `postern_limit_takes_total{outcome="${outcome}"}`,
    );
    const read = async () => {
      const page = await metrics();
      return [...names, ...takes].map((name) => sample(page, name));
    };
    const { before, counts, after } = await inOneMinute(async () => {
      const first = await read();
      const outcome = await tally({ path: '/minute', from: freshAddress() });
      return { before: first, counts: outcome, after: await read() };
    });
    const grown = after.map((value, at) => value - (before[at] ?? 0));
    expect(counts).toEqual({ allow: LIMIT, rate_limited: CHECKS - LIMIT });
    expect(grown).toEqual([LIMIT, CHECKS - LIMIT, LIMIT, CHECKS - LIMIT]);
  });
});

describe('a refused request is charged to no limit', () => {
  test.each<[string, Partial<Question>]>([
    ['an unknown key', { raw: mint().raw }],
    ['an expired key', { raw: expired.raw }],
    ['a missing scope, in the same plan', { path: '/written' }],
    ['an ambiguous path', { path: '/minute/../minute' }],
    ['no route', { path: '/nowhere' }],
  ])('%s', async (_name, change) => {
    const left = await inOneMinute(async () => {
      const from = freshAddress();
      const first = await remaining({ path: '/minute', from });
      const counts = await tally({ path: '/minute', from, ...change }, 50);
      expect(counts['allow']).toBeUndefined();
      return [first, await remaining({ path: '/minute', from })];
    });
    expect(left).toEqual([LIMIT - 1, LIMIT - 2]);
  });

  test("a route's own limit refuses: the plan is not charged", async () => {
    const { counts, left } = await inOneMinute(async () => {
      const from = freshAddress();
      const own = await tally({ path: '/own', from }, 50);
      return { counts: own, left: await remaining({ path: '/minute', from }) };
    });
    expect(counts).toEqual({ allow: 3, rate_limited: 47 });
    expect(left).toBe(LIMIT - 4);
  });

  test("a key's own limit refuses: the plan is not charged", async () => {
    const path = '/minute';
    const { counts, left } = await inOneMinute(async () => {
      const from = freshAddress();
      const fresh = mint();
      expect(fresh.raw).not.toBe(narrow.raw);
      const own = await tally({ path, from, raw: narrow.raw }, 50);
      return { counts: own, left: await remaining({ path, from }) };
    });
    const allowed = counts['allow'] ?? 0;
    // A second run within the same minute finds the key's five used up.
    expect(allowed).toBeLessThanOrEqual(5);
    expect(left).toBe(LIMIT - allowed - 1);
  });

  test('the minute refuses: the day is not charged, and serves the next minute', async () => {
    const headers = await inOneMinute(async () => {
      const from = freshAddress();
      await tally({ path: '/both', from }, 300);
      return (await ask({ path: '/both', from })).responseHeaders;
    });
    expect(headers['ratelimit']).toMatch(/^"minute";r=0;t=\d+, "day";r=50;t=\d+$/);
    expect(headers).toMatchObject({ 'x-ratelimit-policy': '100/minute' });
  });
});

describeEnvoy('through Envoy', () => {
  let envoy: RunningEnvoy;
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await startUpstream();
    envoy = await startEnvoy({
      checkAddress: postern.checkAddress,
      upstreamPort: upstream.port,
      trustedHops: 1,
    });
  });

  afterAll(async () => {
    await envoy?.stop();
    await upstream?.stop();
  });

  test('a thousand requests at once: a hundred reach the upstream', async () => {
    const statuses = await inOneMinute(async () => {
      upstream.clear();
      const from = freshAddress();
      const answers = await inWaves(CHECKS, CHECKS, () =>
        send({
          port: envoy.port,
          target: '/minute',
          headers: [
            ['X-Api-Key', key.raw],
            ['X-Forwarded-For', from],
          ],
        }),
      );
      return answers.map(({ status }) => status);
    });
    expect(countOf(statuses)).toEqual({ 200: LIMIT, 429: CHECKS - LIMIT });
    expect(upstream.requests).toHaveLength(LIMIT);
  });
});

function countOf(items: readonly number[]): { [item: number]: number } {
  const counts: { [item: number]: number } = {};
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}
