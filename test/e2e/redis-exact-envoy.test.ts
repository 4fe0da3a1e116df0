import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type ReceivedResponse, send } from '../envoy-harness/send.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { mint } from './policy.ts';
import { type Suite, useCounters, useFour } from './redis-suite.ts';

const REQUESTS = 400;
const LIMIT = 100;
const FROM = '198.51.100.7';
const key = mint();

const POLICY = {
  client_ip: { trusted_hops: 1 },
  on_store_failure: { limits: 'deny' },
  plans: { month: { by: 'ip', per_month: LIMIT } },
  api_keys: { declared: [{ id: 'one', hash: key.hash }] },
  routes: [{ path: '/one', access: ['api_key'], plan: 'month' }],
};

let upstream: Upstream;
let envoys: readonly RunningEnvoy[] = [];

async function start({ family }: Suite): Promise<void> {
  upstream = await startUpstream();
  envoys = await Promise.all(
    family.siblings.map(({ postern }) =>
      startEnvoy({
        checkAddress: postern.checkAddress,
        upstreamPort: upstream.port,
        trustedHops: 1,
      }),
    ),
  );
}

async function stop(): Promise<void> {
  await Promise.all(envoys.map((envoy) => envoy.stop()));
  await upstream?.stop();
}

function request(turn: number): Promise<ReceivedResponse> {
  const { port = 0 } = envoys[turn % envoys.length] ?? {};
  const headers = [
    ['X-Api-Key', key.raw],
    ['X-Forwarded-For', FROM],
  ] as const;
  return send({ port, target: '/one', headers });
}

let late = 0;

/** Who is told 503 with `retry-after` asks again. */
async function judged(turn: number): Promise<ReceivedResponse> {
  const response = await request(turn);
  if (response.status !== 503) return response;
  late += 1;
  expect(response.header('retry-after')).toBe('1');
  return judged(turn);
}

/** What these were told to be left, each figure once. */
function remainingIn(responses: readonly ReceivedResponse[]): ReadonlySet<number> {
  return new Set(responses.map((response) => Number(response.header('x-ratelimit-remaining'))));
}

describeRedisServer('four Envoys, each with its Postern, on one Redis', () => {
  describeEnvoy('at the same moment', () => {
    const four = useFour(POLICY);
    const counters = useCounters(four);
    beforeAll(() => start(four));
    afterAll(stop);

    test('let through what fits into the limit, and tell each client what is left', async () => {
      const responses = await Promise.all(Array.from({ length: REQUESTS }, (_, at) => judged(at)));
      const through = responses.filter(({ status }) => status === 200);
      const refused = responses.filter(({ status }) => status === 429);
      expect([through.length, refused.length]).toEqual([LIMIT, REQUESTS - LIMIT]);
      expect(upstream.requests).toHaveLength(LIMIT);
      expect(await counters().counts()).toEqual([LIMIT]);
      // A charge that is given back is made again: of that request the same is told to two.
      const told = remainingIn(through);
      expect(told.size).toBeGreaterThanOrEqual(LIMIT - late);
      expect([Math.min(...told), Math.max(...told) < LIMIT]).toEqual([0, true]);
      expect(remainingIn(refused)).toEqual(new Set([0]));
      for (const response of responses) {
        expect(response.header('x-ratelimit-limit')).toBe(String(LIMIT));
        expect(response.header('x-ratelimit-policy')).toBe(`${LIMIT}/month`);
      }
      for (const response of refused) {
        expect(Number(response.header('retry-after'))).toBeGreaterThan(0);
        expect(response.json()).toMatchObject({ reason: 'rate_limited' });
      }
    });
  });
});
