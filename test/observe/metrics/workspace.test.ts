import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { Usage } from '../../../src/core/limit.ts';
import { workspaceGauge } from '../../../src/observe/metrics/workspace.ts';

const NOW = Date.UTC(2026, 7, 15, 12);
const HOUR_MS = 3_600_000;

/** An hour's window of a hundred. */
function usage(used: number): Usage {
  return {
    label: 'hour',
    policy: '100/hour',
    limit: 100,
    quota: false,
    remaining: 100 - used,
    lengthMs: HOUR_MS,
    resetAtMs: NOW + HOUR_MS,
  };
}

async function shown(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith('postern_'));
}

test('of more workspaces than are tracked, the nearest to their end stay', async () => {
  const registry = new Registry();
  const hear = workspaceGauge(registry, () => NOW);
  for (let at = 0; at < 20; at += 1) hear({ plan: 'p', workspace: `near-${at}` }, [usage(99)], NOW);
  for (let at = 0; at < 10_000; at += 1)
    hear({ plan: 'p', workspace: `far-${at}` }, [usage(60)], NOW);
  const lines = await shown(registry);
  expect(lines).toHaveLength(20);
  expect(lines.filter((line) => !line.includes('near-'))).toEqual([]);
});

test('an id that is longer than any that we make is not shown', async () => {
  const registry = new Registry();
  const hear = workspaceGauge(registry, () => NOW);
  hear({ plan: 'p', workspace: 'w'.repeat(129) }, [usage(99)], NOW);
  hear({ plan: 'p', workspace: 'w'.repeat(128) }, [usage(99)], NOW);
  expect(await shown(registry)).toHaveLength(1);
});

test('the fullest of the users of a workspace speaks for it', async () => {
  const registry = new Registry();
  const hear = workspaceGauge(registry, () => NOW);
  for (const used of [60, 90, 70]) hear({ plan: 'p', workspace: 'w' }, [usage(used)], NOW);
  expect(await shown(registry)).toEqual([
    'postern_workspace_limit_used_ratio{plan="p",workspace="w"} 0.9',
  ]);
});
