import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { createEpochClock } from '../../../src/observe/trace/clock.ts';
import { readTraceSettings } from '../../../src/observe/trace/settings.ts';
import { openTracing, type Tracing } from '../../../src/observe/trace/tracer.ts';

export const TRACE = '0af7651916cd43dd8448eb211c80319c';
export const OTHER = '11111111111111111111111111111111';
export const SPAN = 'b7ad6b7169203331';
/** A parent in a `traceparent`. */
export const parent = (flags: '00' | '01', trace = TRACE) => `00-${trace}-${SPAN}-${flags}`;

/** An exporter that keeps what it is given, or answers with what went wrong. */
export function openKeeper(fails?: Error) {
  const spans: ReadableSpan[] = [];
  const exporter: SpanExporter = {
    export: (batch, answer) => {
      if (fails) return answer({ code: 1, error: fails });
      spans.push(...batch);
      answer({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
  return { exporter, spans };
}

type Stand = {
  readonly env?: { readonly [name: string]: string };
  readonly exporter: SpanExporter;
  readonly onExport?: (error: Error | undefined) => void;
  readonly clocks?: Parameters<typeof createEpochClock>[0];
};

/** Tracing over an exporter of the test's, with the settings that an environment makes. */
export function openStand({ env = {}, exporter, onExport = () => {}, clocks }: Stand): Tracing {
  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', ...env };
  const { settings } = readTraceSettings(on);
  if (!settings) throw new Error('these variables turn traces off');
  return openTracing({ settings, version: '1.2.3', onExport, exporter, clocks });
}

/** Nanoseconds since the epoch. */
export function nanosecondsOf([seconds, nanoseconds]: readonly [number, number]): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}
