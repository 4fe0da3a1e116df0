import type { Series } from '../stage/prometheus-server.ts';
import { colourNamed, type DrawnPanel, escapeHtml, type Line, type Point } from './panel.ts';
import { writeValue } from './unit.ts';

/** The time that is drawn, in seconds. */
export type Span = { readonly from: number; readonly to: number };

type Frame = Span & { readonly width: number; readonly max: number };

const HEIGHT = 150;
const LEFT = 62;
const BOTTOM = 18;
const TOP = 6;
const TICKS = 4;
const LEGEND_MAX = 8;
const STEP_SECONDS = 1;
const INKS = [
  '#2f6fb7',
  '#d9730d',
  '#2f9e5b',
  '#8a4fb5',
  '#c4314b',
  '#1f8f9c',
  '#c99700',
  '#5c6773',
  '#a0522d',
  '#4b57c4',
];

/** Draws lines, or areas upon each other, with a legend below. */
export function drawLines(
  panel: DrawnPanel,
  lines: readonly Line[],
  span: Span,
  width: number,
): string {
  const { unit, max, custom, thresholds } = panel.fieldConfig?.defaults ?? {};
  const mode = custom?.stacking?.mode ?? 'none';
  const areas = mode === 'none' ? lines.map(overNothing) : stack(lines);
  const tops = areas.flatMap(({ points }) => points.map(({ value }) => value));
  const frame = { ...span, width, max: max ?? roundUp(Math.max(...tops, 0)) };
  const inks = lines.map((_, at) => INKS[at % INKS.length] ?? '');
  const drawn = areas.map((area, at) => drawArea(frame, area, inks[at] ?? '', mode !== 'none'));
  const limits = (thresholds?.steps ?? []).flatMap(({ value, color }) =>
    value !== null && value > 0 && value <= frame.max && lines.length > 0 && max === undefined
      ? [rule(frame, value, colourNamed(color))]
      : [],
  );
  const axis = drawAxis(frame, (at) => writeValue((frame.max * at) / TICKS, unit));
  return `${svg(width, axis + drawn.toReversed().join('') + limits.join(''))}${legend(lines, inks, unit)}`;
}

/** Draws the buckets of a histogram over time; the answer holds a series for each `le`. */
export function drawHeatMap(
  panel: DrawnPanel,
  buckets: readonly Series[],
  span: Span,
  width: number,
): string {
  const ordered = buckets.toSorted((one, other) => boundOf(one) - boundOf(other));
  const rows = ordered.map(({ values }, at) =>
    values.map(([time, text]) => {
      const below = Number(ordered[at - 1]?.values.find(([other]) => other === time)?.[1] ?? 0);
      return { at: time, value: Math.max(0, Number(text) - below) };
    }),
  );
  const fullest = Math.max(1, ...rows.flat().map(({ value }) => value));
  const rowHeight = (HEIGHT - TOP - BOTTOM) / Math.max(1, rows.length);
  const frame = { ...span, width, max: 1 };
  const stepWidth = (width - LEFT) / Math.max(1, rows[0]?.length ?? 1);
  const cells = rows.flatMap((row, at) =>
    row
      .filter(({ value }) => value > 0)
      .map(({ at: time, value }) => {
        const top = HEIGHT - BOTTOM - (at + 1) * rowHeight;
        const x = Math.max(LEFT, place(frame, { at: time, value: 0 }).x - stepWidth);
        const depth = (0.15 + 0.85 * Math.sqrt(value / fullest)).toFixed(2);
        return `<rect x="${x.toFixed(1)}" y="${top.toFixed(1)}" width="${stepWidth.toFixed(1)}" height="${(rowHeight - 0.5).toFixed(1)}" fill="#d9730d" fill-opacity="${depth}"/>`;
      }),
  );
  const unit = panel.options?.yAxis?.unit;
  const axis = drawAxis(frame, (at) => {
    const series = ordered[Math.round(((ordered.length - 1) * at) / TICKS)];
    return series ? writeBound(boundOf(series), unit) : '';
  });
  return svg(width, axis + cells.join(''));
}

/** A small line under a figure. */
export function drawSpark(line: Line | undefined, span: Span, width: number, ink: string): string {
  const values = line?.points.map(({ value }) => value) ?? [];
  if (!line || values.length < 2) return '';
  const frame = { ...span, width: width + LEFT, max: Math.max(...values) || 1 };
  const height = 34;
  const points = line.points.map((point) => {
    const { x, y } = place(frame, point);
    return `${(x - LEFT).toFixed(1)},${((y / HEIGHT) * height).toFixed(1)}`;
  });
  return `<svg class="spark" width="${width}" height="${height}"><polyline points="${points.join(' ')}" fill="none" stroke="${ink}" stroke-width="1.5"/></svg>`;
}

