import { type DashboardFile, type Panel, panelsOf, selectorOf } from './dashboards.ts';

/** Finds what is wrong with a dashboard, a line each. */
export type Rule = (dashboard: DashboardFile) => readonly string[];

const SOURCE = '${datasource}';
const ON_TIME_CHANGE = 2;
const COLUMNS = 24;
/** Of the names that Grafana knows, those used here. */
const UNITS = ['none', 'short', 'percentunit', 's', 'bytes', 'reqps', 'ops'];
const SELECTOR = /\b((?:postern|envoy)_\w+)(\{[^}]*\})?(\[[^\]]+\])?/g;

type Selector = {
  readonly metric: string;
  readonly matchers: string;
  readonly window: string;
  /** The query up to it. */
  readonly before: string;
};

function selectors(expr: string): readonly Selector[] {
  return [...expr.matchAll(SELECTOR)]
    .filter(({ index }) => !expr.slice(0, index).endsWith('$'))
    .map(({ 1: metric = '', 2: matchers = '', 3: window = '', index }) => ({
      metric,
      matchers,
      window,
      before: expr.slice(0, index),
    }));
}

/** A rule about each panel that shows something. */
function eachPanel(judge: (panel: Panel, dashboard: DashboardFile) => boolean): Rule {
  return (dashboard) =>
    panelsOf(dashboard)
      .filter((panel) => !judge(panel, dashboard))
      .map(({ title, id }) => `${title} (${id})`);
}

/** A rule about each selector of each query of a panel. */
function eachSelector(judge: (selector: Selector) => boolean): Rule {
  return eachPanel(({ targets = [] }) =>
    targets.flatMap(({ expr }) => selectors(expr)).every((selector) => judge(selector)),
  );
}

/** A rule about the dashboard as a whole. */
function whole(judge: (dashboard: DashboardFile) => boolean): Rule {
  return (dashboard) => (judge(dashboard) ? [] : [dashboard.title]);
}

function hasChoice(name: string, label: string): Rule {
  return whole(({ templating }) =>
    templating.list.some(
      (one) =>
        one.name === name &&
        one.label === label &&
        one.type === 'query' &&
        one.datasource?.uid === SOURCE &&
        one.multi &&
        one.includeAll &&
        one.allValue === '.+',
    ),
  );
}

/** Envoy has jobs of its own. */
function holds(label: 'job' | 'instance'): Rule {
  return eachSelector(({ metric, matchers }) => {
    const name = metric.startsWith('envoy_') ? `envoy_${label}` : label;
    return matchers.includes(`${label}=~"$${name}"`);
  });
}

/** No two panels in one place, and no gap at the right. */
function fillsRows({ panels }: DashboardFile): boolean {
  const widths = new Map<number, number>();
  for (const { gridPos } of panels) {
    const { x, y, w } = gridPos;
    if (x !== (widths.get(y) ?? 0)) return false;
    widths.set(y, x + w);
  }
  return [...widths.values()].every((width) => width === COLUMNS);
}

function unitOf({ type, fieldConfig, options }: Panel): string | undefined {
  return type === 'heatmap' ? options?.yAxis?.unit : fieldConfig?.defaults.unit;
}

/** The rules of grafana/dashboard-linter by their names, and some of our own. */
export const RULES: { readonly [name: string]: Rule } = {
  'template-datasource': whole(({ templating }) => {
    const sources = templating.list.filter(({ type }) => type === 'datasource');
    const [only] = sources;
    const isNamed = only?.name === 'datasource' && only.label === 'Data source';
    return sources.length === 1 && isNamed && only.query === 'prometheus';
  }),
  'template-job': hasChoice('job', 'Job'),
  'template-instance': hasChoice('instance', 'Instance'),
  'template-label-promql': ({ templating }) =>
    templating.list
      .filter(({ type, query }) => type === 'query' && selectorOf(query) === '')
      .map(({ name }) => name),
  'template-on-time-change-reload': ({ templating }) =>
    templating.list
      .filter(({ type, refresh }) => type === 'query' && refresh !== ON_TIME_CHANGE)
      .map(({ name }) => name),
  'template-unused': (dashboard) => {
    const text = JSON.stringify([dashboard.panels, dashboard.templating.list]);
    return dashboard.templating.list
      .map(({ name }) => name)
      .filter((name) => !text.includes(`$${name}`) && !text.includes(`\${${name}`));
  },
  'uneditable-dashboard': whole(({ editable }) => editable === false),
  'panel-datasource': eachPanel(
    ({ datasource, targets = [] }) =>
      datasource?.uid === SOURCE && targets.every((one) => one.datasource?.uid === SOURCE),
  ),
  'panel-title-description': eachPanel(
    ({ title, description }) => title !== '' && /^[A-Z].{20,}\.$/s.test(description ?? ''),
  ),
  'panel-units': eachPanel((panel) => {
    const overrides = (panel.fieldConfig?.overrides ?? []).flatMap(({ properties }) => properties);
    const units = overrides.filter(({ id }) => id === 'unit').map(({ value }) => value);
    return [unitOf(panel), ...units].every((unit) => UNITS.some((known) => known === unit));
  }),
  'panel-no-targets': eachPanel(
    ({ targets = [] }) => targets.length > 0 && targets.every(({ expr }) => expr !== ''),
  ),
  'target-rate-interval': eachSelector(
    ({ before, window }) => !/\bi?rate\($/.test(before) || window === '[$__rate_interval]',
  ),
  'target-job': holds('job'),
  'target-instance': holds('instance'),
  'target-counter-agg': eachSelector(
    ({ metric, before, window }) =>
      !metric.endsWith('_total') || (/\b(?:i?rate|increase)\($/.test(before) && window !== ''),
  ),
  'target-histogram': eachSelector(
    ({ metric, before }) => !metric.endsWith('_bucket') || /\b(?:rate|increase)\($/.test(before),
  ),
  'unique-panels': whole((dashboard) => {
    const panels = panelsOf(dashboard);
    const titles = new Set(panels.map(({ title }) => title));
    const ids = new Set(dashboard.panels.map(({ id }) => id));
    return titles.size === panels.length && ids.size === dashboard.panels.length;
  }),
  'full-rows': whole(fillsRows),
};

/** What is wrong with a dashboard, by all rules. */
export function faultsOf(dashboard: DashboardFile): readonly string[] {
  return Object.entries(RULES).flatMap(([name, rule]) =>
    rule(dashboard).map((fault) => `${name}: ${fault}`),
  );
}
