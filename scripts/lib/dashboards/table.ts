import {
  BarGaugeDisplayMode,
  TableCellDisplayMode,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { type AnyPanel, type Colour, type PanelSpec, thresholds } from './panel.ts';
import { SOURCE, writeQueries } from './query.ts';

/** A column that holds the value of a query, in the order of the queries. */
export type Column = {
  readonly name: string;
  readonly unit?: string;
  readonly colours?: readonly [Colour, ...(readonly [number, Colour])[]];
  /** A bar from 0 to 1 beside the figure. */
  readonly isBar?: boolean;
};

export type TableSpec = PanelSpec & {
  /** Labels that make the first columns, by the names they are given. */
  readonly labels: { readonly [label: string]: string };
  readonly columns: readonly Column[];
  /** Where a click on the first column leads. */
  readonly link?: { readonly title: string; readonly url: string };
};

const HEIGHT = 9;

/** A table of what the queries say now, a row for each set of labels, the greatest value of the first query first. */
export function table(spec: TableSpec): AnyPanel {
  const queries = spec.queries.map((query) => ({
    ...query,
    isInstant: true,
    format: 'table' as const,
  }));
  const panel = new PanelBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(SOURCE)
    .unit(spec.unit)
    .targets(writeQueries(queries))
    .span(spec.width)
    .height(HEIGHT)
    .transformations([{ id: 'merge', options: {} }, organize(spec)])
    .sortBy([
      new TableSortByFieldStateBuilder().displayName(spec.columns[0]?.name ?? '').desc(true),
    ]);
  for (const column of spec.columns) panel.overrideByName(column.name, properties(column));
  const [first] = Object.values(spec.labels);
  if (spec.link && first !== undefined)
    panel.overrideByName(first, [{ id: 'links', value: [{ ...spec.link, targetBlank: false }] }]);
  return panel;
}

/** Names the columns, and leaves out the time. */
function organize({ labels, columns }: TableSpec): { id: string; options: object } {
  const values = columns.map(({ name }, at) => [valueField(at, columns.length), name] as const);
  const named = [...Object.entries(labels), ...values];
  return {
    id: 'organize',
    options: {
      excludeByName: { Time: true },
      indexByName: Object.fromEntries(named.map(([field], at) => [field, at])),
      renameByName: Object.fromEntries(named),
    },
  };
}

/** How Grafana calls the value of a query after `merge`. */
function valueField(at: number, count: number): string {
  return count === 1 ? 'Value' : `Value #${'ABCDEFGH'[at]}`;
}

function properties({ unit, colours, isBar }: Column): DynamicConfigValue[] {
  const found: DynamicConfigValue[] = [];
  if (unit !== undefined) found.push({ id: 'unit', value: unit });
  if (colours) {
    found.push({ id: 'thresholds', value: thresholds(colours).build() });
    found.push({ id: 'color', value: { mode: 'thresholds' } });
  }
  if (isBar) {
    const value = { type: TableCellDisplayMode.Gauge, mode: BarGaugeDisplayMode.Basic };
    found.push({ id: 'custom.cellOptions', value });
    found.push({ id: 'min', value: 0 }, { id: 'max', value: 1 });
  } else if (colours) {
    found.push({ id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } });
  }
  return found;
}
