import type { Usage } from '../../core/limit.ts';
import { Gauge, type Registry } from './prom-client.ts';

type Owner = { readonly plan: string; readonly workspace: string };
type Nearness = Owner & { readonly ratio: number; readonly resetAtMs: number };

const SHOWN_MAX = 20;
const TRACKED_MAX = 2000;
const RATIO_MIN = 0.5;
/** A window that is over before somebody scrapes says nothing. */
const WINDOW_MIN_MS = 60_000;
/** An id is a word of the policy or the store; what is longer came with a token, and would be memory. */
const ID_CHARS_MAX = 128;

/** Hears how the windows of a plan stand for a workspace at `timeMs`. */
export type HearWorkspace = (owner: Owner, usages: readonly Usage[], timeMs: number) => void;

/** Shows the workspaces nearest to the end of a window, of a minute or more, that is at least half used. */
export function workspaceGauge(registry: Registry, now: () => number): HearWorkspace {
  const tracked = new Map<string, Nearness>();
  new Gauge({
    name: 'postern_workspace_limit_used_ratio',
    help: 'Used part of the fullest window, of the workspaces nearest to its end.',
    labelNames: ['plan', 'workspace'] as const,
    registers: [registry],
    collect() {
      this.reset();
      drop(tracked, now());
      for (const { plan, workspace, ratio } of nearest(tracked).slice(0, SHOWN_MAX))
        this.set({ plan, workspace }, ratio);
    },
  });
  return ({ plan, workspace }, usages, timeMs) => {
    const usage = fullest(usages);
    if (!usage) return;
    const ratio = usedRatio(usage);
    if (ratio < RATIO_MIN || workspace.length > ID_CHARS_MAX) return;
    const { resetAtMs } = usage;
    const id = `${plan}\n${workspace}`;
    const known = tracked.get(id);
    // Where keys or users are counted by themselves, the fullest of a workspace speaks for it.
    if (known && known.resetAtMs > timeMs && known.resetAtMs >= resetAtMs && known.ratio >= ratio)
      return;
    if (!known && tracked.size >= TRACKED_MAX) makeRoom(tracked, timeMs);
    tracked.set(id, { plan, workspace, ratio, resetAtMs });
  };
}

/** The used part of a window, 0 to 1. */
export function usedRatio({ limit, remaining }: Usage): number {
  return limit > 0 ? (limit - remaining) / limit : 1;
}

function fullest(usages: readonly Usage[]): Usage | undefined {
  let found: Usage | undefined;
  for (const usage of usages) {
    if (usage.burst !== undefined || usage.lengthMs < WINDOW_MIN_MS) continue;
    if (!found || usedRatio(usage) > usedRatio(found)) found = usage;
  }
  return found;
}

function nearest(tracked: ReadonlyMap<string, Nearness>): readonly Nearness[] {
  return [...tracked.values()].sort((one, other) => other.ratio - one.ratio);
}

function drop(tracked: Map<string, Nearness>, nowMs: number): void {
  for (const [id, { resetAtMs }] of tracked) if (resetAtMs <= nowMs) tracked.delete(id);
}

/** Forgets windows that are over and then, where that is not enough, the half that is farther from its end. */
function makeRoom(tracked: Map<string, Nearness>, nowMs: number): void {
  drop(tracked, nowMs);
  if (tracked.size <= TRACKED_MAX / 2) return;
  for (const { plan, workspace } of nearest(tracked).slice(TRACKED_MAX / 2))
    tracked.delete(`${plan}\n${workspace}`);
}
