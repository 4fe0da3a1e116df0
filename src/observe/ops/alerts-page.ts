import { ALERTS } from '../../core/alert.ts';
import { dateOf } from './component.ts';
import { writeDocument } from './document.ts';
import { html, type Markup, writeCount, writeTime } from './html.ts';
import type { AlertReading } from './reading.ts';
import { number } from './status-page.ts';

/** Alerts since a process began. */
export type AlertCounts = {
  readonly product: string;
  readonly started: Date;
  readonly time: Date;
  readonly alerts: readonly AlertReading[];
};

/** Alerts for programs: how often and when, and nobody's name. */
export function writeAlerts({ product, started, time, alerts }: AlertCounts): object {
  return {
    ...{ product, started, time },
    alerts: alerts.map(({ name, count, suppressed, firstMs, lastMs }) => ({
      alert: name,
      ...ALERTS[name],
      ...{ count, suppressed, first: dateOf(firstMs) ?? null, last: dateOf(lastMs) ?? null },
    })),
  };
}

/** Alerts for people. */
export function writeAlertsPage({ product, started, time, alerts }: AlertCounts): string {
  return writeDocument({
    name: 'alerts',
    title: `${product}: alerts`,
    product,
    main: html`<section><h2>Alerts since ${writeTime(started)}</h2>
<table><thead><tr><th scope="col">Alert</th><th scope="col" class="narrow">Severity</th><th scope="col" class="number">Count</th><th scope="col" class="number">Kept quiet</th><th scope="col" class="when">First</th><th scope="col" class="when">Last</th></tr></thead><tbody>${alerts.map(row)}</tbody></table>
</section>`,
    footer: html`Who it was about is in the audit, for those who may read it. As of ${writeTime(time)}.`,
  });
}

function row({ name, count, suppressed, firstMs, lastMs }: AlertReading): Markup {
  const { severity, title } = ALERTS[name];
  return html`<tr><th scope="row">${title}<div class="soft">${name}</div></th><td>${severity}</td>${number('count', writeCount(count))}${number('kept quiet', writeCount(suppressed))}${moment('first', firstMs)}${moment('last', lastMs)}</tr>`;
}

function moment(name: string, timeMs: number | undefined): Markup {
  const time = dateOf(timeMs);
  return time ? html`<td data-name="${name}">${writeTime(time)}</td>` : html`<td></td>`;
}
