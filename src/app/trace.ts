import { accessSync, constants } from 'node:fs';
import type { Environment } from '../config/environment.ts';
import type { Logger } from '../observe/log.ts';
import { readTraceSettings } from '../observe/trace/settings.ts';
import type { Tracing } from '../observe/trace/tracer.ts';

/**
 * Opens tracing where the environment names a collector. The libraries for it are loaded only then: a Postern that
 * traces nothing pays nothing for them.
 */
export async function openTraces(
  env: Environment,
  version: string,
  log: Pick<Logger, 'info' | 'warn'>,
): Promise<Tracing | undefined> {
  const { settings, warnings } = readTraceSettings(env);
  for (const warning of warnings) log.warn(warning);
  if (!settings) return undefined;
  for (const name of FILES) {
    if (!isReadable(env[name]))
      log.warn(`${name} names a file that cannot be read: it is not used`);
  }
  try {
    const { openTracing } = await import('../observe/trace/tracer.ts');
    return openTracing({ settings, version, onExport: tellTurns(log) });
  } catch (cause) {
    const error = cause instanceof Error ? describe(cause) : undefined;
    log.warn({ error }, 'tracing cannot be opened: no traces');
    return undefined;
  }
}

/** Files of the transport, which the exporter passes over in silence where they cannot be read. */
const FILES = ['CERTIFICATE', 'CLIENT_CERTIFICATE', 'CLIENT_KEY'].flatMap((name) => [
  `OTEL_EXPORTER_OTLP_${name}`,
  `OTEL_EXPORTER_OTLP_TRACES_${name}`,
]);

function isReadable(path: string | undefined): boolean {
  if (!path) return true;
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Tells when the collector stops taking spans, and when it takes them again; a metric counts those that are lost. */
function tellTurns(log: Pick<Logger, 'info' | 'warn'>): (error: Error | undefined) => void {
  let isFailing = false;
  return (error) => {
    if ((error !== undefined) === isFailing) return;
    isFailing = error !== undefined;
    // The error itself holds what the collector answered.
    if (error) log.warn({ error: describe(error) }, 'spans cannot be exported');
    else log.info('spans are exported again');
  };
}

const CODE_CHARS_MAX = 64;

/** The code of a failure, of a system or of HTTP, else its name. */
function describe(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  return String(code ?? error.name).slice(0, CODE_CHARS_MAX);
}
