import { expect, test } from 'vitest';
import type { ApiAnswer, ApiClient } from '../envoy-harness/api.ts';
import { describeRedisServer } from '../redis-harness/shared.ts';
import { itemsOf } from './manage.ts';
import { countsOf, type Family } from './redis-four.ts';
import { type Made, makeKey, REVOCATION_POLICY, verdictAt } from './redis-revoking.ts';
import { useFour } from './redis-suite.ts';

const ROUNDS = 25;
const PER_DAY = 9;
const USED = 5;

/** The month refuses too, so that a test may go on past midnight. */
const POLICY = {
  ...REVOCATION_POLICY,
  on_store_failure: { limits: 'deny' },
  plans: { small: { by: 'key', per_day: PER_DAY, per_month: PER_DAY } },
  default_plan: 'small',
};

/** The same request at two siblings at the same moment, at others in each round; the better status first. */
async function atTwo(
  family: Family,
  round: number,
  path: string,
  request: Parameters<Family['siblings'][number]['api']['ask']>[1],
): Promise<readonly [ApiAnswer, ApiAnswer]> {
  const ask = (turn: number) => family.at(turn).api.ask(path, request);
  const [one, other] = await Promise.all([ask(round), ask(round + 1 + (round % 3))]);
  return one.status <= other.status ? [one, other] : [other, one];
}

describeRedisServer('four Posterns on one Redis', () => {
  const four = useFour(POLICY);

  test('make one of two changes to one version, and tell the other so', async () => {
    const { id } = await makeKey(four.family.at(0));
    const path = `/v1/api-keys/${id}`;
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await four.family.at(round).api.ask(path);
      const headers = { 'if-match': before.headers.get('etag') ?? '' };
      const body = { metadata: { round } };
      const [made, refused] = await atTwo(four.family, round, path, {
        method: 'PATCH',
        headers,
        body,
      });
      expect([made.status, refused.status]).toEqual([200, 412]);
      expect(refused.body['reason']).toBe('version_mismatch');
      const after = await four.family.at(round + 2).api.ask(path);
      expect(after.headers.get('etag')).toBe(made.headers.get('etag'));
      expect(after.body['metadata']).toEqual({ round });
    }
  });

  test('make one key for an Idempotency-Key, whoever is asked', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const request = {
        method: 'POST',
        headers: { 'idempotency-key': `round-${round}` },
        body: { name: `round ${round}`, metadata: { round } },
      } as const;
      const [made, other] = await atTwo(four.family, round, '/v1/api-keys', request);
      expect(made.status).toBe(201);
      if (other.status === 201) expect(other.text).toBe(made.text);
      else expect([other.status, other.body['reason']]).toEqual([409, 'request_in_flight']);
      const again = await four.family.at(round + 2).api.ask('/v1/api-keys', request);
      expect([again.status, again.text]).toEqual([201, made.text]);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
    }
    const { data } = await four.family.at(0).api.make('/v1/api-keys?limit=200');
    const names = (data as readonly { readonly name: string }[]).map(({ name }) => name);
    const rounds = names.filter((name) => name.startsWith('round'));
    expect(rounds).toHaveLength(ROUNDS);
    expect(new Set(rounds).size).toBe(ROUNDS);
  });

  test('have lost nothing when all of them were started anew', async () => {
    const key = await makeKey(four.family.at(0));
    const revoked = await makeKey(four.family.at(1));
    await four.family.at(2).api.ask(`/v1/api-keys/${revoked.id}`, { method: 'DELETE' });
    const use = (turn: number) => verdictAt(four.family.at(turn), key.raw);
    for (let turn = 0; turn < USED; turn += 1) expect(await use(turn)).toBe('allow');
    await Promise.all(four.family.siblings.map(({ postern }) => postern.stop()));
    await four.restart();
    const { api } = four.family.at(3);
    expect((await api.make(`/v1/api-keys/${key.id}`))['status']).toBe('active');
    expect(await verdictAt(four.family.at(3), revoked.raw)).toBe('key_revoked');
    const events = itemsOf(await api.make('/v1/audit-events?limit=200'));
    const ofRevoked = events.filter(({ object }) => Object(object).id === revoked.id);
    expect(ofRevoked.map(({ event }) => event).sort()).toEqual(['key.created', 'key.revoked']);
    expect(await requestsOf(api, key)).toBe(USED);
    const outcomes: string[] = [];
    for (let turn = 0; turn < PER_DAY; turn += 1) outcomes.push(await use(turn));
    expect(countsOf(outcomes)).toEqual({ allow: PER_DAY - USED, rate_limited: USED });
  });
});

/** Requests with a key in all of its days. */
async function requestsOf(api: ApiClient, { id }: Made): Promise<number> {
  const { data } = await api.make(`/v1/api-keys/${id}/usage`);
  const { days } = data as { readonly days: readonly { readonly requests: number }[] };
  return days.reduce((sum, { requests }) => sum + requests, 0);
}
