import { expect, test } from 'vitest';
import { compileFigures, compilePlan, overridePlan } from '../../src/core/plan.ts';

test('windows stand from the smallest to the largest, the quota last', () => {
  const { windows, bucket } = compileFigures({
    quota: { requests: 7, per: 'day' },
    per_month: 6,
    per_day: 5,
    per_hour: 4,
    per_minute: 3,
    per_second: 2,
    burst: 1,
  });
  expect(windows.map(({ policy, label, slot }) => [policy, label, slot])).toEqual([
    ['2/second', 'second', 0],
    ['3/minute', 'minute', 1],
    ['4/hour', 'hour', 2],
    ['5/day', 'day', 3],
    ['6/month', 'month', 4],
    ['7/day', 'quota', 5],
  ]);
  expect(bucket).toEqual({ size: 1, limit: 2, lengthMs: 1000, policy: '2/second', label: 'burst' });
});

test.each([
  ['per_second', 1000],
  ['per_minute', 60_000],
  ['per_hour', 3_600_000],
  ['per_day', 86_400_000],
  ['per_month', 2_592_000_000],
] as const)('a bucket refills by %s over %d ms', (key, lengthMs) => {
  expect(compileFigures({ [key]: 9, burst: 3 }).bucket).toMatchObject({ limit: 9, lengthMs });
});

test('labels stand behind the name of their limit', () => {
  const { windows, bucket } = compileFigures({ per_minute: 1, burst: 1 }, 'search');
  expect([windows[0]?.label, bucket?.label]).toEqual(['search-minute', 'search-burst']);
});

test('figures of a kind replace those of the plan one by one', () => {
  const plan = compilePlan('p', { per_minute: 1, per_day: 2, jwt: { per_day: 9 } });
  expect(plan.figures.jwt.windows.map((one) => one.policy)).toEqual(['1/minute', '9/day']);
  expect(plan.figures.api_key.windows.map((one) => one.policy)).toEqual(['1/minute', '2/day']);
});

test('overrides stand above every kind', () => {
  const plan = compilePlan('p', { per_minute: 1, jwt: { per_minute: 2 } });
  const over = overridePlan(plan, { per_minute: 3, per_day: undefined });
  for (const figures of Object.values(over.figures)) {
    expect(figures.windows.map((one) => one.policy)).toEqual(['3/minute']);
  }
  expect(over.name).toBe('p');
});
