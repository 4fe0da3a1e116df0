import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeEnvoy } from '../envoy-harness/envoy.ts';
import { type Managed, POLICY, startManaged, textOf, type Use } from './manage.ts';
import { handsOf, type Made } from './manage-hands.ts';

/** What may be lost by a crash, and what a reader may have to wait: the interval of writing. */
const WRITE_MS = 1000;
const PATIENCE_MS = WRITE_MS + 3000;
const ELSEWHERE = '203.0.113.9';

type Span = {
  readonly start: string;
  readonly requests: number;
  readonly refusals: number;
  readonly reasons: { readonly [reason: string]: number };
};

let managed: Managed;

/** How a key is used, by which refusals, and how often. */
const USES: readonly (readonly [outcome: string, times: number, use: Use])[] = [
  ['allow', 7, {}],
  ['insufficient_scope', 3, { method: 'POST' }],
  ['ip_not_allowed', 4, { from: ELSEWHERE }],
  ['allow', 2, { target: '/v1/reports/other' }],
];

describeEnvoy('the use of a key', () => {
  beforeAll(async () => {
    managed = await startManaged(POLICY);
    await managed.api.make('/v1/workspaces', { method: 'POST', body: { id: 'acme' } });
  });
  afterAll(() => managed?.stop());

  function makeKey(): Promise<Made> {
    return handsOf(managed).api.create({
      name: 'counted',
      workspace_id: 'acme',
      environment: 'live',
      scopes: ['reports:read'],
      allowed_ips: ['192.0.2.0/24'],
    });
  }

  async function lastUseOf({ id }: Made): Promise<number | undefined> {
    const { last_used_at } = await managed.api.make(`/v1/api-keys/${id}`);
    return typeof last_used_at === 'string' ? Date.parse(last_used_at) : undefined;
  }

  async function usageOf({ id }: Made): Promise<{ hours: readonly Span[]; days: readonly Span[] }> {
    const { data } = await managed.api.make(`/v1/api-keys/${id}/usage`);
    return data as { hours: readonly Span[]; days: readonly Span[] };
  }

  test('shows when it was last used, at most an interval late', async () => {
    const key = await makeKey();
    expect(await lastUseOf(key)).toBeUndefined();
    for (let turn = 0; turn < 2; turn += 1) {
      const fromMs = Date.now();
      expect(await managed.outcome(key.raw)).toBe('allow');
      const toMs = Date.now();
      const isShown = async () => ((await lastUseOf(key)) ?? 0) >= fromMs;
      await expect.poll(isShown, { timeout: PATIENCE_MS, interval: 50 }).toBe(true);
      expect(await lastUseOf(key)).toBeLessThanOrEqual(toMs);
    }
  });

  test('is counted by hour and by day, refusals by their reason, exactly', async () => {
    const key = await makeKey();
    const hours = [hourNow()];
    for (const [outcome, times, use] of USES) {
      for (let turn = 0; turn < times; turn += 1) {
        expect(await managed.outcome(key.raw, use)).toBe(outcome);
      }
    }
    await managed.api.make(`/v1/api-keys/${key.id}/disable`, { method: 'POST' });
    expect(await managed.outcome(key.raw)).toBe('key_disabled');
    hours.push(hourNow());
    const total = async () => sumOf((await usageOf(key)).hours).requests;
    await expect.poll(total, { timeout: PATIENCE_MS, interval: 50 }).toBe(17);
    const usage = await usageOf(key);
    const expected = {
      requests: 17,
      refusals: 8,
      reasons: { insufficient_scope: 3, ip_not_allowed: 4, key_disabled: 1 },
    };
    expect(sumOf(usage.hours)).toEqual(expected);
    expect(sumOf(usage.days)).toEqual(expected);
    const used = usage.hours.filter(({ requests }) => requests > 0).map(({ start }) => start);
    expect(new Set(hours)).toEqual(new Set([...used, ...hours]));
    expect(usage.days.at(-1)?.start).toBe(`${hours[1]?.slice(0, 10)}T00:00:00.000Z`);
  });

  test('of a key that nobody uses is nothing', async () => {
    const key = await makeKey();
    expect(await lastUseOf(key)).toBeUndefined();
    const { hours, days } = await usageOf(key);
    expect(sumOf([...hours, ...days])).toEqual({ requests: 0, refusals: 0, reasons: {} });
  });

  test('finds the keys that were not used since a moment', async () => {
    const [used, unused] = [await makeKey(), await makeKey()];
    const since = new Date().toISOString();
    await managed.outcome(used.raw);
    await expect
      .poll(async () => (await lastUseOf(used)) !== undefined, { timeout: PATIENCE_MS })
      .toBe(true);
    const list = await managed.api.make(`/v1/api-keys?unused_since=${encodeURIComponent(since)}`);
    const ids = (list['data'] as readonly { readonly [field: string]: unknown }[]).map((one) =>
      textOf(one, 'id'),
    );
    expect(ids).toContain(unused.id);
    expect(ids).not.toContain(used.id);
  });
});

/** All spans together. */
function sumOf(spans: readonly Span[]): Omit<Span, 'start'> {
  const reasons: { [reason: string]: number } = {};
  for (const span of spans) {
    for (const [reason, count] of Object.entries(span.reasons)) {
      reasons[reason] = (reasons[reason] ?? 0) + count;
    }
  }
  const sum = (of: (span: Span) => number) => spans.reduce((total, span) => total + of(span), 0);
  return {
    requests: sum(({ requests }) => requests),
    refusals: sum(({ refusals }) => refusals),
    reasons,
  };
}

/** The start of this hour, in UTC. */
function hourNow(): string {
  return `${new Date().toISOString().slice(0, 13)}:00:00.000Z`;
}
