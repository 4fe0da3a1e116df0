import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../src/observe/metrics/metrics.ts';
import { prefersOpenMetrics } from '../../../src/observe/metrics/page.ts';
import { SPAN, TRACE } from './stand.ts';

const OPEN = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PLAIN = 'text/plain; version=0.0.4; charset=utf-8';
/** What Prometheus 2 and 3 send. */
const PROMETHEUS_2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const PROMETHEUS_3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

function open(isTraced: boolean) {
  const spans = () => ({ exported: 7, failed: 2, dropped: 1, waiting: 3 });
  const metrics = createMetrics({
    store: () => ({ subjects: 0, forgotten: 0, dropped: 0, failures: 0 }),
    health: () => ({ isUp: true, isDegraded: false, nodes: [] }),
    audit: () => [],
    jwks: () => [{ issuer: 'a "quoted"\\\nname', keys: 1, isUsable: true }],
    build: { version: '0', node: '0' },
    ...(isTraced && { spans }),
  });
  const check = (tookMs: number, ids?: { traceId?: string; spanId?: string }) =>
    metrics.check({ route: 'v1', decision: 'allow', reason: '' }, tookMs, ids);
  check(0.4, { traceId: TRACE, spanId: SPAN });
  check(0.4);
  check(30, { traceId: TRACE });
  check(9000, { traceId: TRACE, spanId: SPAN });
  return metrics;
}

/** Sample lines by name and labels, without exemplars; what the process does meanwhile is left out. */
function samplesOf(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const ours = lines.filter((line) => !/^postern_(?:process|nodejs)/.test(line));
  return ours.map((line) => line.replace(/ # \{.*/, '')).sort();
}

const FORM =
  /^(?:# (?:HELP|TYPE) \w+ .+|[a-z_]\w*(?:\{(?:[a-z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*\})? (?:NaN|[+-]Inf|-?[\d.e+-]+)(?: # \{[^}]*\} [\d.e+-]+ [\d.]+)?|# EOF)$/;

describe('with tracing on', () => {
  test('a scraper that accepts OpenMetrics gets it, with the trace of a recorded check in each bucket', async () => {
    const { text, contentType } = await open(true).page(PROMETHEUS_2);
    expect(contentType).toBe(OPEN);
    const examples = text.split('\n').filter((line) => line.includes(' # {'));
    expect(examples).toEqual([
      expect.stringMatching(
        new RegExp(
          `^postern_check_duration_seconds_bucket\\{le="0.0005"\\} 2 # \\{trace_id="${TRACE}",span_id="${SPAN}"\\} 0\\.0004 \\d{10}(?:\\.\\d+)?$`,
        ),
      ),
      expect.stringMatching(/^postern_check_duration_seconds_bucket\{le="\+Inf"\} 4 # \{trace_id=/),
    ]);
  });

  test('every line of OpenMetrics has its form, and the text its end', async () => {
    const { text } = await open(true).page(PROMETHEUS_2);
    const lines = text.split('\n');
    expect(lines.slice(-2)).toEqual(['# EOF', '']);
    for (const line of lines.slice(0, -1)) expect(line).toMatch(FORM);
    const families = lines
      .filter((line) => line.startsWith('# TYPE '))
      .map((line) => line.split(' ')[2]);
    expect(new Set(families).size).toBe(families.length);
    for (const line of lines) {
      if (/^# TYPE \S+ counter$/.test(line)) expect(line).not.toContain('_total ');
    }
  });

  test('both forms hold the same samples, also when they are written at once', async () => {
    const metrics = open(true);
    const [one, other, third] = await Promise.all([
      metrics.page(PROMETHEUS_3),
      metrics.page(undefined),
      metrics.page(PROMETHEUS_2),
    ]);
    expect([one.contentType, other.contentType, third.contentType]).toEqual([OPEN, PLAIN, OPEN]);
    expect(samplesOf(one.text)).toEqual(samplesOf(other.text));
    expect(samplesOf(third.text)).toEqual(samplesOf(other.text));
    expect(samplesOf((await metrics.page('text/plain')).text)).toEqual(samplesOf(other.text));
    expect(other.text).not.toMatch(/ # \{|# EOF/);
  });

  test('what becomes of spans is counted', async () => {
    const { text } = await open(true).page(undefined);
    for (const line of [
      'postern_trace_spans_total{outcome="exported"} 7',
      'postern_trace_spans_total{outcome="failed"} 2',
      'postern_trace_spans_total{outcome="dropped"} 1',
      'postern_trace_waiting_spans 3',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });
});

test('with tracing off everybody gets the text that there was, and nothing of spans', async () => {
  const { text, contentType } = await open(false).page(PROMETHEUS_2);
  expect(contentType).toBe(PLAIN);
  expect(text).not.toMatch(/ # \{|# EOF|postern_trace_/);
});

test.each([
  [PROMETHEUS_2, true],
  [PROMETHEUS_3, true],
  ['application/openmetrics-text', true],
  ['Application/OpenMetrics-Text; Version=1.0.0', true],
  ['application/openmetrics-text;q=0.5, text/plain;q=0.5', true],
  ['application/openmetrics-text;q=0.4, text/plain;q=0.5', false],
  ['application/openmetrics-text;q=0', false],
  ['application/openmetrics-text;q=often', false],
  ['application/openmetrics-text;version=0.0.1', false],
  ['text/plain', false],
  ['*/*', false],
  ['', false],
])('Accept: %s', (accept, isOpen) => {
  expect(prefersOpenMetrics(accept)).toBe(isOpen);
});
