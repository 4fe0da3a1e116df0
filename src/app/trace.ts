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
  const { openTracing } = await import('../observe/trace/tracer.ts');
  return openTracing({ settings, version, onExport: tellTurns(log) });
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
