import type { DashboardSpec } from './frame.ts';
import { heatMap, lines, stat } from './panel.ts';
import { grown, orZero, ours, type Query, quantile, rate, share } from './query.ts';
import { table } from './table.ts';

const CHECKS = 'postern_checks_total';
const DURATION = 'postern_check_duration_seconds';
/** What counts against the budget: answers that Postern owed and could not give. */
const FAILED = 'reason=~"internal|unavailable"';
const ON_ROUTE = 'route=~"$route"';
const DENIED = `decision="deny", ${ON_ROUTE}`;
/** Part of the checks that may fail: the objective is 99.9 %. */
const BUDGET = 0.001;
/** Part of the checks that may take longer than 25 ms: the objective is 99 %. */
const SLOW_BUDGET = 0.01;

const URL_OF_ROUTE =
  '/d/postern-overview?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}' +
  '&var-route=${__value.raw:percentencode}&${__url_time_range}';

/** What Postern does, and whether it does it well. */
export function overview(): DashboardSpec {
  return {
    uid: 'postern-overview',
    title: 'Postern / Overview',
    description:
      'What Postern decides, why it refuses, how fast it is, and how much may still fail.',
    hasRoutes: true,
    rows: [
      { title: 'Now', panels: now() },
      { title: 'Decisions', panels: decisions() },
      { title: 'Latency', panels: latency() },
      { title: 'Error budget', panels: budget() },
      { title: 'Routes: click on one for its refusals alone', panels: routes() },
    ],
  };
}

function now() {
  const all = `sum(${rate(CHECKS)})`;
  return [
    stat({
      title: 'Checks',
      description: 'Requests that Envoy asks about. None at all: see whether Envoy still asks.',
      unit: 'reqps',
      queries: [{ expr: orZero(all) }],
      width: 4,
    }),
    stat({
      title: 'Allowed',
      description: 'Part of the checks that are let through. A sudden fall: see the reasons below.',
      unit: 'percentunit',
      queries: [{ expr: share(`sum(${rate(CHECKS, 'decision!="deny"')})`, all) }],
      width: 4,
      decimals: 1,
    }),
    stat({
      title: 'Failed',
      description:
        'Checks refused because Postern itself failed (internal, unavailable). See the store.',
      unit: 'percentunit',
      queries: [{ expr: share(`sum(${rate(CHECKS, FAILED)})`, all) }],
      width: 4,
      colours: ['green', [BUDGET / 10, 'yellow'], [BUDGET, 'red']],
    }),
    stat({
      title: 'Slowest in a hundred',
      description: 'The 99th percentile of the time of a check. The objective is 25 ms.',
      unit: 's',
      queries: [{ expr: quantile(0.99, DURATION) }],
      width: 4,
      colours: ['green', [0.01, 'yellow'], [0.025, 'red']],
    }),
    stat({
      title: 'Error budget left',
      description:
        'Of the 0.1 % of checks that may fail in the time shown. Below 0 the objective is missed.',
      unit: 'percentunit',
      queries: [
        {
          expr: `1 - ${BUDGET_USED} / ${BUDGET}`,
          isInstant: true,
        },
      ],
      width: 4,
      colours: ['red', [0, 'orange'], [0.25, 'yellow'], [0.5, 'green']],
    }),
    stat({
      title: 'Posterns',
      description: 'Instances that are scraped. Fewer than you run: look at their pods.',
      unit: 'none',
      queries: [{ expr: `count(${ours('postern_build_info')})` }],
      width: 4,
    }),
  ];
}

const BUDGET_USED = `(${share(`sum(${grown(CHECKS, FAILED)})`, `sum(${grown(CHECKS)})`)})`;

function decisions() {
  return [
    lines({
      title: 'Decisions',
      description: 'Checks by decision; a reply is the answer to a preflight of a browser.',
      unit: 'reqps',
      queries: [{ expr: `sum by (decision) (${rate(CHECKS, ON_ROUTE)})`, legend: '{{decision}}' }],
      width: 12,
      isStacked: true,
    }),
    lines({
      title: 'Refusals by reason',
      description:
        'Why requests are refused, on the chosen routes. Each reason stands in docs/reasons.md.',
      unit: 'reqps',
      queries: [
        { expr: orZero(`sum by (reason) (${rate(CHECKS, DENIED)})`), legend: '{{reason}}' },
      ],
      width: 12,
      isStacked: true,
    }),
  ];
}