type Area = { readonly points: readonly Point[]; readonly floor: readonly Point[] };

function overNothing({ points }: Line): Area {
  return { points, floor: points.map(({ at }) => ({ at, value: 0 })) };
}

/** Lines upon each other. */
function stack(lines: readonly Line[]): readonly Area[] {
  const moments = [...new Set(lines.flatMap(({ points }) => points.map(({ at }) => at)))].sort(
    (one, other) => one - other,
  );
  let floor = moments.map((at) => ({ at, value: 0 }));
  return lines.map(({ points: own }) => {
    const values = new Map(own.map(({ at, value }) => [at, value]));
    const points = floor.map(({ at, value }) => ({ at, value: value + (values.get(at) ?? 0) }));
    const area = { points, floor };
    floor = points;
    return area;
  });
}

function drawArea(frame: Frame, { points, floor }: Area, ink: string, isStacked: boolean): string {
  const depth = isStacked ? 0.35 : 0.05;
  return runsOf(points)
    .map(([from, to]) => {
      const top = path(frame, points.slice(from, to));
      const outline = `${top} ${path(frame, floor.slice(from, to).toReversed())}`;
      const fill = `<polygon points="${outline}" fill="${ink}" fill-opacity="${depth}"/>`;
      return `${fill}<polyline points="${top}" fill="none" stroke="${ink}" stroke-width="1.5"/>`;
    })
    .join('');
}

/** Where points follow each other second by second: from and to, by their place. */
function runsOf(points: readonly Point[]): readonly (readonly [number, number])[] {
  const starts = points.flatMap(({ at }, index) =>
    at - (points[index - 1]?.at ?? Number.NEGATIVE_INFINITY) > STEP_SECONDS ? [index] : [],
  );
  return starts.map((from, at) => [from, starts[at + 1] ?? points.length] as const);
}

function path(frame: Frame, points: readonly Point[]): string {
  return points
    .map((point) => {
      const { x, y } = place(frame, point);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}

function rule(frame: Frame, value: number, ink: string): string {
  const { y } = place(frame, { at: frame.from, value });
  return `<line x1="${LEFT}" x2="${frame.width}" y1="${y}" y2="${y}" stroke="${ink}" stroke-dasharray="6 4"/>`;
}

function drawAxis(frame: Frame, label: (tick: number) => string): string {
  const ticks = Array.from({ length: TICKS + 1 }, (_, at) => {
    const { y } = place({ ...frame, max: TICKS }, { at: frame.from, value: at });
    return `<line x1="${LEFT}" x2="${frame.width}" y1="${y}" y2="${y}" stroke="#e5e8eb"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${escapeHtml(label(at))}</text>`;
  });
  const seconds = Math.round(frame.to - frame.from);
  const from = `<text x="${LEFT}" y="${HEIGHT - 4}">-${seconds} s</text>`;
  const to = `<text x="${frame.width - 2}" y="${HEIGHT - 4}" text-anchor="end">now</text>`;
  return ticks.join('') + from + to;
}

function place(frame: Frame, { at, value }: Point): { readonly x: number; readonly y: number } {
  const along = (at - frame.from) / (frame.to - frame.from);
  const up = frame.max > 0 ? Math.min(1, value / frame.max) : 0;
  return {
    x: LEFT + along * (frame.width - LEFT - 2),
    y: HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP),
  };
}

function svg(width: number, content: string): string {
  return `<svg width="${width}" height="${HEIGHT}">${content}</svg>`;
}

/** The greatest lines by their last value. */
function legend(lines: readonly Line[], inks: readonly string[], unit: string | undefined): string {
  const rows = lines
    .map(({ name, points }, at) => ({ name, ink: inks[at], last: points.at(-1)?.value ?? 0 }))
    .toSorted((one, other) => other.last - one.last)
    .slice(0, LEGEND_MAX)
    .map(
      ({ name, ink, last }) =>
        `<span><i style="background:${ink}"></i>${escapeHtml(name)} <b>${escapeHtml(writeValue(last, unit))}</b></span>`,
    );
  return `<div class="legend">${rows.join('')}</div>`;
}

function boundOf({ metric }: Series): number {
  return metric['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(metric['le']);
}

function writeBound(bound: number, unit: string | undefined): string {
  return Number.isFinite(bound) ? writeValue(bound, unit) : 'more';
}

/** The next 1, 2 or 5 of its power of ten. */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
