import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type ReceivedResponse, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { outcomeOf } from '../profiles/gate.ts';
import { waitFor } from '../redis-harness/wait.ts';
import { type CheckClient, openCheckClient } from './check-client.ts';
import { mint, policyText, sample } from './policy.ts';

const LIMIT = 3;
const BLOCK_S = 3;
const key = mint();
const old = mint();
const wrong = mint();

const POLICY = policyText({
  client_ip: { trusted_hops: 1 },
  audit: 'none',
  alerts: {
    failures: [
      // By the day, so that hardly any run has the end of a window in it.
      { by: 'ip', per_day: LIMIT, block: `${BLOCK_S}s` },
      { by: 'key', per_day: LIMIT, block: '1h' },
    ],
  },
  api_keys: {
    declared: [
      { id: 'one', hash: key.hash },
      { id: 'old', hash: old.hash, expires_at: '2020-01-01T00:00:00Z' },
    ],
  },
  routes: [
    { name: 'open', path: '/open', access: 'public' },
    { name: 'shut', path: '/shut', access: ['api_key'] },
  ],
});

let postern: Postern;
let client: CheckClient;

beforeAll(async () => {
  postern = await startPostern({ policy: POLICY });
  client = openCheckClient(postern.checkAddress);
});

afterAll(async () => {
  client?.close();
  await postern?.kill();
});

test('a refused key is refused with 429 from everywhere, and counted as such', async () => {
  const reasons: (string | undefined)[] = [];
  for (let at = 0; at <= LIMIT; at += 1) {
    const headers = [
      ['x-api-key', old.raw],
      ['x-forwarded-for', `192.0.2.${at}, 127.0.0.1`],
    ] as const;
    reasons.push((await client.check({ path: '/shut', headers })).reason);
  }
  expect(reasons).toEqual([...Array(LIMIT).fill('key_expired'), 'too_many_failures']);
  const page = await (await fetch(`${postern.opsUrl}/metrics`)).text();
  const row = 'postern_checks_total{route="shut",decision="deny",reason="too_many_failures"}';
  expect(sample(page, row)).toBe(1);
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

  function call(from: string, raw: string, target = '/shut'): Promise<ReceivedResponse> {
    const headers = [
      ['X-Api-Key', raw],
      ['X-Forwarded-For', from],
    ] as const;
    return send({ port: envoy.port, target, headers });
  }

  async function fail(from: string, times = LIMIT): Promise<readonly number[]> {
    const statuses: number[] = [];
    for (let at = 0; at < times; at += 1) statuses.push((await call(from, wrong.raw)).status);
    return statuses;
  }

  test('the address that failed too often is refused for a while, a good key too', async () => {
    const from = '198.51.100.1';
    expect(await fail(from, LIMIT)).toEqual(Array(LIMIT).fill(401));
    const refused = await call(from, key.raw);
    expect(refused.status).toBe(429);
    expect(refused.json()).toMatchObject({ error: 'RATE_LIMITED', reason: 'too_many_failures' });
    expect(['1', '2', '3']).toContain(refused.header('retry-after'));
    expect((await call('198.51.100.2', key.raw)).status).toBe(200);
    expect((await call(from, key.raw, '/open')).status).toBe(200);
    const isAdmitted = async () => (await call(from, key.raw)).status === 200;
    await waitFor('the block is over', isAdmitted);
  });

  test('an IPv6 address is refused with its /64', async () => {
    await fail('2001:db8:1:1::1');
    expect(outcomeOf(await call('2001:db8:1:1:ffff::2', key.raw))).toBe('too_many_failures');
    expect(outcomeOf(await call('2001:db8:1:2::1', key.raw))).toBe('allow');
  });

  test('a caller that says it were another locks itself out, and not the other', async () => {
    const victim = '198.51.100.77';
    const attacker = '198.51.100.78';
    await fail(`${victim}, ${attacker}`);
    expect(outcomeOf(await call(victim, key.raw))).toBe('allow');
    expect(outcomeOf(await call(attacker, key.raw))).toBe('too_many_failures');
  });
});

describe('a limit on: refused', () => {
  const HUNDRED = 100;
  let limited: Postern;
  let asking: CheckClient;

  beforeAll(async () => {
    limited = await startPostern({
      policy: policyText({
        audit: 'none',
        api_keys: { declared: [{ id: 'one', hash: key.hash }] },
        routes: [
          {
            path: '/shut',
            access: ['api_key'],
            limits: [{ name: 'bad', on: 'refused', per_month: HUNDRED }],
          },
        ],
      }),
    });
    asking = openCheckClient(limited.checkAddress);
  });

  afterAll(async () => {
    asking?.close();
    await limited?.kill();
  });

  test('a thousand failing checks at once: a hundred 401s, and 429 for all others', async () => {
    const ask = (raw: string) => asking.check({ path: '/shut', headers: [['x-api-key', raw]] });
    expect((await ask(key.raw)).responseHeaders).not.toHaveProperty('x-ratelimit-limit');
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(wrong.raw)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(HUNDRED);
    expect(statuses.filter((status) => status === 429)).toHaveLength(900);
    const refused = await ask(key.raw);
    expect([refused.allowed, refused.reason]).toEqual([false, 'too_many_failures']);
    expect(refused.responseHeaders).toMatchObject({
      'x-ratelimit-limit': String(HUNDRED),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-policy': `${HUNDRED}/month`,
    });
    expect(Number(refused.responseHeaders['retry-after'])).toBeGreaterThan(0);
  });
});
