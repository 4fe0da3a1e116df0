import { Command, type Redis } from 'ioredis';
import { connect, disconnect } from './connect.ts';

/** One connection, which is made again whenever it is lost. */
export type Wire = {
  /** Sends a command; rejects at once while there is no connection, and when it is lost before the answer. */
  readonly send: (name: string, args: readonly (string | number)[]) => Promise<unknown>;
  readonly isUp: () => boolean;
  /** The address that it leads to, once it was up. */
  readonly remote: () => string | undefined;
  readonly close: () => void;
};

export type WireEvents = {
  readonly onUp?: () => void;
  readonly onDown?: () => void;
  readonly onError: (cause: unknown) => void;
};

/**
 * Opens a wire. All commands of one turn of the event loop are written at once. The automatic pipelines of ioredis
 * would do that too, but hold commands back while another pipeline is unanswered: a slow answer would cost two trips.
 */
export function openWire(redis: Redis, events: WireEvents): Wire {
  let isGathering = false;
  let remote: string | undefined;

  const gather = () => {
    if (isGathering) return;
    isGathering = true;
    const { stream } = redis;
    stream.cork();
    setImmediate(() => {
      isGathering = false;
      stream.uncork();
    });
  };

  redis.on('error', events.onError);
  redis.on('ready', () => {
    const { remoteAddress, remotePort } = redis.stream;
    if (remoteAddress) remote = `${remoteAddress}:${remotePort}`;
    events.onUp?.();
  });
  redis.on('close', () => events.onDown?.());
  connect(redis);
  return {
    send: (name, args) => {
      if (redis.status !== 'ready') return Promise.reject(new Error('there is no connection'));
      gather();
      const command = new Command(name, [...args], { replyEncoding: 'utf8' });
      redis.sendCommand(command);
      return command.promise;
    },
    isUp: () => redis.status === 'ready',
    remote: () => remote,
    close: () => disconnect(redis),
  };
}
