import type { Redis } from 'ioredis';
import { connect, disconnect } from './connect.ts';

/** Who hears nothing asks so often whether anybody is there. */
const PING_EVERY_MS = 1000;

/** One connection for messages, until it is lost. */
export type Subscription = {
  /** Asks for channels, where it is connected. */
  readonly join: () => void;
  readonly close: () => void;
};

export type SubscriptionEvents = {
  readonly channels: () => readonly string[];
  /** All channels are heard from here on. */
  readonly onJoined: () => void;
  readonly onMessage: (channel: string, message: string) => void;
  readonly onError: (cause: unknown) => void;
  /** Told once; nothing comes after it. */
  readonly onLost: () => void;
};

export function openSubscription(redis: Redis, events: SubscriptionEvents): Subscription {
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;

  const end = () => {
    if (isEnded) return false;
    isEnded = true;
    clearTimeout(timer);
    disconnect(redis);
    return true;
  };
  const lose = (cause?: unknown) => {
    if (cause && !isEnded) events.onError(cause);
    if (end()) events.onLost();
  };
  const ping = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void redis.ping().then(ping, lose), PING_EVERY_MS).unref();
  };
  const joined = () => {
    if (isEnded) return;
    events.onJoined();
    ping();
  };
  const join = () => {
    if (redis.status === 'ready') void redis.subscribe(...events.channels()).then(joined, lose);
  };

  redis.on('error', (cause) => {
    if (!isEnded) events.onError(cause);
  });
  redis.on('message', (channel, message) => {
    if (!isEnded) events.onMessage(channel, message);
  });
  redis.once('ready', join);
  redis.once('close', () => lose());
  connect(redis);
  return { join, close: () => void end() };
}
