import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { AnyPanel } from './panel.ts';
import { ours, SOURCE } from './query.ts';

/** A dashboard: rows of panels under the same variables as its neighbours. */
export type DashboardSpec = {
  /** Stable: links and bookmarks name it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly hasRoutes?: boolean;
  readonly hasEnvoys?: boolean;
  readonly rows: readonly { readonly title: string; readonly panels: readonly AnyPanel[] }[];
};

const TAG = 'postern';
const ALL = { selected: true, text: ['All'], value: ['$__all'] };

/** Builds a dashboard as Grafana reads it from a file. */
export function buildDashboard(spec: DashboardSpec): Dashboard {
  const dashboard = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags([TAG])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .variables(variables(spec))
    .annotations([reloads(), failedReloads()])
    .links([links()]);
  for (const { title, panels } of spec.rows) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  const built = dashboard.build();
  for (const [at, panel] of (built.panels ?? []).entries()) panel.id = at + 1;
  // The builder hides both in a menu.
  for (const one of [...(built.links ?? []), ...(built.annotations.list ?? [])])
    delete one.placement;
  return built;
}

function variables(spec: DashboardSpec): (DatasourceVariableBuilder | QueryVariableBuilder)[] {
  const found = [source(), jobs('job', 'Job', 'postern_build_info')];
  found.push(
    choice('instance', 'Instance', 'label_values(postern_build_info{job=~"$job"}, instance)'),
  );
  if (spec.hasRoutes) {
    const query = `label_values(${ours('postern_checks_total')}, route)`;
    // A request that no route fits has none.
    found.push(choice('route', 'Route', query).allValue('.*'));
  }
  if (spec.hasEnvoys) {
    const metric = 'envoy_http_ext_authz_ok';
    found.push(jobs('envoy_job', 'Envoy job', metric));
    const query = `label_values(${metric}{job=~"$envoy_job"}, instance)`;
    found.push(choice('envoy_instance', 'Envoy instance', query));
  }
  return found;
}

function source(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource')
    .label('Data source')
    .type('prometheus')
    .current({ selected: true, text: 'Prometheus', value: 'prometheus' });
}

function jobs(name: string, label: string, metric: string): QueryVariableBuilder {
  return choice(name, label, `label_values(${metric}, job)`);
}

/** All, one or some of the values that a query finds. */
function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query(query)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current(ALL)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

function reloads(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Policy reloads')
    .datasource(SOURCE)
    .enable(true)
    .iconColor('blue')
    .expr(`${ours('postern_policy_last_reload_success_timestamp_seconds')} * 1000`)
    .useValueForTime(true)
    .titleFormat('Policy loaded')
    .textFormat('{{instance}}')
    .step('60s');
}

function failedReloads(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Failed reloads')
    .datasource(SOURCE)
    .enable(true)
    .iconColor('red')
    .expr(`${ours('postern_policy_last_reload_successful')} == 0`)
    .titleFormat('The last policy was not taken')
    .textFormat('{{instance}}')
    .step('60s');
}

/** To the other dashboards, with time and variables kept. */
function links(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('Postern')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .icon('external link')
    .tooltip('The other dashboards of Postern')
    .asDropdown(false)
    .includeVars(true)
    .keepTime(true);
}
