import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import { headersOf, inOneMinute, inWaves, missing } from './gate.ts';
import { nowSeconds } from './jwks.ts';
import { access, type Promptreports, startPromptreports } from './promptreports.ts';
import { expectRefusal } from './support.ts';

const LIMITS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-policy'];

let gate: Promptreports;

describeEnvoy('promptreports: plans', () => {
  beforeAll(async () => {
    gate = await startPromptreports();
  });
  beforeEach(() => gate.upstream.clear());
  afterAll(() => gate?.stop());

  /** What a fresh user of an organization is told by the first request. */
  const told = async (org: string, plan?: string) => {
    const bearer = await access(org, plan === undefined ? {} : { plan });
    return gate.secure('/v1/prompts', { bearer });
  };

  test.each([
    ['free', 60, 1000, 10, 10],
    ['pro', 300, 10_000, 50, 10],
    ['business', 600, 50_000, 100, 10],
    ['enterprise', 1000, 100_000, 200, 12],
    ['gold, which there is not, so the default:', 60, 1000, 10, 10],
  ])('%s %i a minute, %i a day, burst %i', async (name, minute, day, ...[burst, seconds]) => {
    const [plan = ''] = name.split(',');
    const response = await inOneMinute((attempt) => told(`org_${plan}_${attempt}`, plan));
    expect(headersOf(response, LIMITS)).toEqual({
      'x-ratelimit-limit': String(minute),
      'x-ratelimit-remaining': String(minute - 1),
      'x-ratelimit-policy': `${minute}/minute`,
    });
    expect(response.header('ratelimit-policy')).toBe(
      `"minute";q=${minute};w=60, "day";q=${day};w=86400, "burst";q=${burst};w=${seconds}`,
    );
    const rest = /^"minute";r=(\d+);t=\d+, "day";r=(\d+);t=\d+, "burst";r=(\d+);t=1$/.exec(
      response.header('ratelimit') ?? '',
    );
    expect(rest?.slice(1).map(Number)).toEqual([minute - 1, day - 1, burst - 1]);
    expect(Number(response.header('x-ratelimit-reset')) % 60).toBe(0);
  });

  test.each<[string, string | undefined, string]>([
    ['names its plan', 'enterprise', '5000'],
    ['names no plan, so it is the one of its workspace', undefined, '5000'],
    ['names an unknown plan, so it is the one of its workspace', 'gold', '5000'],
    ['names another plan, which is not overridden', 'pro', '300'],
  ])('org_big has limits of its own when its token %s', async (_what, plan, limit) => {
    const response = await told('org_big', plan);
    expect(response.header('x-ratelimit-limit')).toBe(limit);
    const policy =
      limit === '5000'
        ? '"minute";q=5000;w=60, "day";q=100000;w=86400, "burst";q=400;w=5'
        : '"minute";q=300;w=60, "day";q=10000;w=86400, "burst";q=50;w=10';
    expect(response.header('ratelimit-policy')).toBe(policy);
  });

  test('a plan is one pool for all routes and users of an organization, and of no other', async () => {
    const remaining = await inOneMinute(async (attempt) => {
      const ask = async (target: string, org: string, sub: string) => {
        const bearer = await access(org, { plan: 'pro', sub });
        const response = await gate.secure(target, { bearer });
        return Number(response.header('x-ratelimit-remaining'));
      };
      const org = `org_pool_${attempt}`;
      return [
        await ask('/v1/prompts', org, 'ada'),
        await ask('/v1/reports', org, 'eve'),
        await ask('/v1/webhooks', org, 'ada'),
        await ask('/v1/prompts', `${org}_b`, 'ada'),
      ];
    });
    expect(remaining).toEqual([299, 298, 297, 299]);
  });

  test('an evaluation costs five, of the day too, and one of the burst', async () => {
    const { one, two } = await inOneMinute(async (attempt) => {
      const bearer = await access(`org_cost_${attempt}`, { plan: 'free' });
      const first = await gate.secure('/v1/evaluations', { bearer });
      return { one: first, two: await gate.secure('/v1/prompts', { bearer }) };
    });
    expect(headersOf(one, LIMITS)).toMatchObject({ 'x-ratelimit-remaining': '55' });
    expect(one.header('ratelimit')).toMatch(/"day";r=995;t=\d+, "burst";r=9;t=1$/);
    expect(headersOf(two, LIMITS)).toMatchObject({ 'x-ratelimit-remaining': '54' });
  });

  test('exactly 200 evaluations fit into the 1,000 of a minute', async () => {
    const responses = await inOneMinute(async (attempt) => {
      const bearer = await access(`org_ent_${attempt}`, { plan: 'enterprise' });
      gate.upstream.clear();
      return inWaves(220, 20, () => gate.secure('/v1/evaluations', { bearer }));
    });
    const admitted = responses.filter(({ status }) => status === 200);
    const refused = responses.filter(({ status }) => status === 429);
    expect([admitted.length, refused.length]).toEqual([200, 20]);
    expect(gate.upstream.requests.length).toBe(200);
    const rest = admitted.map((response) => Number(response.header('x-ratelimit-remaining')));
    expect(rest.sort((a, b) => b - a)).toEqual(Array.from({ length: 200 }, (_, i) => 995 - i * 5));
    const [last = missing()] = refused;
    expectRefusal(last, 429, 'rate_limited');
    expect(headersOf(last, LIMITS)).toEqual({
      'x-ratelimit-limit': '1000',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-policy': '1000/minute',
    });
    expect(last.header('x-ratelimit-reset')).toBe(admitted[0]?.header('x-ratelimit-reset'));
    const wait = Number(last.header('x-ratelimit-reset')) - nowSeconds();
    expect(Math.abs(Number(last.header('retry-after')) - wait)).toBeLessThan(5);
  });

  test('a burst of 10 fits, and a refusal is charged to neither minute nor day', async () => {
    const bearer = await access(`org_burst_${Math.random()}`, { plan: 'free' });
    const startedMs = performance.now();
    const responses = await inWaves(30, 15, () => gate.secure('/v1/prompts', { bearer }));
    const refilled = Math.floor((performance.now() - startedMs) / 1000);
    const admitted = responses.filter(({ status }) => status === 200);
    const refused = responses.filter(({ status }) => status === 429);
    expect(admitted.length + refused.length).toBe(30);
    expect(admitted.length).toBeGreaterThanOrEqual(10);
    expect(admitted.length).toBeLessThanOrEqual(10 + refilled);
    const [one = missing()] = refused;
    expect(headersOf(one, [...LIMITS, 'retry-after'])).toEqual({
      'x-ratelimit-limit': '60',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-policy': '60/minute',
      'retry-after': '1',
    });
    const days = refused.map((response) =>
      Number(/"day";r=(\d+)/.exec(response.header('ratelimit') ?? '')?.[1]),
    );
    expect(Math.min(...days)).toBeGreaterThanOrEqual(1000 - admitted.length);
  });
});
