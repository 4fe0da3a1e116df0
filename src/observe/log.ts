import { type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger };

/** Opens the log on standard error, as JSON. Errors are logged with their causes, never with a request. */
export function openLog(level: string): Logger {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: false }),
  );
}
