import type { DashboardSpec } from './frame.ts';
import { lines, stat } from './panel.ts';
import { orZero, ours, rate, share } from './query.ts';
import { table } from './table.ts';

const TAKES = 'postern_limit_takes_total';
const PLANS = 'postern_plan_checks_total';
const USED = `max by (plan, workspace) (${ours('postern_workspace_limit_used_ratio')})`;
const LIMITED = 'reason=~"rate_limited|quota_exhausted|too_many_concurrent|too_many_failures"';
const NEAR = 0.8;
const COLOURS = ['green', [NEAR, 'yellow'], [0.95, 'red']] as const;

/** Who meets limits, and who will soon. */
export function limits(): DashboardSpec {
  return {
    uid: 'postern-limits',
    title: 'Postern / Limits and plans',
    description:
      'Who meets limits, which plans are too small, and which workspaces are near the end of theirs.',
    hasRoutes: true,
    rows: [
      { title: 'Now', panels: now() },
      { title: 'Workspaces near the end', panels: workspaces() },
      { title: 'Plans', panels: plans() },
      { title: 'Limits', panels: taken() },
    ],
  };
}

function now() {
  return [
    stat({
      title: 'Refused by a limit',
      description: 'Part of the limited requests that a plan, a key or a route refused.',
      unit: 'percentunit',
      queries: [{ expr: share(`sum(${rate(TAKES, 'outcome="refused"')})`, `sum(${rate(TAKES)})`) }],
      width: 6,
      decimals: 1,
      colours: ['green', [0.05, 'yellow'], [0.25, 'orange']],
    }),
    stat({
      title: 'Workspaces near the end',
      description: 'Workspaces that have used four fifths of a window: offer them a larger plan.',
      unit: 'none',
      queries: [{ expr: orZero(`count(${USED} >= ${NEAR})`) }],
      width: 6,
      colours: ['green', [1, 'yellow']],
    }),
    stat({
      title: 'Workspaces at the end',
      description: 'Workspaces that have used up a window and are refused until it starts anew.',
      unit: 'none',
      queries: [{ expr: orZero(`count(${USED} >= 1)`) }],
      width: 6,
      colours: ['green', [1, 'red']],
    }),
    stat({
      title: 'Plans nobody knows',
      description:
        'Credentials that name a plan the policy lacks, and get the next: add it, or mend its issuer.',
      unit: 'reqps',
      queries: [{ expr: orZero(`sum(${rate('postern_notices_total', 'notice="plan.unknown"')})`) }],
      width: 6,
      colours: ['green', [0.001, 'yellow']],
    }),
  ];
}

function workspaces() {
  return [
    table({
      title: 'Workspaces nearest to the end of a window',
      description:
        'The fullest window, of a minute or more, of the twenty fullest workspaces; nobody below one half is shown.',
      unit: 'percentunit',
      queries: [{ expr: orZero(`topk(20, ${USED})`) }],
      labels: { workspace: 'Workspace', plan: 'Plan' },
      columns: [{ name: 'Used', unit: 'percentunit', isBar: true, colours: COLOURS }],
      width: 10,
    }),
    lines({
      title: 'How full their windows are',
      description:
        'The same over time. A saw tooth is a window that starts anew; a line at the top is a plan too small.',
      unit: 'percentunit',
      queries: [{ expr: orZero(`topk(20, ${USED})`), legend: '{{workspace}} ({{plan}})' }],
      width: 14,
      max: 1,
      colours: COLOURS,
    }),
  ];
}

function plans() {
  return [
    lines({
      title: 'Checks by plan',
      description: 'Requests under each plan.',
      unit: 'reqps',
      queries: [{ expr: orZero(`sum by (plan) (${rate(PLANS)})`), legend: '{{plan}}' }],
      width: 8,
      isStacked: true,
    }),
    lines({
      title: 'How far plans are used',
      description:
        'Checks by how much of the fullest window of their plan is used. Much above 80 %: plans are too small, or clients too fast.',
      unit: 'percentunit',
      queries: [
        {
          expr: orZero(
            `sum by (used) (${rate(PLANS)}) / on () group_left () (sum(${rate(PLANS)}) > 0)`,
          ),
          legend: '{{used}}',
        },
      ],
      width: 8,
      max: 1,
      isStacked: true,
    }),
    lines({
      title: 'Refused by plan',
      description: 'Requests that a plan refused (429, or 402 for a quota), by plan.',
      unit: 'reqps',
      queries: [
        { expr: orZero(`sum by (plan) (${rate(PLANS, 'used="refused"')})`), legend: '{{plan}}' },
      ],
      width: 8,
    }),
  ];
}

function taken() {
  return [
    lines({
      title: 'Limited requests',
      description: 'Requests that met any limit, of a plan, a key or a route, by what it said.',
      unit: 'reqps',
      queries: [{ expr: orZero(`sum by (outcome) (${rate(TAKES)})`), legend: '{{outcome}}' }],
      width: 8,
      isStacked: true,
    }),
    lines({
      title: 'Refusals by limit and route',
      description:
        'Which limit refuses where. A single route at the top: see whether its own limit is right.',
      unit: 'reqps',
      queries: [
        {
          expr: orZero(
            `sum by (reason, route) (${rate('postern_checks_total', `${LIMITED}, route=~"$route"`)})`,
          ),
          legend: '{{reason}} on {{route}}',
        },
      ],
      width: 8,
    }),
    lines({
      title: 'Subjects in memory',
      description:
        'Callers that are counted in memory, and those forgotten because there were too many: raise the limit of subjects then.',
      unit: 'short',
      queries: [
        { expr: `sum(${ours('postern_limit_subjects')})`, legend: 'counted' },
        { expr: `sum(${ours('postern_limit_subjects_forgotten')})`, legend: 'forgotten' },
      ],
      width: 8,
    }),
  ];
}
