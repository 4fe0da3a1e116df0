import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { planMetric } from '../../../src/observe/metrics/plan.ts';
import { decide, NOW, type PolicySpec, policy, ports, rawKey } from '../../core/build.ts';

const MINUTE_MS = 60_000;
const RATIO = 'workspace_limit_used_ratio';

type Ask = { readonly key?: number; readonly times: number; readonly nowMs?: number };

/** Key N belongs to workspace `wN`. */
function keys(count: number): NonNullable<PolicySpec['keys']> {
  return Array.from({ length: count }, (_, at) => ({
    raw: rawKey('pst_', at + 1),
    id: `key-${at + 1}`,
    workspace: `w${at + 1}`,
  }));
}

/** A policy, its counters and its metrics; the clock of a scrape is set by the test. */
function open(spec: Partial<PolicySpec>, keyCount = 2) {
  const registry = new Registry();
  let nowMs = NOW;
  const hear = planMetric(registry, () => nowMs);
  const judged = policy({
    routes: [{ path: '/**', access: ['api_key', 'jwt', 'anonymous'], plan: 'free' }],
    keys: keys(keyCount),
    ...spec,
  });
  const { takeLimits } = ports();
  return {
    ask: async ({ key = 1, times, nowMs: atMs = NOW }: Ask) => {
      for (let at = 0; at < times; at += 1)
        hear(await decide(judged, { bearer: rawKey('pst_', key) }, { takeLimits }, atMs), atMs);
    },
    setClock: (ms: number) => {
      nowMs = ms;
    },
    lines: async (name: string) =>
      (await registry.metrics())
        .split('\n')
        .filter((line) => line.startsWith(`postern_${name}`))
        .map((line) => line.replace(`postern_${name}`, '')),
  };
}

describe('checks by how much of a plan is used', () => {
  test('from the first to the one that is refused', async () => {
    const { ask, lines } = open({ plans: { free: { per_minute: 20 } } });
    await ask({ times: 22 });
    expect(await lines('plan_checks_total')).toEqual([
      '{plan="free",used="under_50"} 9',
      '{plan="free",used="50_80"} 6',
      '{plan="free",used="80_95"} 3',
      '{plan="free",used="95_100"} 2',
      '{plan="free",used="refused"} 2',
    ]);
  });

  test('the fullest window speaks', async () => {
    const { ask, lines } = open({ plans: { free: { per_minute: 100, per_day: 3 } } });
    await ask({ times: 2 });
    expect(await lines('plan_checks_total')).toEqual([
      '{plan="free",used="under_50"} 1',
      '{plan="free",used="50_80"} 1',
    ]);
  });

  test('an empty bucket refuses, a filling one is no window', async () => {
    const { ask, lines } = open({ plans: { free: { per_minute: 100, burst: 2 } } });
    await ask({ times: 3 });
    expect(await lines('plan_checks_total')).toEqual([
      '{plan="free",used="under_50"} 2',
      '{plan="free",used="refused"} 1',
    ]);
  });

  test('the own limit of a route is not the plan', async () => {
    const { ask, lines } = open({
      plans: { free: { per_minute: 100 } },
      routes: [
        {
          path: '/**',
          access: ['api_key'],
          plan: 'free',
          limits: [{ name: 'tight', by: 'key', per_minute: 1 }],
        },
      ],
    });
    await ask({ times: 3 });
    expect(await lines('plan_checks_total')).toEqual(['{plan="free",used="under_50"} 3']);
  });

  test('without a plan nothing is counted', async () => {
    const { ask, lines } = open({ routes: [{ path: '/**', access: ['api_key'] }] });
    await ask({ times: 1 });
    expect(await lines('plan_checks_total')).toEqual([]);
  });
});

describe('workspaces near the end of a window', () => {
  test('are shown from the half on, until the window starts anew', async () => {
    const { ask, lines, setClock } = open({ plans: { free: { per_minute: 10 } } });
    await ask({ key: 1, times: 8 });
    await ask({ key: 2, times: 4 });
    expect(await lines(RATIO)).toEqual(['{plan="free",workspace="w1"} 0.8']);
    setClock(NOW + MINUTE_MS);
    expect(await lines(RATIO)).toEqual([]);
    await ask({ key: 2, times: 5, nowMs: NOW + MINUTE_MS });
    expect(await lines(RATIO)).toEqual(['{plan="free",workspace="w2"} 0.5']);
  });

  test('a window that is soon over hides none that lasts', async () => {
    const { ask, lines, setClock } = open({
      plans: { free: { per_second: 1, per_minute: 4, per_day: 10 } },
    });
    for (let second = 0; second < 3; second += 1)
      await ask({ times: 1, nowMs: NOW + second * 1000 });
    expect(await lines(RATIO)).toEqual(['{plan="free",workspace="w1"} 0.75']);
    const later = NOW + MINUTE_MS;
    setClock(later + 3000);
    for (let second = 0; second < 3; second += 1)
      await ask({ times: 1, nowMs: later + second * 1000 });
    expect(await lines(RATIO)).toEqual(['{plan="free",workspace="w1"} 0.75']);
    setClock(later + MINUTE_MS);
    await ask({ times: 1, nowMs: later + MINUTE_MS });
    expect(await lines(RATIO)).toEqual(['{plan="free",workspace="w1"} 0.7']);
  });

  test('a caller without a workspace is nobody', async () => {
    const { ask, lines } = open({ plans: { free: { per_minute: 1 } }, keys: [] });
    await ask({ times: 1 });
    expect(await lines(RATIO)).toEqual([]);
  });

  test('twenty are shown, the nearest first, however many there are', async () => {
    const { ask, lines } = open({ plans: { free: { per_minute: 10 } } }, 30);
    for (let key = 1; key <= 30; key += 1) await ask({ key, times: key <= 20 ? 9 : 6 });
    const shown = await lines(RATIO);
    expect(shown).toHaveLength(20);
    expect(shown.filter((line) => !line.endsWith(' 0.9'))).toEqual([]);
  });
});
