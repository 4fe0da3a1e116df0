import type { Redis } from 'ioredis';
import type { Carrier } from './delivery.ts';

/** A connection to Redis, or to the master of a Cluster's slot; made by whoever knows where it is. */
export type StreamConnection = Pick<Redis, 'pipeline'> & { readonly disconnect: () => void };

export type StreamOptions = {
  readonly stream: string;
  /** Entries that the stream keeps, roughly. */
  readonly maxLength: number;
  readonly onFailure: (cause: unknown) => void;
};

/** An answer that takes longer is a failure, and its events are added again. */
const ANSWER_MS = 5000;

/** Adds events to a stream, each as `id` and `event`; the entries of an event that came twice have one `id`. */
export function createStreamCarrier(
  connection: StreamConnection,
  { stream, maxLength, onFailure }: StreamOptions,
): Carrier {
  return {
    carry: async (events) => {
      const pipeline = connection.pipeline();
      for (const event of events) {
        pipeline.xadd(stream, 'MAXLEN', '~', maxLength, '*', 'id', idOf(event), 'event', event);
      }
      try {
        const answers = await inTime(pipeline.exec());
        const failure = answers?.find(([cause]) => cause)?.[0];
        if (failure) onFailure(failure);
        return answers !== null && failure === undefined;
      } catch (cause) {
        onFailure(cause);
        return false;
      }
    },
    close: async () => connection.disconnect(),
  };
}

function idOf(event: string): string {
  try {
    return String(JSON.parse(event).id);
  } catch {
    return '';
  }
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('Redis did not answer in time')), ANSWER_MS);
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
