import { CHECK_DURATION } from './check.ts';
import type { Exemplars } from './exemplars.ts';
import { type FindExemplar, openMetricsText } from './open-metrics.ts';
import { Registry } from './prom-client.ts';

export type MetricsPage = { readonly text: string; readonly contentType: string };

const OPEN_METRICS = 'application/openmetrics-text';
const PLAIN = 'text/plain';
/** The version that is written; a range that names none means any. */
const VERSION = '1.0.0';
const CHECK_BUCKET = `${CHECK_DURATION}_bucket`;

/** Makes the page of a registry. OpenMetrics is offered only where it has more to say: with exemplars. */
export function metricsPage(
  registry: Registry,
  exemplars: Exemplars | undefined,
): (accept: string | undefined) => Promise<MetricsPage> {
  const findExemplar: FindExemplar = (sample, { le }) =>
    sample === CHECK_BUCKET ? exemplars?.find(String(le)) : undefined;
  return async (accept) => {
    if (exemplars && prefersOpenMetrics(accept ?? '')) {
      const text = await openMetricsText(registry, findExemplar);
      return { text, contentType: Registry.OPENMETRICS_CONTENT_TYPE };
    }
    return { text: await registry.metrics(), contentType: registry.contentType };
  };
}

/** Whether Accept names OpenMetrics, in this version, and plain text with no more weight (RFC 9110 section 12.5.1). */
export function prefersOpenMetrics(accept: string): boolean {
  let open = 0;
  let plain = 0;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const value = (name: string) =>
      parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
    const sent = value('q');
    const weight = sent === undefined ? 1 : Number(sent) || 0;
    const version = value('version');
    const isVersion = version === undefined || version === VERSION;
    if (type === OPEN_METRICS && isVersion) open = Math.max(open, weight);
    if (type === PLAIN) plain = Math.max(plain, weight);
  }
  return open > 0 && open >= plain;
}
