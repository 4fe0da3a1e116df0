/** How traces are sampled and sent, as the variables of OpenTelemetry say. */
export type TraceSettings = {
  /** Where spans go, by OTLP over HTTP. */
  readonly url: string;
  readonly sampler: SamplerSettings;
  /** Longest time of one export, milliseconds; undefined where the exporter reads it by itself. */
  readonly exportMs: number | undefined;
  /** Longest time that a span waits for others to leave with, milliseconds. */
  readonly delayMs: number;
  readonly waitingMax: number;
  readonly batchMax: number;
};

/** `ratio` is the part of traces that are recorded among those that begin here, or of all. */
export type SamplerSettings = {
  readonly ratio: number;
  /** Whether a parent decides for its children. */
  readonly isParentBased: boolean;
};

export type TraceChoice = {
  /** Undefined where nothing is traced. */
  readonly settings: TraceSettings | undefined;
  readonly warnings: readonly string[];
};

type Environment = Readonly<Record<string, string | undefined>>;

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const TRACES_ENDPOINT = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const PROTOCOL = 'http/protobuf';
const COMPRESSIONS = ['gzip', 'none'];
/** Far below the ten seconds of the specification: an export under way holds up the end of the process. */
const EXPORT_MS = 2000;
const DELAY_MS = 1000;
const WAITING_MAX = 8192;
const BATCH_MAX = 512;
const COUNT_MAX = 1_000_000;

type MakeSampler = (ratio: number) => SamplerSettings;

const SAMPLERS: ReadonlyMap<string, MakeSampler> = new Map<string, MakeSampler>([
  ['always_on', () => ({ ratio: 1, isParentBased: false })],
  ['always_off', () => ({ ratio: 0, isParentBased: false })],
  ['traceidratio', (ratio) => ({ ratio, isParentBased: false })],
  ['parentbased_always_on', () => ({ ratio: 1, isParentBased: true })],
  ['parentbased_always_off', () => ({ ratio: 0, isParentBased: true })],
  ['parentbased_traceidratio', (ratio) => ({ ratio, isParentBased: true })],
]);
const DEFAULT_SAMPLER = 'parentbased_always_on';

/**
 * Reads whether to trace and how. Only an endpoint turns traces on. What cannot be understood is a warning and its
 * default holds, because telemetry must not keep a gate closed; no warning repeats a value.
 */
export function readTraceSettings(env: Environment): TraceChoice {
  const sent = env[TRACES_ENDPOINT] || env[ENDPOINT];
  const isOff = isTrue(env['OTEL_SDK_DISABLED']) || env['OTEL_TRACES_EXPORTER'] === 'none';
  if (!sent || isOff) return { settings: undefined, warnings: [] };
  const url = exportUrl(env);
  if (url === undefined) {
    const name = env[TRACES_ENDPOINT] ? TRACES_ENDPOINT : ENDPOINT;
    return { settings: undefined, warnings: [`${name} is no http or https URL: no traces`] };
  }
  const warnings: string[] = [];
  const count = (name: string, usual: number) => readCount(env, name, { usual, warnings });
  const protocol = firstOf(env, 'PROTOCOL');
  if (protocol && protocol !== PROTOCOL) {
    warnings.push(
      `OTEL_EXPORTER_OTLP_PROTOCOL: traces are sent as ${PROTOCOL} and in no other way`,
    );
  }
  const compression = firstOf(env, 'COMPRESSION');
  if (compression && !COMPRESSIONS.includes(compression)) {
    warnings.push('OTEL_EXPORTER_OTLP_COMPRESSION: gzip or none; nothing is compressed');
  }
  const timeout = firstOf(env, 'TIMEOUT');
  const hasTimeout = timeout !== undefined && Number(timeout) > 0;
  if (timeout !== undefined && !hasTimeout) {
    warnings.push(`OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds: ${EXPORT_MS} holds`);
  }
  const waitingMax = count('OTEL_BSP_MAX_QUEUE_SIZE', WAITING_MAX);
  const settings = {
    url,
    sampler: readSampler(env, warnings),
    exportMs: hasTimeout ? undefined : EXPORT_MS,
    delayMs: count('OTEL_BSP_SCHEDULE_DELAY', DELAY_MS),
    waitingMax,
    batchMax: Math.min(waitingMax, count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', BATCH_MAX)),
  };
  return { settings, warnings };
}

/** What a variable of the exporter says for traces, else for everything. */
function firstOf(env: Environment, name: string): string | undefined {
  return env[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`] || undefined;
}

/** The endpoint for traces as it is, or the common one with the path of traces (OTLP exporter specification). */
function exportUrl(env: Environment): string | undefined {
  const own = env[TRACES_ENDPOINT];
  const common = (env[ENDPOINT] ?? '').replace(/\/$/, '');
  const url = URL.parse(own || `${common}/v1/traces`);
  return url && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

function readSampler(env: Environment, warnings: string[]): SamplerSettings {
  const make = SAMPLERS.get(env['OTEL_TRACES_SAMPLER'] || DEFAULT_SAMPLER);
  const ratio = readRatio(env['OTEL_TRACES_SAMPLER_ARG']);
  if (!make) {
    warnings.push(`OTEL_TRACES_SAMPLER names no sampler that there is: ${DEFAULT_SAMPLER} holds`);
    return { ratio: 1, isParentBased: true };
  }
  if (ratio === undefined) {
    warnings.push('OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: 1 holds');
  }
  return make(ratio ?? 1);
}

function readRatio(text: string | undefined): number | undefined {
  if (!text) return 1;
  const ratio = Number(text);
  return ratio >= 0 && ratio <= 1 ? ratio : undefined;
}

function readCount(
  env: Environment,
  name: string,
  { usual, warnings }: { readonly usual: number; readonly warnings: string[] },
): number {
  const text = env[name];
  if (!text) return usual;
  const count = Number(text);
  if (Number.isInteger(count) && count > 0 && count <= COUNT_MAX) return count;
  warnings.push(`${name} is no whole number from 1 to ${COUNT_MAX}: ${usual} holds`);
  return usual;
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}
