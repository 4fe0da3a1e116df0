import type { Window } from './history.ts';
import { html, type Markup, writeCount } from './html.ts';
import { trafficOf } from './traffic.ts';

const HEIGHT = 100;
const WIDTH = 600;
const MINUTES = 60;
/** The part of its place that a bar leaves free on either side. */
const GAP = 0.15;

/** Requests of each minute of an hour as bars, those refused below the others; the newest stands to the right. */
export function writeChart(minutes: readonly Window[]): Markup {
  const bars = minutes.map(trafficOf);
  const most = Math.max(0, ...bars.map(({ requests }) => requests));
  const scale = HEIGHT / Math.max(most, 1);
  const places = Math.max(bars.length, MINUTES);
  const rects = bars.flatMap(({ requests, refused }, at) => {
    const place = { at: places - bars.length + at, width: WIDTH / places };
    return [
      writeBar('allowed', place, { top: requests * scale, bottom: refused * scale }),
      writeBar('refused', place, { top: refused * scale, bottom: 0 }),
    ];
  });
  const label = `Requests by minute, at most ${writeCount(most)} in one`;
  return html`<svg class="chart" role="img" aria-label="${label}" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">${rects}</svg>
<p class="soft ends"><span>an hour ago</span><span>now</span></p>
<p class="soft">${writeKey('allowed')}allowed ${writeKey('refused')}refused, at most ${writeCount(most)} a minute</p>`;
}

/** A bar; heights begin at the bottom of the chart. */
function writeBar(
  name: string,
  { at, width }: { readonly at: number; readonly width: number },
  { top, bottom }: { readonly top: number; readonly bottom: number },
): Markup {
  if (top === bottom) return html``;
  const x = rounded((at + GAP) * width);
  const size = { width: rounded((1 - 2 * GAP) * width), height: rounded(top - bottom) };
  return html`<rect class="${name}" x="${x}" y="${rounded(HEIGHT - top)}" width="${size.width}" height="${size.height}"/>`;
}

function writeKey(name: string): Markup {
  return html`<svg class="key" viewBox="0 0 1 1" aria-hidden="true"><rect class="${name}" width="1" height="1"/></svg>`;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
