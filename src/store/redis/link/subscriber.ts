import type { Redis } from 'ioredis';
import { retryDelay } from './connect.ts';
import { inTime } from './in-time.ts';
import { connectionFailure } from './redis-error.ts';
import { openSubscription, type Subscription } from './subscription.ts';

/** How long a first subscription is waited for; after that it comes when it can. */
const FIRST_WITHIN_MS = 1000;

type Listener = (message: string | undefined) => void;

export type Subscriber = {
  readonly subscribe: (channel: string, listener: Listener) => Promise<void>;
  readonly close: () => void;
};

export type SubscriberOptions = {
  /** Makes a connection to some node that is thought to serve. */
  readonly make: () => { readonly redis: Redis; readonly name: string };
  readonly onFailure: (cause: Error) => void;
};

/** Hears messages over a connection of its own. When it is lost another is made, to another node where there are several. */
export function createSubscriber({ make, onFailure }: SubscriberOptions): Subscriber {
  const listeners = new Map<string, Listener>();
  const waiting = new Set<() => void>();
  let subscription: Subscription | undefined;
  let timer: NodeJS.Timeout | undefined;
  let attempt = 0;

  // An exception in an event of a connection would end the process.
  const hear = (listener: Listener | undefined, message: string | undefined) => {
    try {
      listener?.(message);
    } catch (cause) {
      onFailure(new Error('a message of Redis could not be followed', { cause }));
    }
  };
  const begin = () => {
    const { redis, name } = make();
    subscription = openSubscription(redis, {
      channels: () => [...listeners.keys()],
      onJoined: () => {
        attempt = 0;
        for (const listener of listeners.values()) hear(listener, undefined);
        for (const resolve of waiting) resolve();
        waiting.clear();
      },
      onMessage: (channel, message) => hear(listeners.get(channel), message),
      onError: (cause) => onFailure(connectionFailure(cause, name)),
      onLost: () => {
        attempt += 1;
        timer = setTimeout(begin, retryDelay(attempt)).unref();
      },
    });
  };
  return {
    subscribe: async (channel, listener) => {
      listeners.set(channel, listener);
      const joined = new Promise<void>((resolve) => waiting.add(resolve));
      if (subscription) subscription.join();
      else begin();
      await inTime(joined, FIRST_WITHIN_MS).catch(() => undefined);
    },
    close: () => {
      clearTimeout(timer);
      subscription?.close();
    },
  };
}
