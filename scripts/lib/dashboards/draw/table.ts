import type { Series } from '../stage/prometheus-server.ts';
import { type Answers, colourOf, type DrawnPanel, escapeHtml, lastOf } from './panel.ts';
import { writeValue } from './unit.ts';

type Override = { readonly [property: string]: unknown };
type Row = Map<string, string | number>;

const ROWS_MAX = 12;
const BAR_WIDTH = 90;
const LETTERS = 'ABCDEFGH';

/** Draws a table of the last values, its columns named and joined as the panel says. */
export function drawTable(panel: DrawnPanel, answers: Answers): string {
  const names = renamed(panel);
  const rows = joined(answers);
  const sortBy = [...names.keys()].find((field) => field.startsWith('Value')) ?? '';
  const shown = rows
    .toSorted((one, other) => Number(other.get(sortBy) ?? 0) - Number(one.get(sortBy) ?? 0))
    .slice(0, ROWS_MAX);
  const head = [...names.values()].map((name) => `<th>${escapeHtml(name)}</th>`).join('');
  const body = shown.map((row) => {
    const cells = [...names].map(([field, name]) => drawCell(panel, name, row.get(field)));
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table><tr>${head}</tr>${body.join('')}</table>`;
}

/** Field to the name of its column, in order. */
function renamed({ transformations = [] }: DrawnPanel): ReadonlyMap<string, string> {
  const organize = transformations.find(({ id }) => id === 'organize');
  return new Map(Object.entries(organize?.options.renameByName ?? {}));
}

/** A row for each set of labels, with the value of each query. */
function joined(answers: Answers): readonly Row[] {
  const rows = new Map<string, Row>();
  const now = Math.max(...answers.flat().map(momentOf));
  for (const [at, series] of answers.entries()) {
    const field = answers.length === 1 ? 'Value' : `Value #${LETTERS[at]}`;
    for (const one of series) {
      const value = lastOf(one);
      // What is over by now is in no table of now.
      if (value === undefined || momentOf(one) < now) continue;
      const id = JSON.stringify(Object.entries(one.metric).toSorted());
      const row = rows.get(id) ?? new Map<string, string | number>(Object.entries(one.metric));
      rows.set(id, row.set(field, value));
    }
  }
  return [...rows.values()];
}

function momentOf({ values }: Series): number {
  return values.at(-1)?.[0] ?? 0;
}

function drawCell(panel: DrawnPanel, name: string, value: string | number | undefined): string {
  if (value === undefined) return '<td></td>';
  if (typeof value === 'string') return `<td>${escapeHtml(value)}</td>`;
  const override = overrideOf(panel, name);
  const unit = String(override['unit'] ?? panel.fieldConfig?.defaults.unit);
  const steps = Object(override['thresholds'])['steps'];
  const ink = steps ? colourOf(steps, value) : 'inherit';
  const isBar = Object(override['custom.cellOptions'])['type'] === 'gauge';
  const length = Math.round(Math.min(1, value) * BAR_WIDTH);
  const bar = isBar ? `<i class="bar" style="width:${length}px;background:${ink}"></i>` : '';
  return `<td>${bar}<b style="color:${ink}">${escapeHtml(writeValue(value, unit))}</b></td>`;
}

function overrideOf({ fieldConfig }: DrawnPanel, name: string): Override {
  const found = fieldConfig?.overrides.find(({ matcher }) => matcher.options === name);
  return Object.fromEntries((found?.properties ?? []).map(({ id, value }) => [id, value]));
}
