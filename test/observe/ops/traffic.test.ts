import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { checkMetric } from '../../../src/observe/metrics/check.ts';
import { quantileMs, trafficOf, writeTraffic } from '../../../src/observe/ops/traffic.ts';
import { counted, NOW_MS, STARTED_MS } from './stage.ts';

/** Cumulative counts with so many in each bucket (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 150, 250 ms, beyond). */
function within(...inEach: readonly number[]): readonly number[] {
  let sum = 0;
  return Array.from({ length: 13 }, (_, at) => {
    sum += inEach[at] ?? 0;
    return sum;
  });
}

describe('a quantile', () => {
  test.each([
    ['of nothing is null', within(), 0.5, null],
    ['of an empty reading is null', [], 0.5, null],
    ['halves the first bucket', within(10), 0.5, 0.05],
    ['is linear within a bucket', within(0, 0, 4), 0.25, 0.313],
    ['stands at the end of a bucket that holds just its part', within(5, 5), 0.5, 0.1],
    ['leaps over empty buckets', within(5, 0, 0, 0, 5), 0.9, 2.2],
    ['reaches the last bound', within(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), 1, 250],
    [
      'beyond the last bound is that bound',
      within(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9),
      0.99,
      250,
    ],
  ])('%s', (_name, counts, part, want) => {
    expect(quantileMs(counts, part)).toBe(want);
  });
});

describe('traffic', () => {
  const from = { atMs: STARTED_MS, checks: counted(10, { no_route: 5, blocked: 1 }) };

  test('is what came after the beginning of its window, by reason, the most frequent first', () => {
    const checks = counted(30, { no_route: 6, blocked: 1, unknown_key: 4, key_expired: 4 });
    const traffic = trafficOf({ from, to: { atMs: NOW_MS, checks } });
    expect(JSON.parse(JSON.stringify(writeTraffic(traffic)))).toEqual({
      since: '2026-11-21T09:00:00.000Z',
      ...{ requests: 29, allowed: 20, refused: 9, replies: 0 },
      reasons: { key_expired: 4, unknown_key: 4, no_route: 1 },
      latency_ms: { p50: 0.375, p90: 0.475, p99: 0.498 },
    });
    expect(traffic.reasons.map(([reason]) => reason)).toEqual([
      'key_expired',
      'unknown_key',
      'no_route',
    ]);
  });

  test('of a quiet window has no latency', () => {
    const { requests, reasons, latencyMs } = trafficOf({ from, to: { ...from, atMs: NOW_MS } });
    expect({ requests, reasons }).toEqual({ requests: 0, reasons: [] });
    expect(latencyMs).toEqual({ p50: null, p90: null, p99: null });
  });
});

test('what is read of checks is what was counted, over all routes', async () => {
  const metric = checkMetric(new Registry());
  const empty = await metric.read();
  for (const route of ['one', 'two']) {
    metric.observe({ route, decision: 'allow', reason: '' }, 0.05);
    metric.observe({ route, decision: 'deny', reason: 'no_route' }, 0.2);
  }
  metric.observe({ route: 'one', decision: 'reply', reason: '' }, 1000);
  const read = await metric.read();
  expect(read).toMatchObject({ allowed: 2, replied: 1, refused: new Map([['no_route', 2]]) });
  const traffic = trafficOf({
    from: { atMs: STARTED_MS, checks: empty },
    to: { atMs: NOW_MS, checks: read },
  });
  expect(traffic).toMatchObject({ requests: 5, allowed: 2, refused: 2, replies: 1 });
  expect(read.within).toEqual([2, 4, ...Array.from({ length: 10 }, () => 4), 5]);
  expect(traffic.latencyMs.p99).toBe(250);
});
