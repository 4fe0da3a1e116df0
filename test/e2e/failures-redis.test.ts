import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { type RedisServer, startRedis } from '../redis-harness/redis.ts';
import { describeRedisServer, newNamespace } from '../redis-harness/shared.ts';
import { waitFor } from '../redis-harness/wait.ts';
import { type CheckClient, type CheckSummary, openCheckClient } from './check-client.ts';
import { mint, policyText } from './policy.ts';
import { countsOf, outcomeOf } from './redis-four.ts';

const LIMIT = 50;
const CHECKS = 400;
const key = mint();
const wrong = mint();

describeRedisServer('two Posterns on one Redis', () => {
  let redis: RedisServer;
  let posterns: readonly Postern[] = [];
  let clients: readonly CheckClient[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    const policy = policyText({
      audit: 'none',
      // What this machine is too slow for is refused with 503, and asked again: it is in no count.
      on_store_failure: { limits: 'deny' },
      // Leases, where they are on, must not touch what counts failures.
      limits: { mode: 'leased' },
      store: { urls: redis.url, namespace: newNamespace() },
      api_keys: { declared: [{ id: 'one', hash: key.hash }] },
      routes: [
        {
          path: '/shut',
          access: ['api_key'],
          limits: [{ on: 'refused', per_month: LIMIT }],
        },
      ],
    });
    posterns = await Promise.all([startPostern({ policy }), startPostern({ policy })]);
    clients = posterns.map(({ checkAddress }) => openCheckClient(checkAddress));
    for (const { opsUrl } of posterns) {
      await waitFor('Postern is ready', async () => (await fetch(`${opsUrl}/readyz`)).ok);
    }
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await Promise.all(posterns.map((postern) => postern.kill()));
    await redis?.stop();
  });

  async function ask(turn: number, raw: string, source: string): Promise<CheckSummary> {
    const client = clients[turn % clients.length];
    if (!client) throw new Error('there is no such Postern');
    const headers = [['x-api-key', raw]] as const;
    const answer = await client.check({ path: '/shut', source, headers, timeoutMs: 30_000 });
    return answer.status === 503 ? ask(turn, raw, source) : answer;
  }

  const failAtOnce = (source: string) =>
    Promise.all(Array.from({ length: CHECKS }, (_, turn) => ask(turn, wrong.raw, source)));

  test('let exactly as many 401s leave together as the limit says', async () => {
    const answers = await failAtOnce('198.51.100.1');
    expect(countsOf(answers.map(outcomeOf))).toEqual({
      unknown_key: LIMIT,
      too_many_failures: CHECKS - LIMIT,
    });
    for (const turn of [0, 1]) {
      expect(outcomeOf(await ask(turn, key.raw, '198.51.100.1'))).toBe('too_many_failures');
      expect(outcomeOf(await ask(turn, key.raw, '198.51.100.2'))).toBe('allow');
    }
  });

  test('learn with the next failure of a source what it used up at the other', async () => {
    const source = '198.51.100.3';
    for (let at = 0; at < LIMIT; at += 1) await ask(0, wrong.raw, source);
    expect(outcomeOf(await ask(0, key.raw, source))).toBe('too_many_failures');
    expect(outcomeOf(await ask(1, key.raw, source))).toBe('allow');
    expect(outcomeOf(await ask(1, wrong.raw, source))).toBe('too_many_failures');
    expect(outcomeOf(await ask(1, key.raw, source))).toBe('too_many_failures');
  });
});
