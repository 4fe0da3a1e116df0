import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AxisPlacement,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as HeatmapBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  RowsHeatmapOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { type Query, SOURCE, writeQueries } from './query.ts';

export type AnyPanel = Builder<Panel>;

export type Colour = 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'text';

/** What every panel has. */
export type PanelSpec = {
  readonly title: string;
  /** What it says, and what to do. */
  readonly description: string;
  /** By the name that Grafana gives it. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of 24 columns. */
  readonly width: number;
  /** The first colour, and from which values on there is another. */
  readonly colours?: readonly [Colour, ...(readonly [number, Colour])[]];
};

export type StatSpec = PanelSpec & {
  /** Words for values. */
  readonly words?: { readonly [value: string]: readonly [string, Colour] };
  readonly decimals?: number;
};

export type LinesSpec = PanelSpec & {
  /** Areas upon each other. */
  readonly isStacked?: boolean;
  readonly max?: number;
};

const STAT_HEIGHT = 4;
const HEIGHT = 8;

/** One large figure. */
export function stat(spec: StatSpec): AnyPanel {
  const panel = new StatBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(SOURCE)
    .unit(spec.unit)
    .targets(writeQueries(spec.queries))
    .span(spec.width)
    .height(STAT_HEIGHT)
    .thresholds(thresholds(spec.colours ?? ['blue']))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .colorMode(BigValueColorMode.Value)
    .graphMode(isOfNow(spec) ? BigValueGraphMode.None : BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  if (spec.words) panel.mappings([wordsFor(spec.words)]);
  if (spec.decimals !== undefined) panel.decimals(spec.decimals);
  return panel;
}

/** Lines over time; with `colours`, a dashed line where each begins. */
export function lines(spec: LinesSpec): AnyPanel {
  const panel = new TimeSeriesBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(SOURCE)
    .unit(spec.unit)
    .targets(writeQueries(spec.queries))
    .span(spec.width)
    .height(HEIGHT)
    .min(0)
    .fillOpacity(spec.isStacked ? 30 : 8)
    .showPoints(VisibilityMode.Never)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .legend(legend())
    .tooltip(
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    );
  if (spec.max !== undefined) panel.max(spec.max);
  if (spec.isStacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (spec.colours) {
    const style = new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed);
    panel.thresholds(thresholds(spec.colours)).thresholdsStyle(style);
  }
  return panel;
}

/** Buckets of a histogram over time, the darker the fuller. */
export function heatMap(spec: PanelSpec): AnyPanel {
  return new HeatmapBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(SOURCE)
    .unit('short')
    .targets(writeQueries(spec.queries))
    .span(spec.width)
    .height(HEIGHT)
    .calculate(false)
    .rowsFrame(new RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Auto))
    .color(
      new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').steps(64),
    )
    .yAxis(new YAxisConfigBuilder().unit(spec.unit).axisPlacement(AxisPlacement.Left))
    .showLegend();
}

/** Thresholds by value. */
export function thresholds(
  colours: readonly [Colour, ...(readonly [number, Colour])[]],
): ThresholdsConfigBuilder {
  const [first, ...more] = colours;
  const steps = [
    { value: null, color: first },
    ...more.map(([value, color]) => ({ value, color })),
  ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function wordsFor(words: NonNullable<StatSpec['words']>): ValueMapping {
  const options = Object.fromEntries(
    Object.entries(words).map(([value, [text, color]], index) => [value, { text, color, index }]),
  );
  return { type: MappingType.ValueToText, options };
}

function isOfNow({ queries }: PanelSpec): boolean {
  return queries.every((query) => query.isInstant);
}

function legend(): VizLegendOptionsBuilder {
  return new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(LegendDisplayMode.Table)
    .placement(LegendPlacement.Bottom)
    .calcs(['lastNotNull', 'max']);
}
