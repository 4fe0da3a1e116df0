import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';

export type { Logger };

/** What waits for a reader that stalls; what comes after is dropped. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Opens the log on standard error, as JSON. Errors are logged with their causes, never with a request, and without the
 * objects they carry: a Redis client hangs the command on them, and with it a password.
 */
export function openLog(level: string): Logger {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, serializers: { err: writeError } },
    pino.destination({ fd: 2, sync: false, maxLength: WAITING_BYTES_MAX }),
  );
}

function writeError(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const { aggregateErrors, ...members } = stdSerializers.err(cause);
  const plain = Object.entries(members).filter(([, value]) => typeof value !== 'object');
  const several = cause instanceof AggregateError ? cause.errors.map(writeError) : undefined;
  return { ...Object.fromEntries(plain), ...(several && { aggregateErrors: several }) };
}
