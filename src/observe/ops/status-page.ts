import { ALERTS } from '../../core/alert.ts';
import { writeChart } from './chart.ts';
import type { Component, Facts, Item, State } from './component.ts';
import { writeDocument } from './document.ts';
import type { Windows } from './history.ts';
import { html, type Markup, writeCount, writeSpan, writeTime } from './html.ts';
import type { AlertReading } from './reading.ts';
import type { Status } from './status.ts';
import { trafficOf } from './traffic.ts';

const WORDS: { readonly [state in State]: string } = {
  ok: '✓ ok',
  degraded: '! degraded',
  down: '✕ down',
};

/** The status page, for people. */
export function writeStatusPage(
  status: Status,
  windows: Windows,
  alerts: readonly AlertReading[],
): string {
  const { product, version, started, time, state, components } = status;
  const uptime = writeSpan(time.getTime() - started.getTime());
  return writeDocument({
    name: 'status',
    title: `${product}: ${state}`,
    product,
    main: html`${overall(status)}${traffic(windows)}${overview(status)}${components.map((one) => items(one, time))}${alertSummary(alerts)}`,
    footer: html`Postern ${version}, up for ${uptime}, since ${writeTime(started)}. As of ${writeTime(time)}.`,
  });
}

function overall({ state, message, since, time }: Status): Markup {
  return html`<section class="overall ${state}" aria-label="Overall">
<p>${message} ${badge(state)}</p>
<p class="soft">for ${writeSpan(time.getTime() - since.getTime())}, since ${writeTime(since)}</p>
</section>`;
}

function traffic({ lastHour, minutes }: Windows): Markup {
  const { requests, allowed, refused, reasons, latencyMs, since } = trafficOf(lastHour);
  const figures = [
    ['Requests', writeCount(requests)],
    ['Allowed', writeCount(allowed)],
    ['Refused', share(refused, requests)],
    ['Half within', writeMs(latencyMs.p50)],
    ['99 % within', writeMs(latencyMs.p99)],
  ] as const;
  return html`<section><h2>Last hour</h2>
<p class="soft">since ${writeTime(since)}</p>
<dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${writeChart(minutes)}
${reasonTable(reasons, refused)}
</section>`;
}

function reasonTable(reasons: readonly (readonly [string, number])[], all: number): Markup {
  if (reasons.length === 0) return html``;
  const rows = reasons.map(
    ([reason, count]) =>
      html`<tr><th scope="row">${reason}</th>${number('count', writeCount(count))}${number('share', share(count, all))}</tr>`,
  );
  return html`<table><thead><tr><th scope="col">Refused for</th><th scope="col" class="number">Count</th><th scope="col" class="number">Share</th></tr></thead><tbody>${rows}</tbody></table>`;
}

/** A figure in a table; where a narrow screen has no columns, its name stands before it. */
export function number(name: string, value: string): Markup {
  return html`<td class="number" data-name="${name}">${value}</td>`;
}

function overview({ components, time }: Status): Markup {
  const rows = components.map(
    ({ title, state, since, message, facts }) =>
      html`<tr><th scope="row">${title}</th><td>${badge(state)}</td><td>${age(since, time)}</td><td>${message}${writeFacts(facts)}</td></tr>`,
  );
  return html`<section><h2>Components</h2>
<table><thead><tr><th scope="col" class="name">Component</th><th scope="col" class="narrow">State</th><th scope="col" class="when">For</th><th scope="col">What it means</th></tr></thead><tbody>${rows}</tbody></table>
</section>`;
}

function items({ items: all }: Component, time: Date): Markup {
  if (all === undefined) return html``;
  const row = ({ name, state, since, facts }: Item) =>
    html`<tr><th scope="row">${name}</th><td>${badge(state)}</td><td>${since && age(since, time)}</td><td>${writeFacts(facts)}</td></tr>`;
  return html`<section><h2>${all.title}</h2>
<table><thead><tr><th scope="col" class="name">${all.each}</th><th scope="col" class="narrow">State</th><th scope="col" class="when">For</th><th scope="col">Details</th></tr></thead><tbody>${all.of.map(row)}</tbody></table>
</section>`;
}

function alertSummary(alerts: readonly AlertReading[]): Markup {
  const raised = alerts.filter(({ count }) => count > 0);
  if (raised.length === 0) {
    return html`<section><h2>Alerts</h2><p>None was raised since the start.</p></section>`;
  }
  const rows = raised.map(
    ({ name, count, lastMs }) =>
      html`<tr><th scope="row">${ALERTS[name].title}</th>${number('count', writeCount(count))}<td>${lastMs === undefined ? undefined : writeTime(new Date(lastMs))}</td></tr>`,
  );
  return html`<section><h2>Alerts since the start</h2>
<table><thead><tr><th scope="col">Alert</th><th scope="col" class="number">Count</th><th scope="col" class="when">Last</th></tr></thead><tbody>${rows}</tbody></table>
</section>`;
}

function badge(state: State): Markup {
  return html`<span class="state ${state}">${WORDS[state]}</span>`;
}

function age(since: Date, time: Date): Markup {
  return html`<span class="span">${writeSpan(time.getTime() - since.getTime())}</span> ${writeTime(since)}`;
}

function writeFacts(facts: Facts): Markup {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  if (known.length === 0) return html``;
  const rows = known.map(
    ([name, value]) =>
      html`<div><dt>${name.replaceAll('_', ' ')}</dt><dd>${writeFact(value)}</dd></div>`,
  );
  return html`<dl class="facts">${rows}</dl>`;
}

function writeFact(value: Facts[string]): Markup | string | undefined {
  if (value instanceof Date) return writeTime(value);
  return typeof value === 'number' ? writeCount(value) : value;
}

function share(part: number, all: number): string {
  if (all === 0) return '–';
  const percent = (100 * part) / all;
  return `${percent.toFixed(percent > 0 && percent < 10 ? 1 : 0)} %`;
}

function writeMs(ms: number | null): string {
  return ms === null ? '–' : `${ms.toPrecision(3)} ms`;
}
