import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARD_FOLDER, dashboards } from '../../scripts/lib/dashboards/files.ts';
import { ROOT } from './manifests.ts';

export type Target = {
  readonly refId: string;
  readonly expr: string;
  readonly datasource?: { readonly uid: string };
};

type Property = { readonly id: string; readonly value: unknown };

export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly targets?: readonly Target[];
  readonly options?: { readonly yAxis?: { readonly unit?: string } };
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string };
    readonly overrides: readonly { readonly properties: readonly Property[] }[];
  };
};

export type Variable = {
  readonly type: string;
  readonly name: string;
  readonly label: string;
  readonly query: string;
  readonly datasource?: { readonly uid: string };
  readonly multi: boolean;
  readonly includeAll: boolean;
  readonly allValue?: string;
  readonly refresh?: number;
};

/** What the tests read of a dashboard's JSON. */
export type DashboardFile = {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly editable: boolean;
  readonly tags: readonly string[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly panels: readonly Panel[];
};

/** The dashboards as they are committed, by file name. */
export function readDashboards(): readonly (readonly [string, DashboardFile])[] {
  return [...dashboards().keys()].map((name) => {
    const text = readFileSync(join(ROOT, DASHBOARD_FOLDER, name), 'utf8');
    return [name, JSON.parse(text) as DashboardFile] as const;
  });
}

/** The panels that show something; the others are titles of rows. */
export function panelsOf({ panels }: DashboardFile): readonly Panel[] {
  return panels.filter(({ type }) => type !== 'row');
}

/** Every query of a dashboard: of its panels, its variables and its annotations, with a name for messages. */
export function queriesOf(dashboard: DashboardFile): readonly (readonly [string, string])[] {
  const { templating, annotations } = dashboard;
  return [
    ...panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => [`${title} ${refId}`, expr] as const),
    ),
    ...templating.list
      .filter(({ type }) => type === 'query')
      .map(({ name, query }) => [`$${name}`, selectorOf(query)] as const),
    ...annotations.list.map(({ expr }) => [`annotation ${expr}`, expr] as const),
  ];
}

/** The selector in `label_values(SELECTOR, label)`; empty when a query is no such thing. */
export function selectorOf(query: string): string {
  return /^label_values\((.+), \w+\)$/s.exec(query)?.[1] ?? '';
}

/** A query as Prometheus takes it: with a value for everything that Grafana puts in. */
export function fillIn(expr: string, window = '5m'): string {
  return expr
    .replaceAll('$__rate_interval', window)
    .replaceAll('$__range', window)
    .replaceAll('"$route"', '".*"')
    .replaceAll(/"\$\w+"/g, '".+"');
}
