import type { Decision } from '../../core/decision.ts';
import { type Usage, WINDOWS } from '../../core/limit.ts';
import { Counter, type Registry } from './prom-client.ts';
import { usedRatio, workspaceGauge } from './workspace.ts';

/** How much of a plan's fullest window is used, this request counted; or that the plan refused it. */
type Used = 'under_50' | '50_80' | '80_95' | '95_100' | 'refused';

/** Labels of a plan's own windows and bucket; those of a key's or a route's limit begin with its name. */
const PLAN_LABELS: ReadonlySet<string> = new Set([...WINDOWS, 'quota', 'burst']);

/** Hears of a decision made at `timeMs`. */
export type PlanMetric = (decision: Decision, timeMs: number) => void;

/** Counts how far plans are used up, and shows the workspaces that are nearest to their end; `now` is asked at a scrape. */
export function planMetric(registry: Registry, now: () => number): PlanMetric {
  const counts = new Map<string, Map<Used, number>>();
  const hearWorkspace = workspaceGauge(registry, now);
  new Counter({
    name: 'postern_plan_checks_total',
    help: 'Checks under a plan, by how much of its fullest window is used, or that it refused.',
    labelNames: ['plan', 'used'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const [plan, byUse] of counts)
        for (const [used, total] of byUse) this.inc({ plan, used }, total);
    },
  });
  return ({ plan, taken, principal }, timeMs) => {
    if (plan === undefined || !taken) return;
    const usages = taken.usages.filter(isOfPlan);
    if (usages.length === 0) return;
    const byUse = counts.get(plan) ?? new Map<Used, number>();
    counts.set(plan, byUse);
    const used = usedOf(usages);
    byUse.set(used, (byUse.get(used) ?? 0) + 1);
    const workspace = principal?.workspace;
    if (workspace !== undefined) hearWorkspace({ plan, workspace }, usages, timeMs);
  };
}

function isOfPlan({ label }: Usage): boolean {
  return PLAN_LABELS.has(label);
}

function usedOf(usages: readonly Usage[]): Used {
  let ratio = 0;
  for (const usage of usages) {
    if (usage.retryAtMs !== undefined) return 'refused';
    if (usage.burst === undefined) ratio = Math.max(ratio, usedRatio(usage));
  }
  if (ratio < 0.5) return 'under_50';
  if (ratio < 0.8) return '50_80';
  return ratio < 0.95 ? '80_95' : '95_100';
}
