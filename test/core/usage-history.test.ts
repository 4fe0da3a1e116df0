import { describe, expect, test } from 'vitest';
import type { UsageHour } from '../../src/core/record-store.ts';
import { judgeUsage, tellingHours } from '../../src/core/usage-history.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.parse('2026-06-15T12:40:00.000Z');
const THIS_HOUR_MS = Date.parse('2026-06-15T12:00:00.000Z');
const RULES = { factor: 5, atLeast: 1000 };

/** An hour of a key, so many hours before this one. */
function hour(ago: number, requests: number, refused = 0): UsageHour {
  const startMs = THIS_HOUR_MS - ago * HOUR_MS;
  return { startMs, requests, refusals: refused > 0 ? { rate_limited: refused } : {} };
}

describe('requests of an hour', () => {
  test.each<[string, readonly UsageHour[], boolean]>([
    ['far above the busiest hour are unusual', [hour(30, 300), hour(0, 1501)], true],
    ['of just the factor are not', [hour(30, 300), hour(0, 1500)], false],
    ['below the least are not', [hour(30, 1), hour(0, 999)], false],
    [
      'are compared with the busiest hour, not the last',
      [hour(90, 300), hour(1, 1), hour(0, 1500)],
      false,
    ],
    ['are compared with seven days', [hour(24 * 7 + 2, 9000), hour(30, 10), hour(0, 1000)], true],
    ['after a silent week are unusual', [hour(24 * 20, 9000), hour(0, 1000)], true],
    ['of a key in its first day are not', [hour(22, 1), hour(0, 90_000)], false],
    ['of a key in its first hour are not', [hour(0, 90_000)], false],
    ['of nobody are not', [], false],
  ])('%s', (_, hours, want) => {
    expect(judgeUsage(hours, NOW_MS, RULES).requests !== undefined).toBe(want);
    expect(judgeUsage(tellingHours(hours, NOW_MS), NOW_MS, RULES).requests !== undefined).toBe(
      want,
    );
  });

  test('are told beside the busiest hour', () => {
    const judged = judgeUsage([hour(30, 200), hour(40, 100), hour(0, 5000)], NOW_MS, RULES);
    expect(judged).toEqual({ requests: { inHour: 5000, busiest: 200 }, refusals: undefined });
  });
});

test('refusals are judged by themselves, of all reasons', () => {
  const before: UsageHour = { ...hour(30, 4000), refusals: { key_expired: 5, rate_limited: 5 } };
  const current: UsageHour = { ...hour(0, 4000), refusals: { rate_limited: 500, blocked: 500 } };
  expect(judgeUsage([before, current], NOW_MS, RULES)).toEqual({
    requests: undefined,
    refusals: { inHour: 1000, busiest: 10 },
  });
});

test('of a month of hours only those are kept that tell something', () => {
  const month = Array.from({ length: 720 }, (_, at) => hour(720 - at, at % 97, at % 89));
  const hours = [...month, hour(0, 5000, 2000)];
  const telling = tellingHours(hours, NOW_MS);
  expect(telling).toHaveLength(4);
  expect(judgeUsage(telling, NOW_MS, RULES)).toEqual(judgeUsage(hours, NOW_MS, RULES));
});
