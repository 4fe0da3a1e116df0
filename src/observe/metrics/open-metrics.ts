import type { Exemplar } from './exemplars.ts';
import type { Registry } from './prom-client.ts';

/** A family of samples as the library hands it out. */
type Family = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];

/** A sample; the library's types leave out the name of a part of a histogram. */
type Sample = Family['values'][number] & { readonly metricName?: string | undefined };
type Labels = { readonly [name: string]: string | number | undefined };
/** The example to show with a sample. */
export type FindExemplar = (sample: string, labels: Labels) => Exemplar | undefined;

const TOTAL = '_total';
const MS = 1000;

/**
 * Writes what a registry counted as OpenMetrics 1.0, exemplars with it. The library's own writer renames the metrics
 * it writes, for every later scrape too, and takes exemplars for no other; this one leaves them alone. Each sample has the name that it has elsewhere.
 */
export async function openMetricsText(
  registry: Registry,
  findExemplar: FindExemplar,
): Promise<string> {
  const families = await registry.getMetricsAsJSON();
  return `${families.map((one) => writeFamily(one, findExemplar)).join('')}# EOF\n`;
}

function writeFamily({ name, help, type, values }: Family, findExemplar: FindExemplar): string {
  // The library's types say a number; it is the word.
  const kind = String(type);
  const isCounter = kind === 'counter';
  const family = isCounter ? name.replace(/_total$/, '') : name;
  const sampleName = isCounter ? family + TOTAL : family;
  const lines = [`# HELP ${family} ${escaped(help)}`, `# TYPE ${family} ${kind}`];
  for (const value of values) {
    const { metricName = sampleName, labels }: Sample = value;
    const sample = writeSample(metricName, labels, value.value);
    const exemplar = findExemplar(metricName, labels);
    lines.push(exemplar ? `${sample} # ${writeExemplar(exemplar)}` : sample);
  }
  return `${lines.join('\n')}\n`;
}

function writeSample(name: string, labels: Labels, value: number): string {
  const shown = writeLabels(labels);
  return `${name}${shown === '' ? '' : `{${shown}}`} ${writeNumber(value)}`;
}

function writeExemplar({ traceId, spanId, value, atMs }: Exemplar): string {
  const labels = writeLabels({ trace_id: traceId, span_id: spanId });
  return `{${labels}} ${writeNumber(value)} ${atMs / MS}`;
}

function writeLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(String(value))}"`)
    .join(',');
}

function writeNumber(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
