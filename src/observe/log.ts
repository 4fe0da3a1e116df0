import { type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger };

/** What waits for a reader that stalls; what comes after is dropped. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** Opens the log on standard error, as JSON. Errors are logged with their causes, never with a request. */
export function openLog(level: string): Logger {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: false, maxLength: WAITING_BYTES_MAX }),
  );
}
