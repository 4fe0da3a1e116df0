import { expect, test } from 'vitest';
import type { HealthReading } from '../../src/observe/metrics/collected.ts';
import { createMetrics } from '../../src/observe/metrics/metrics.ts';

/** Metrics over a store whose health the test sets; the lines of one scrape that begin with a name. */
function open(health: HealthReading) {
  let current = health;
  const metrics = createMetrics({
    store: () => ({ subjects: 0, forgotten: 0, dropped: 0, failures: 0 }),
    health: () => current,
    audit: () => [],
    jwks: () => [],
    build: { version: '0', node: '0' },
  });
  const lines = async (name: string) => {
    const { text } = await metrics.page(undefined);
    return text.split('\n').filter((line) => line.startsWith(`postern_${name}`));
  };
  const set = (next: HealthReading) => {
    current = next;
  };
  return { ...metrics, lines, set };
}

test('a store in this process is up and has no servers', async () => {
  const { lines } = open({ isUp: true, isDegraded: false, nodes: [] });
  expect(await lines('store_up')).toEqual(['postern_store_up 1']);
  expect(await lines('degraded')).toEqual(['postern_degraded 0']);
  expect(await lines('store_breaker')).toEqual([]);
});

test('each server shows the state of its breaker, and is gone when it is gone', async () => {
  const one = { node: 'redis-0:6379', breaker: 'open' } as const;
  const { lines, set } = open({ isUp: false, isDegraded: true, nodes: [one] });
  expect(await lines('store_up')).toEqual(['postern_store_up 0']);
  expect(await lines('degraded')).toEqual(['postern_degraded 1']);
  expect(await lines('store_breaker')).toEqual([
    'postern_store_breaker{node="redis-0:6379",state="closed"} 0',
    'postern_store_breaker{node="redis-0:6379",state="open"} 1',
    'postern_store_breaker{node="redis-0:6379",state="half_open"} 0',
  ]);
  set({ isUp: true, isDegraded: false, nodes: [{ node: 'redis-1:6379', breaker: 'closed' }] });
  expect((await lines('store_breaker')).filter((line) => line.endsWith(' 1'))).toEqual([
    'postern_store_breaker{node="redis-1:6379",state="closed"} 1',
  ]);
  expect((await lines('store_breaker')).join()).not.toContain('redis-0');
});

test('trips are timed by operation and outcome; those that failed are counted, from 0 on', async () => {
  const { lines, trip } = open({ isUp: true, isDegraded: false, nodes: [] });
  trip({ operation: 'take', outcome: 'ok', tookMs: 2 });
  trip({ operation: 'take', outcome: 'ok', tookMs: 0.05 });
  trip({ operation: 'take', outcome: 'late', tookMs: 60 });
  trip({ operation: 'find', outcome: 'down', tookMs: 0 });
  const timed = await lines('store_trip_duration_seconds');
  for (const line of [
    '_count{operation="take",outcome="ok"} 2',
    '_bucket{le="0.0001",operation="take",outcome="ok"} 1',
    '_bucket{le="0.0025",operation="take",outcome="ok"} 2',
    '_bucket{le="0.1",operation="take",outcome="late"} 1',
    '_count{operation="find",outcome="down"} 1',
  ]) {
    expect(timed).toContain(`postern_store_trip_duration_seconds${line}`);
  }
  expect(await lines('store_failures_total')).toEqual([
    'postern_store_failures_total{operation="take",outcome="late"} 1',
    'postern_store_failures_total{operation="take",outcome="down"} 0',
    'postern_store_failures_total{operation="take",outcome="failed"} 0',
    'postern_store_failures_total{operation="find",outcome="late"} 0',
    'postern_store_failures_total{operation="find",outcome="down"} 1',
    'postern_store_failures_total{operation="find",outcome="failed"} 0',
  ]);
});
