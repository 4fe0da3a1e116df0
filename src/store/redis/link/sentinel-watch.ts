import type { Connections } from './connect.ts';
import { createSubscriber } from './subscriber.ts';

/** `<name> <old ip> <old port> <new ip> <new port>` */
const SWITCHED = '+switch-master';

export type SentinelWatchOptions = {
  readonly connections: Pick<Connections, 'addresses' | 'makeToSentinel'>;
  /** Hears the address (`host:port`) of the server that became master, once from each sentinel. */
  readonly onSwitch: (to: string) => void;
  readonly onFailure: (cause: Error) => void;
};

/**
 * Listens to all sentinels of a master. One that was replaced while it runs goes on as a master for some ten seconds,
 * and whoever stays connected writes what is then lost. Each sentinel is heard, because one that has not learnt of the
 * next master yet still leads to the old one. Does nothing without a name.
 */
export function watchSentinels(
  name: string | undefined,
  { connections, onSwitch, onFailure }: SentinelWatchOptions,
): { readonly close: () => void } {
  const addresses = name === undefined ? [] : connections.addresses;
  const subscribers = addresses.map((address) => {
    const make = () => ({ redis: connections.makeToSentinel(address), name: address });
    const subscriber = createSubscriber({ make, onFailure });
    const hear = (message: string | undefined) => {
      const [switched, , , host, port] = message?.split(' ') ?? [];
      if (switched === name && host && port) onSwitch(`${host}:${port}`);
    };
    subscriber.subscribe(SWITCHED, hear).catch(onFailure);
    return subscriber;
  });
  return {
    close: () => {
      for (const subscriber of subscribers) subscriber.close();
    },
  };
}
