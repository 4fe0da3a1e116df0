import { type Context, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TraceCheck } from '../../core/trace.ts';
import { type Clocks, createEpochClock } from './clock.ts';
import { openOutbox, type SpanCounts } from './outbox.ts';
import { type RecordingWorld, recordCheck } from './recording.ts';
import type { SamplerSettings, TraceSettings } from './settings.ts';
import { readTraceparent, type TraceParent } from './traceparent.ts';

/** Traces of checks, on their way to a collector. */
export type Tracing = {
  readonly trace: TraceCheck;
  readonly counts: () => SpanCounts;
  /** Sends what waits; resolves when it has left, or after `graceMs`. Never rejects. */
  readonly close: (graceMs: number) => Promise<void>;
};

export type TracingOptions = {
  readonly settings: TraceSettings;
  readonly version: string;
  /** Hears of every batch; the error says why it was not taken. */
  readonly onExport: (error: Error | undefined) => void;
  /** Where spans go; to the URL of the settings when absent. */
  readonly exporter?: SpanExporter | undefined;
  /** The clocks of this process when absent. */
  readonly clocks?: Clocks | undefined;
};

/** What the span of a check is called. */
export const CHECK_SPAN = 'postern.check';
const SCOPE = 'postern';
const SAMPLED = TraceFlags.SAMPLED;

const PROCESS_CLOCKS: Clocks = { wall: Date.now, monotonic: () => performance.now() };

/**
 * Opens tracing. Spans have no part in a decision: what cannot be sent in time is dropped, and counted. The exporter
 * reads for itself what else the environment says of its transport: headers, certificates, compression.
 */
export function openTracing(options: TracingOptions): Tracing {
  const { settings, version, onExport, clocks = PROCESS_CLOCKS } = options;
  const { url, exportMs: timeoutMillis, sampler } = settings;
  const exporter =
    options.exporter ??
    new OTLPTraceExporter({ url, ...(timeoutMillis !== undefined && { timeoutMillis }) });
  const outbox = openOutbox({ ...settings, exporter, onExport });
  const provider = new TracerProvider({
    resource: resourceOf(version),
    sampler: samplerOf(sampler),
    spanProcessors: [outbox.processor],
  });
  const world: RecordingWorld = {
    tracer: provider.getTracer(SCOPE, version),
    epochTime: createEpochClock(clocks),
    now: clocks.monotonic,
    admits: outbox.admits,
  };
  return {
    trace: traceCheck(world, sampler.isParentBased),
    counts: outbox.counts,
    close: (graceMs) => closeWithin(provider, graceMs),
  };
}

/** A check belongs to the trace that Envoy asks it in; else to that of the request; else it begins one. */
function traceCheck(world: RecordingWorld, isParentBased: boolean): TraceCheck {
  return ({ carried, headers, startedMs }) => {
    const parent = readTraceparent(carried) ?? readTraceparent(headers.get('traceparent'));
    const untraced = parent && { traceId: parent.traceId };
    // The usual case of a mesh that samples little: nothing is made that nobody asks for.
    if (isParentBased && parent?.isSampled === false) return untraced;
    const context = contextOf(parent);
    const span = world.tracer.startSpan(
      CHECK_SPAN,
      { kind: SpanKind.SERVER, startTime: world.epochTime(startedMs) },
      context,
    );
    const { traceId, traceFlags } = span.spanContext();
    if ((traceFlags & SAMPLED) === 0) return untraced;
    return { traceId, recording: recordCheck(world, span, context) };
  };
}

/** Its `tracestate` is left behind: it may hold anything, and what Postern exports needs none of it. */
function contextOf(parent: TraceParent | undefined): Context {
  if (!parent) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

function samplerOf({ ratio, isParentBased }: SamplerSettings): Sampler {
  const root =
    ratio === 1
      ? new AlwaysOnSampler()
      : ratio === 0
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}

/** `OTEL_SERVICE_NAME` comes before `OTEL_RESOURCE_ATTRIBUTES`, and both before what Postern calls itself. */
function resourceOf(version: string): Resource {
  const own = resourceFromAttributes({ 'service.name': SCOPE, 'service.version': version });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}

function closeWithin(provider: TracerProvider, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, graceMs);
    const close = () => {
      clearTimeout(late);
      resolve();
    };
    // What could not be sent is told and counted where it was tried.
    provider.shutdown().then(close, close);
  });
}
