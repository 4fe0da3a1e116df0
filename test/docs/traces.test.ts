import { expect, test } from 'vitest';
import { PART_NAMES } from '../../src/observe/trace/recording.ts';
import { readTraceSettings } from '../../src/observe/trace/settings.ts';
import { CHECK_SPAN } from '../../src/observe/trace/tracer.ts';
import { readPage, spansOf } from './pages.ts';

const PAGE = readPage('docs/traces.md');

/** The first cells of a table's rows, by the first cell of its head. */
function firstCells(head: string): readonly string[] {
  const table = PAGE.text.split(`| ${head} |`)[1]?.split('\n\n')[0] ?? '';
  return [...table.matchAll(/^\| `(\w[\w.]*)`/gm)].map(([, name = '']) => name);
}

test('the page names every span, and no other', () => {
  const parts = Object.values(PART_NAMES).filter((name) => name !== undefined);
  expect([...firstCells('span')].sort()).toEqual([CHECK_SPAN, ...parts].sort());
});

test('the figures of the page are those that hold', () => {
  const { settings } = readTraceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a' });
  for (const [variable, figure] of [
    ['OTEL_EXPORTER_OTLP_TIMEOUT', settings?.exportMs],
    ['OTEL_BSP_SCHEDULE_DELAY', settings?.delayMs],
    ['OTEL_BSP_MAX_QUEUE_SIZE', settings?.waitingMax],
    ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', settings?.batchMax],
  ] as const) {
    const row = PAGE.text.split('\n').find((line) => line.startsWith(`| \`${variable}\``));
    expect(row).toContain(`; ${figure} `);
  }
});

test.each(spansOf(PAGE).filter((name) => /^(?:parentbased|traceid|always)_?\w+$/.test(name)))(
  'the sampler %s is one',
  (sampler) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_TRACES_SAMPLER: sampler };
    expect(readTraceSettings(env).warnings).toEqual([]);
  },
);
