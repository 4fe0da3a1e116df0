import { Command, type Redis } from 'ioredis';
import { connect, disconnect } from './connect.ts';

/** One connection, which is made again whenever it is lost. */
export type Wire = {
  /** Sends a command; rejects at once while there is no connection, and when it is lost before the answer. */
  readonly send: (name: string, args: readonly (string | number)[]) => Promise<unknown>;
  readonly isUp: () => boolean;
  /** The address that it leads to, once it was up. */
  readonly remote: () => string | undefined;
  /** Makes it again where it leads anywhere but to this address (`host:port`). */
  readonly renew: (unlessTo: string) => void;
  readonly close: () => void;
};

export type WireEvents = {
  readonly onUp?: () => void;
  readonly onDown?: () => void;
  readonly onError: (cause: unknown) => void;
};

/** A turn of a busy event loop may last longer: Redis is at work meanwhile. */
const GATHERED_MS = 2;
const REFUSED_AGAIN_MS = 1000;

/**
 * Opens a wire. Commands of one turn of the event loop are written together. The automatic pipelines of ioredis would
 * do that too, but hold commands back while another pipeline is unanswered: a slow answer would cost two trips.
 */
export function openWire(redis: Redis, events: WireEvents): Wire {
  let remote: string | undefined;
  // Where its database is refused ioredis goes on in another, and what stands there is somebody else's.
  let isElsewhere = false;
  const isUp = () => redis.status === 'ready' && !isElsewhere;

  const gather = createGathering(redis);
  const renew = () => {
    if (redis.status !== 'end') redis.disconnect(true);
  };

  redis.on('connect', () => {
    isElsewhere = false;
  });
  redis.on('error', (cause) => {
    isElsewhere ||= isOfSelect(cause);
    events.onError(cause);
  });
  redis.on('ready', () => {
    if (isElsewhere) {
      setTimeout(renew, REFUSED_AGAIN_MS).unref();
      return;
    }
    const { remoteAddress, remotePort } = redis.stream;
    if (remoteAddress) remote = `${remoteAddress}:${remotePort}`;
    events.onUp?.();
  });
  redis.on('close', () => events.onDown?.());
  connect(redis);
  return {
    send: (name, args) => {
      if (!isUp()) return Promise.reject(new Error('there is no connection'));
      gather();
      const command = new Command(name, [...args], { replyEncoding: 'utf8' });
      redis.sendCommand(command);
      return command.promise;
    },
    isUp,
    remote: () => remote,
    renew: (unlessTo) => {
      if (remote !== unlessTo) renew();
    },
    close: () => disconnect(redis),
  };
}

function isOfSelect(cause: unknown): boolean {
  if (!(cause instanceof Error) || !('command' in cause)) return false;
  const { command } = cause;
  return (
    typeof command === 'object' &&
    command !== null &&
    'name' in command &&
    command.name === 'select'
  );
}

/** What is written after a call of this waits for the end of the turn. */
function createGathering(redis: Redis): () => void {
  let gathering: { readonly stream: Redis['stream']; readonly sinceMs: number } | undefined;
  const release = () => {
    gathering?.stream.uncork();
    gathering = undefined;
  };
  return () => {
    const nowMs = performance.now();
    if (gathering && nowMs - gathering.sinceMs < GATHERED_MS) return;
    if (gathering) release();
    else setImmediate(release);
    gathering = { stream: redis.stream, sinceMs: nowMs };
    gathering.stream.cork();
  };
}
