import type { Series } from '../stage/prometheus-server.ts';

type Steps = readonly { readonly value: number | null; readonly color: string }[];
type Link = { readonly title: string };

/** What of a panel's JSON is drawn. */
export type DrawnPanel = {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly w: number };
  readonly targets?: readonly { readonly legendFormat?: string }[];
  readonly transformations?: readonly {
    readonly id: string;
    readonly options: {
      readonly renameByName?: { readonly [field: string]: string };
    };
  }[];
  readonly options?: { readonly yAxis?: { readonly unit?: string } };
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly max?: number;
      readonly thresholds?: { readonly steps: Steps };
      readonly mappings?: readonly {
        readonly options: {
          readonly [value: string]: { readonly text: string; readonly color: string };
        };
      }[];
      readonly custom?: { readonly stacking?: { readonly mode?: string } };
    };
    readonly overrides: readonly {
      readonly matcher: { readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
  readonly links?: readonly Link[];
};

/** The answers to the queries of a panel, in their order. */
export type Answers = readonly (readonly Series[])[];

/** A named line; a moment without a value is absent. */
export type Line = { readonly name: string; readonly points: readonly Point[] };
export type Point = { readonly at: number; readonly value: number };

/** The lines of a panel, named as its queries say. */
export function linesOf({ targets = [] }: DrawnPanel, answers: Answers): readonly Line[] {
  return answers.flatMap((series, at) =>
    series.map(({ metric, values }) => ({
      name: nameOf(targets[at]?.legendFormat ?? '', metric),
      points: pointsOf(values),
    })),
  );
}

function pointsOf(values: Series['values']): readonly Point[] {
  const points = values.map(([at, text]) => ({ at, value: Number(text) }));
  return points.filter(({ value }) => Number.isFinite(value));
}

/** A zero that stands for nothing at all has no label. */
function nameOf(format: string, labels: Series['metric']): string {
  const named = format.match(/\{\{\w+\}\}/g) ?? [];
  const name = format.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
  const isNothing = named.length > 0 && Object.keys(labels).length === 0;
  return isNothing ? 'none' : name || 'all';
}

/** The last value of a series; undefined for one without any. */
export function lastOf(series: Series | undefined): number | undefined {
  return series && pointsOf(series.values).at(-1)?.value;
}

const COLOURS: { readonly [name: string]: string } = {
  green: '#2f9e5b',
  yellow: '#c99700',
  orange: '#d9730d',
  red: '#c4314b',
  blue: '#2f6fb7',
  text: '#24292f',
};

/** The colour of a value by thresholds. */
export function colourOf(steps: Steps | undefined, value: number): string {
  const reached = (steps ?? []).filter((step) => step.value === null || value >= step.value);
  return COLOURS[reached.at(-1)?.color ?? 'text'] ?? '#24292f';
}

/** A colour by the name that a dashboard gives it. */
export function colourNamed(name: string): string {
  return COLOURS[name] ?? '#24292f';
}

/** A text that HTML shows as it is. */
export function escapeHtml(text: string): string {
  const codes: { readonly [sign: string]: string } = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replaceAll(/[&<>"]/g, (sign) => codes[sign] ?? '');
}
