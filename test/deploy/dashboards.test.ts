import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPrometheus, PROMETHEUS_REMEDY } from '../../scripts/lib/prometheus.ts';
import { faultsOf, RULES } from './dashboard-rules.ts';
import { type DashboardFile, fillIn, queriesOf, readDashboards } from './dashboards.ts';

const dashboards = readDashboards();
const [, first] = dashboards[0] ?? [];

/** A part of a dashboard's JSON that a test may spoil. */
type Loose = { [field: string]: Loose };

/** The first dashboard with one thing wrong. */
function spoil(change: (dashboard: Loose) => void): DashboardFile {
  const copy = structuredClone(first);
  change(copy as unknown as Loose);
  if (!copy) throw new Error('there is no dashboard');
  return copy;
}

/** The second panel: the first is the title of a row. */
const PANEL = 1;
const set = (part: Loose | undefined, values: object) => Object.assign(part ?? {}, values);
const panel = (dashboard: Loose) => dashboard['panels']?.[PANEL];
const target = (dashboard: Loose) => panel(dashboard)?.['targets']?.[0];
const variable = (dashboard: Loose, at: number) => dashboard['templating']?.['list']?.[at];
const OURS = '{job=~"$job", instance=~"$instance"}';

/** One fault for each rule. */
const FAULTS: { readonly [rule: string]: (dashboard: Loose) => void } = {
  'template-datasource': (one) => set(variable(one, 0), { name: 'source' }),
  'template-job': (one) => set(variable(one, 1), { allValue: '.*' }),
  'template-instance': (one) => set(variable(one, 2), { multi: false }),
  'template-label-promql': (one) => set(variable(one, 1), { query: 'postern_build_info' }),
  'template-on-time-change-reload': (one) => set(variable(one, 1), { refresh: 1 }),
  'template-unused': (one) => set(variable(one, 3), { name: 'nobody' }),
  'uneditable-dashboard': (one) => set(one, { editable: true }),
  'panel-datasource': (one) => set(target(one), { datasource: { uid: 'prometheus' } }),
  'panel-title-description': (one) => set(panel(one), { description: '' }),
  'panel-units': (one) => set(panel(one)?.['fieldConfig']?.['defaults'], { unit: 'requests' }),
  'panel-no-targets': (one) => set(panel(one), { targets: [] }),
  'target-rate-interval': (one) => set(target(one), { expr: `rate(postern_x_total${OURS}[5m])` }),
  'target-job': (one) => set(target(one), { expr: 'postern_x{instance=~"$instance"}' }),
  'target-instance': (one) => set(target(one), { expr: 'postern_x{job=~"$job"}' }),
  'target-counter-agg': (one) => set(target(one), { expr: `sum(postern_x_total${OURS})` }),
  'target-histogram': (one) => set(target(one), { expr: `sum(postern_x_bucket${OURS})` }),
  'unique-panels': (one) => set(panel(one), { id: 1 }),
  'full-rows': (one) => set(panel(one)?.['gridPos'], { w: 3 }),
};

describe('the rules of grafana/dashboard-linter', () => {
  test.each(dashboards)('%s keeps them', (_, dashboard) => {
    expect(faultsOf(dashboard)).toEqual([]);
  });

  test.each(Object.entries(FAULTS))('%s is found broken', (rule, change) => {
    expect(RULES[rule]?.(spoil(change))).not.toEqual([]);
  });

  test('each has a fault that breaks it', () => {
    expect(Object.keys(FAULTS)).toEqual(Object.keys(RULES));
  });
});

describe('four dashboards', () => {
  test('with names that last', () => {
    expect(dashboards.map(([file, { uid }]) => [file, uid])).toEqual([
      ['overview.json', 'postern-overview'],
      ['limits.json', 'postern-limits'],
      ['credentials.json', 'postern-credentials'],
      ['store.json', 'postern-store'],
    ]);
  });

  test('link to each other by their tag, and name no dashboard that is not there', () => {
    const uids = dashboards.map(([, { uid }]) => uid);
    for (const [, dashboard] of dashboards) {
      expect(dashboard.tags).toContain('postern');
      expect(dashboard).toMatchObject({ links: [{ type: 'dashboards', tags: ['postern'] }] });
      const named = [...JSON.stringify(dashboard).matchAll(/\/d\/([\w-]+)/g)];
      for (const [, uid] of named) expect(uids).toContain(uid);
    }
  });

  test('a route leads to its refusals', () => {
    const links = JSON.stringify(first?.panels).match(/\/d\/postern-overview\?[^"]*/g) ?? [];
    expect(links).toHaveLength(1);
    expect(links[0]).toContain('var-route=${__value.raw:percentencode}');
    const filtered = first?.panels.filter(({ targets = [] }) =>
      targets.some(({ expr }) => expr.includes('route=~"$route"')),
    );
    expect(filtered?.map(({ title }) => title)).toEqual([
      'Decisions',
      'Refusals by reason',
      'Refusals of $route',
    ]);
  });

  test('show exemplars beside the time of a check, and reloads everywhere', () => {
    const withExemplars = JSON.stringify(first?.panels).match(/"exemplar":true/g) ?? [];
    expect(withExemplars).toHaveLength(2);
    for (const [, { annotations }] of dashboards) expect(annotations.list).toHaveLength(2);
  });
});

const promtool = findPrometheus('promtool');

test('there is a promtool where it counts', () => {
  const isMissing = promtool === undefined;
  if (isMissing) process.stderr.write(`\n! There is no promtool: ${PROMETHEUS_REMEDY}.\n`);
  expect(isMissing && process.env['CI'] !== undefined).toBe(false);
});

describe.skipIf(promtool === undefined)('promtool', () => {
  /** What promtool says of expressions, as a file of rules. */
  function check(exprs: readonly string[]) {
    const rules = exprs.map((expr, at) => ({ record: `query:${at}`, expr: fillIn(expr) }));
    const folder = mkdtempSync(join(tmpdir(), 'postern-promtool-'));
    try {
      const file = join(folder, 'rules.yaml');
      // JSON is YAML.
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'all', rules }] }));
      const args = ['check', 'rules', '--lint=none', file];
      const { status, stderr } = spawnSync(promtool ?? '', args, { encoding: 'utf8' });
      return { status, stderr };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  test.each(dashboards)('understands every query of %s', (_, dashboard) => {
    const queries = queriesOf(dashboard).map(([, expr]) => expr);
    expect(check(queries)).toEqual({ status: 0, stderr: '' });
  });

  test('understands no query that is none', () => {
    expect(check(['sum by (reason) (rate(postern_checks_total[$__rate_interval])']).status).toBe(1);
  });
});