function latency() {
  const line = (part: number, legend: string, hasExemplars = false): Query => ({
    expr: quantile(part, DURATION),
    legend,
    hasExemplars,
  });
  return [
    lines({
      title: 'Time of a check',
      description:
        'From the message to the answer, without the way between Envoy and Postern. With traces on, a dot is a request.',
      unit: 's',
      queries: [
        line(0.5, 'half'),
        line(0.9, '90 %'),
        line(0.99, '99 %', true),
        line(0.999, '99.9 %'),
      ],
      width: 12,
      colours: ['green', [0.025, 'red']],
    }),
    heatMap({
      title: 'Times of checks',
      description:
        'How many checks took how long. Two bands: some ask the store, the others do not.',
      unit: 's',
      queries: [
        {
          expr: `sum by (le) (increase(${ours(`${DURATION}_bucket`)}[$__rate_interval]))`,
          legend: '{{le}}',
          format: 'heatmap',
          hasExemplars: true,
        },
      ],
      width: 12,
    }),
  ];
}

/** How many times too fast the budget is spent, over a window. */
function burn(window: string): Query {
  const over = (matchers?: string) => `sum(increase(${ours(CHECKS, matchers)}[${window}]))`;
  return { expr: `(${share(over(FAILED), over())}) / ${BUDGET}`, legend: `over ${window}` };
}

/** The same of the checks that took longer than the objective says. */
function slowBurn(window: string): Query {
  const over = (metric: string, matchers?: string) =>
    `sum(increase(${ours(metric, matchers)}[${window}]))`;
  const quick = over(`${DURATION}_bucket`, 'le="0.025"');
  const all = over(`${DURATION}_count`);
  return {
    expr: `(${share(`${all} - ${quick}`, all)}) / ${SLOW_BUDGET}`,
    legend: `over ${window}`,
  };
}

function budget() {
  const colours = ['green', [1, 'yellow'], [6, 'orange'], [14.4, 'red']] as const;
  return [
    lines({
      title: 'Failures against the budget',
      description:
        'How fast the 0.1 % of checks that may fail are spent: at 1 they last as long as they should. From 6 on somebody is woken.',
      unit: 'none',
      queries: [burn('5m'), burn('1h'), burn('6h')],
      width: 12,
      colours,
    }),
    lines({
      title: 'Slow checks against the budget',
      description:
        'How fast the 1 % of checks that may take longer than 25 ms are spent: at 1 they last as long as they should.',
      unit: 'none',
      queries: [slowBurn('5m'), slowBurn('1h'), slowBurn('6h')],
      width: 12,
      colours,
    }),
  ];
}

function routes() {
  const byRoute = (matchers?: string) => `sum by (route) (${grown(CHECKS, matchers)})`;
  const refused = `(${byRoute('decision="deny"')} or ${byRoute()} * 0)`;
  return [
    table({
      title: 'Routes',
      description:
        'Each route in the time shown. Click on a route: the panels above then show it alone.',
      unit: 'short',
      queries: [
        { expr: byRoute() },
        { expr: refused },
        { expr: `${refused} / (${byRoute()} > 0)` },
      ],
      labels: { route: 'Route' },
      columns: [
        { name: 'Checks', unit: 'short' },
        { name: 'Refused', unit: 'short' },
        {
          name: 'Refused part',
          unit: 'percentunit',
          isBar: true,
          colours: ['green', [0.05, 'yellow'], [0.5, 'orange']],
        },
      ],
      link: { title: 'The refusals of this route', url: URL_OF_ROUTE },
      width: 12,
    }),
    table({
      title: 'Refusals of $route',
      description: 'What is refused on the chosen routes, and why, in the time shown.',
      unit: 'short',
      queries: [{ expr: orZero(`sum by (route, reason) (${grown(CHECKS, DENIED)}) > 0`) }],
      labels: { route: 'Route', reason: 'Reason' },
      columns: [{ name: 'Refused', unit: 'short' }],
      width: 12,
    }),
  ];
}
