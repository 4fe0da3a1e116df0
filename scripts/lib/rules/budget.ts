import type { Reason } from '../../../src/core/decision.ts';
import { FILTER } from './query.ts';
import type { AlertRule, Recording, RuleGroup } from './rule.ts';

/** Part of the requests that may fail: the objective is 99.9 %. */
const FAILED_BUDGET = 0.001;
/** Part of the checks that may take longer than 25 ms: the objective is 99 %. */
const SLOW_BUDGET = 0.01;
const OBJECTIVE_SECONDS = '0.025';
/** Answers that Postern owed and could not give. */
export const FAILURES: readonly Reason[] = ['internal', 'unavailable'];
/** With fewer requests than this a share says nothing, and nobody is woken. */
const COUNT_MIN = 10;

const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
type Window = (typeof WINDOWS)[number];

type Pace = {
  /** How many times too fast the budget of 30 days is spent. */
  readonly factor: number;
  readonly long: Window;
  /** It must still be so in this window: the alert ends soon after the trouble does. */
  readonly short: Window;
  readonly for: string;
  readonly severity: 'critical' | 'warning';
  readonly spent: string;
};

/** Google's SRE workbook, chapter 5, table 5-8. */
const PACES: readonly Pace[] = [
  { factor: 14.4, long: '1h', short: '5m', for: '2m', severity: 'critical', spent: 'two days' },
  { factor: 6, long: '6h', short: '30m', for: '15m', severity: 'critical', spent: 'five days' },
  { factor: 3, long: '1d', short: '2h', for: '1h', severity: 'warning', spent: 'ten days' },
  { factor: 1, long: '3d', short: '6h', for: '3h', severity: 'warning', spent: 'thirty days' },
];

const HOURS: { readonly [window in Window]: number } = {
  '5m': 1 / 12,
  '30m': 0.5,
  '1h': 1,
  '2h': 2,
  '6h': 6,
  '1d': 24,
  '3d': 72,
};

/** What the burn of the budgets is reckoned from. Nothing is recorded for a window without requests. */
export function budgetRecordings(): RuleGroup<Recording> {
  const rules = WINDOWS.flatMap(overWindow);
  return { name: 'postern-budget', interval: '30s', rules };
}

function overWindow(window: Window): readonly Recording[] {
  const unanswered = `rate(envoy_http_ext_authz_error${FILTER}[${window}])`;
  const all = `cluster:postern_requests:rate${window}`;
  const failed = `rate(postern_checks_total{reason=~"${FAILURES.join('|')}"}[${window}])`;
  const within = `postern_check_duration_seconds_bucket{le="${OBJECTIVE_SECONDS}"}`;
  const timed = 'postern_check_duration_seconds_count';
  const sum = (series: string) => `sum by (cluster) (rate(${series}[${window}]))`;
  return [
    {
      record: all,
      expr: `sum by (cluster) (rate(postern_checks_total[${window}]) or ${unanswered})`,
    },
    {
      record: `cluster:postern_requests_failed:ratio_rate${window}`,
      expr: `(sum by (cluster) (${failed} or ${unanswered}) or 0 * ${all})\n  / (${all} > 0)`,
    },
    {
      record: `cluster:postern_checks_slow:ratio_rate${window}`,
      expr: `1 - ${sum(within)}\n  / (${sum(timed)} > 0)`,
    },
  ];
}

/** Alerts about budgets that are spent too fast. */
export function budgetAlerts(): RuleGroup<AlertRule> {
  const rules = PACES.flatMap((pace) => [failing(pace), slow(pace)]);
  return { name: 'postern-budget-alerts', rules };
}

function failing(pace: Pace): AlertRule {
  const ratio = 'cluster:postern_requests_failed:ratio_rate';
  return {
    alert: 'PosternErrorBudgetBurn',
    expr: burning(ratio, FAILED_BUDGET, pace),
    for: pace.for,
    severity: pace.severity,
    window: pace.long,
    summary: 'Requests fail because Postern cannot judge them.',
    description: `{{ $value | humanizePercentage }} of the requests of the last ${pace.long} were refused because Postern failed or did not answer Envoy. At this pace the budget of 0.1 % in thirty days lasts ${pace.spent} at most.`,
  };
}

function slow(pace: Pace): AlertRule {
  const ratio = 'cluster:postern_checks_slow:ratio_rate';
  return {
    alert: 'PosternLatencyBudgetBurn',
    expr: burning(ratio, SLOW_BUDGET, pace),
    for: pace.for,
    severity: pace.severity,
    window: pace.long,
    summary: 'Checks take longer than 25 ms.',
    description: `{{ $value | humanizePercentage }} of the checks of the last ${pace.long} took longer than 25 ms. At this pace the budget of 1 % in thirty days lasts ${pace.spent} at most.`,
  };
}

function burning(ratio: string, budget: number, { factor, long, short }: Pace): string {
  const limit = `${factor} * ${budget}`;
  const count = `${ratio}${long} * cluster:postern_requests:rate${long} * ${HOURS[long] * 3600}`;
  return `${ratio}${long} > ${limit}\nand ${ratio}${short} > ${limit}\nand ${count} >= ${COUNT_MIN}`;
}
