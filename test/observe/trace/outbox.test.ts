import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createEpochClock } from '../../../src/observe/trace/clock.ts';
import { openOutbox } from '../../../src/observe/trace/outbox.ts';
import type { Tracing } from '../../../src/observe/trace/tracer.ts';
import { nanosecondsOf, openKeeper, openStand, parent } from './stand.ts';

/** Ends so many checks, each of one span. */
function endChecks(tracing: Tracing, count: number): void {
  for (let at = 0; at < count; at += 1) {
    const carried = [parent('01')];
    const found = tracing.trace({ carried, headers: new Map(), startedMs: performance.now() });
    const end = { request: { method: 'GET' }, facts: {}, endedMs: performance.now() };
    found?.recording?.end(end);
  }
}

/** An exporter that answers when the test says so. */
function openStalled() {
  const answers: (() => void)[] = [];
  const exporter: SpanExporter = {
    export: (_batch, answer) => answers.push(() => answer({ code: 0 })),
    shutdown: () => Promise.resolve(),
  };
  return { exporter, answers };
}

const few = { OTEL_BSP_MAX_QUEUE_SIZE: '4', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2' };

test('spans leave in batches, without anybody waiting for them', async () => {
  const { exporter, spans } = openKeeper();
  const tracing = openStand({ env: { OTEL_BSP_SCHEDULE_DELAY: '1' }, exporter });
  endChecks(tracing, 3);
  expect(tracing.counts()).toEqual({ exported: 0, failed: 0, dropped: 0, waiting: 3 });
  await vi.waitFor(() => expect(spans).toHaveLength(3));
  expect(tracing.counts()).toEqual({ exported: 3, failed: 0, dropped: 0, waiting: 0 });
});

test('a collector that stalls costs spans, and every one is counted', async () => {
  const { exporter, answers } = openStalled();
  const tracing = openStand({ env: few, exporter });
  endChecks(tracing, 10);
  expect(tracing.counts()).toEqual({ exported: 0, failed: 0, dropped: 6, waiting: 4 });
  while (tracing.counts().exported < 4) {
    await vi.waitFor(() => expect(answers).not.toHaveLength(0));
    answers.shift()?.();
  }
  endChecks(tracing, 1);
  expect(tracing.counts()).toMatchObject({ dropped: 6, waiting: 1 });
});

test('spans whose export never ends fail after a minute, once, and make room for others', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { exporter, answers } = openStalled();
  const tracing = openStand({ env: few, exporter });
  endChecks(tracing, 2);
  await vi.advanceTimersByTimeAsync(61_000);
  expect(tracing.counts()).toEqual({ exported: 0, failed: 2, dropped: 0, waiting: 0 });
  answers.shift()?.();
  expect(tracing.counts()).toEqual({ exported: 0, failed: 2, dropped: 0, waiting: 0 });
});

test('a check finds room with all of its spans, or with none', () => {
  const { exporter } = openStalled();
  const outbox = openOutbox({
    exporter,
    waitingMax: 4,
    batchMax: 2,
    delayMs: 1000,
    onExport: () => {},
  });
  expect([outbox.admits(5), outbox.admits(4)]).toEqual([false, true]);
  expect(outbox.counts().dropped).toBe(5);
});

test('a collector that refuses is told of once for each batch, and the spans count as failed', async () => {
  const fails = new Error('401');
  const { exporter } = openKeeper(fails);
  const heard: unknown[] = [];
  const tracing = openStand({ env: few, exporter, onExport: (error) => heard.push(error) });
  endChecks(tracing, 4);
  await tracing.close(1000);
  expect(tracing.counts()).toEqual({ exported: 0, failed: 4, dropped: 0, waiting: 0 });
  expect(heard).toEqual([fails, fails]);
});

test('an exporter that throws is one that fails', async () => {
  const exporter: SpanExporter = {
    export: (_batch: ReadableSpan[]) => {
      throw new TypeError('no bytes');
    },
    shutdown: () => Promise.resolve(),
  };
  const tracing = openStand({ exporter });
  endChecks(tracing, 2);
  await tracing.close(1000);
  expect(tracing.counts()).toEqual({ exported: 0, failed: 2, dropped: 0, waiting: 0 });
});

test('closing waits no longer than it may', async () => {
  const { exporter } = openStalled();
  const tracing = openStand({ exporter });
  endChecks(tracing, 1);
  const startedMs = performance.now();
  await tracing.close(30);
  expect(performance.now() - startedMs).toBeLessThan(1000);
  expect(tracing.counts().waiting).toBe(1);
});

test('after closing, checks go on and their spans are no matter', async () => {
  const { exporter, spans } = openKeeper();
  const tracing = openStand({ exporter });
  await tracing.close(1000);
  expect(() => endChecks(tracing, 1)).not.toThrow();
  expect(spans).toEqual([]);
});

test('times are those of the wall clock at one offset, until somebody sets it', () => {
  const clocks = { wallMs: Date.UTC(2026, 10, 21), monotonicMs: 500 };
  const epochTime = createEpochClock({
    wall: () => Math.floor(clocks.wallMs),
    monotonic: () => clocks.monotonicMs,
  });
  const first = nanosecondsOf(epochTime(500));
  expect(first).toBe(BigInt(Date.UTC(2026, 10, 21)) * 1_000_000n);
  clocks.wallMs += 0.9;
  clocks.monotonicMs += 0.9;
  expect(Number(nanosecondsOf(epochTime(500.25)) - first)).toBeCloseTo(250_000, -3);
  clocks.wallMs += 60_000;
  expect(nanosecondsOf(epochTime(500.9)) - first).toBeGreaterThan(59_000_000_000n);
});

test('a time has less than a second of nanoseconds', () => {
  const epochTime = createEpochClock({ wall: () => 1_999, monotonic: () => 1_999 });
  for (const ms of [999.999999, 1000, 1999.9999999, 0.1]) {
    const [seconds, nanoseconds] = epochTime(ms);
    expect([Number.isInteger(seconds), Number.isInteger(nanoseconds)]).toEqual([true, true]);
    expect(nanoseconds).toBeLessThan(1_000_000_000);
    expect(nanoseconds).toBeGreaterThanOrEqual(0);
  }
});
