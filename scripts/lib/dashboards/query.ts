import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

/** The data source that every panel asks: whatever the reader chose. */
export const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** One query of a panel, in PromQL. */
export type Query = {
  readonly expr: string;
  /** How its series are named; `{{label}}` is a label. */
  readonly legend?: string;
  /** One value, of now, in place of a line. */
  readonly isInstant?: boolean;
  readonly format?: 'table' | 'heatmap';
  /** Single requests beside the line, where traces are on. */
  readonly hasExemplars?: boolean;
};

const LETTERS = 'ABCDEFGH';
const FORMATS = { table: PromQueryFormat.Table, heatmap: PromQueryFormat.Heatmap };

/** Writes the queries of one panel; they are known by letters. */
export function writeQueries(queries: readonly Query[]): DataqueryBuilder[] {
  return queries.map(({ expr, legend, isInstant, format, hasExemplars }, at) => {
    const query = new DataqueryBuilder()
      .datasource(SOURCE)
      .expr(expr)
      .refId(LETTERS[at] ?? '');
    if (legend !== undefined) query.legendFormat(legend);
    if (format !== undefined) query.format(FORMATS[format]);
    if (hasExemplars) query.exemplar(true);
    return isInstant ? query.instant() : query.range();
  });
}

/** A metric of the chosen Posterns. */
export function ours(metric: string, matchers = ''): string {
  return `${metric}{job=~"$job", instance=~"$instance"${matchers && `, ${matchers}`}}`;
}

/** The same of their Envoys, whose job is another. */
export function envoys(metric: string): string {
  return `${metric}{job=~"$envoy_job", instance=~"$envoy_instance"}`;
}

/** How much a counter grows in a second. */
export function rate(metric: string, matchers?: string): string {
  return `rate(${ours(metric, matchers)}[$__rate_interval])`;
}

/** How much a counter grew in the time that the dashboard shows. */
export function grown(metric: string, matchers?: string): string {
  return `increase(${ours(metric, matchers)}[$__range])`;
}

/** A quantile of a histogram, by `labels` where some are given. */
export function quantile(part: number, histogram: string, labels: readonly string[] = []): string {
  const by = ['le', ...labels].join(', ');
  return `histogram_quantile(${part}, sum by (${by}) (${rate(`${histogram}_bucket`)}))`;
}

/** Zero where there is nothing: silence of a counter that has never counted is no gap. */
export function orZero(expr: string): string {
  // Without on() the zero would stand beside whatever has labels.
  return `(${expr}) or on () vector(0)`;
}

/** Part of a whole, 0 while the whole is nothing. */
export function share(part: string, whole: string): string {
  return orZero(`(${orZero(part)}) / (${whole} > 0)`);
}
