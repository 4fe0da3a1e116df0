import { drawHeatMap, drawLines, drawSpark, type Span } from './chart.ts';
import {
  type Answers,
  colourNamed,
  colourOf,
  type DrawnPanel,
  escapeHtml,
  lastOf,
  linesOf,
} from './panel.ts';
import { drawTable } from './table.ts';
import { writeValue } from './unit.ts';

/** A panel and what its queries were answered; the title of a row has none. */
export type Shown = { readonly panel: DrawnPanel; readonly answers: Answers };

export const PAGE_WIDTH = 1280;
const COLUMNS = 24;
const MARGIN = 12;
const PADDING = 10;

const STYLE = `
  body { margin: 0; padding: ${MARGIN}px; width: ${PAGE_WIDTH - 2 * MARGIN}px; background: #f4f5f7; color: #24292f;
    font: 13px "DejaVu Sans", "Liberation Sans", sans-serif; }
  h1 { font-size: 18px; margin: 2px 4px 10px; } h2 { font-size: 13px; margin: 8px 4px 4px; width: 100%; color: #57606a; }
  h3 { font-size: 12px; margin: 0 0 6px; font-weight: 600; }
  main { display: flex; flex-wrap: wrap; }
  section { box-sizing: border-box; padding: 4px; }
  section > div { background: #fff; border: 1px solid #dfe3e8; border-radius: 3px; padding: ${PADDING - 1}px; height: 100%; box-sizing: border-box; overflow: hidden; }
  .figure { font-size: 26px; font-weight: 600; } .spark { display: block; }
  svg text { font-size: 10px; fill: #57606a; }
  .legend { font-size: 11px; margin-top: 4px; } .legend span { margin-right: 12px; white-space: nowrap; }
  .legend i { display: inline-block; width: 10px; height: 3px; margin-right: 4px; vertical-align: middle; }
  table { border-collapse: collapse; width: 100%; font-size: 12px; } th { text-align: left; color: #57606a; }
  td, th { padding: 3px 6px; border-bottom: 1px solid #eceff1; } td b { font-weight: 600; }
  .bar { display: inline-block; height: 10px; margin-right: 6px; }
`;

/** Draws a dashboard as a page that needs nothing from elsewhere. */
export function drawPage(title: string, shown: readonly Shown[], span: Span): string {
  const parts = shown.map((one) =>
    one.panel.type === 'row' ? `<h2>${escapeHtml(one.panel.title)}</h2>` : drawPanel(one, span),
  );
  return `<!doctype html><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${STYLE}</style><h1>${escapeHtml(title)}</h1><main>${parts.join('')}</main>`;
}

function drawPanel({ panel, answers }: Shown, span: Span): string {
  const outer = ((PAGE_WIDTH - 2 * MARGIN) * panel.gridPos.w) / COLUMNS;
  const inner = Math.floor(outer - 2 * PADDING - 8);
  const title = escapeHtml(panel.title.replace('$route', 'every route'));
  const content = drawContent({ panel, answers }, span, inner);
  return `<section style="width:${outer.toFixed(2)}px"><div><h3>${title}</h3>${content}</div></section>`;
}

function drawContent({ panel, answers }: Shown, span: Span, width: number): string {
  switch (panel.type) {
    case 'stat':
      return drawFigure({ panel, answers }, span, width);
    case 'heatmap':
      return drawHeatMap(panel, answers[0] ?? [], span, width);
    case 'table':
      return drawTable(panel, answers);
    default:
      return drawLines(panel, linesOf(panel, answers), span, width);
  }
}

function drawFigure({ panel, answers }: Shown, span: Span, width: number): string {
  const { unit, thresholds, mappings } = panel.fieldConfig?.defaults ?? {};
  const value = lastOf(answers[0]?.[0]);
  if (value === undefined) return '<div class="figure">-</div>';
  const word = mappings?.[0]?.options[String(value)];
  const ink = word ? colourNamed(word.color) : colourOf(thresholds?.steps, value);
  const [line] = linesOf(panel, answers);
  const text = escapeHtml(word?.text ?? writeValue(value, unit));
  return `<div class="figure" style="color:${ink}">${text}</div>${drawSpark(line, span, width, ink)}`;
}
