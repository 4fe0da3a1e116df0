import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A way to a server of the loopback address that can be made bad: the network of one client. */
export type Proxy = {
  readonly port: number;
  /**
   * Nothing passes any more, and neither side hears of it. What is sent meanwhile is kept by the systems and passes
   * after `heal`, as TCP sends again what was lost. New connections are made, and silent.
   */
  readonly cut: () => void;
  /** Connections are reset, and new ones refused. */
  readonly refuse: () => Promise<void>;
  /** Every piece passes so many milliseconds late, in each direction. */
  readonly delay: (ms: number) => void;
  /** As at the beginning; what was cut off goes on. */
  readonly heal: () => Promise<void>;
  /** Open connections of clients. */
  readonly connections: () => number;
  readonly close: () => Promise<void>;
};

type Road = { isCut: boolean; delayMs: number; readonly opened: Set<() => void> };

/** Starts a proxy to a port of the loopback address. */
export async function startProxy(targetPort: number): Promise<Proxy> {
  const road: Road = { isCut: false, delayMs: 0, opened: new Set() };
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    clients.add(client);
    client.once('close', () => clients.delete(client));
    join(road, client, target);
    join(road, target, client);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  const refuse = async () => {
    const closed = server.listening && new Promise((resolve) => server.close(resolve));
    for (const client of clients) client.resetAndDestroy();
    await closed;
  };
  const open = () => {
    road.isCut = false;
    road.delayMs = 0;
    for (const go of road.opened) go();
    road.opened.clear();
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    cut: () => {
      road.isCut = true;
    },
    refuse,
    delay: (ms) => {
      road.delayMs = ms;
    },
    heal: async () => {
      open();
      if (!server.listening) await listen(port);
    },
    connections: () => clients.size,
    close: async () => {
      open();
      await refuse();
    },
  };
}

/** Carries what one side sends to the other, and then its end; all of it stays in order, and waits while cut. */
function join(road: Road, from: Socket, to: Socket): void {
  let last = Promise.resolve();
  const pass = (action: () => void) => {
    const dueMs = performance.now() + road.delayMs;
    last = last.then(async () => {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      while (road.isCut) await new Promise<void>((resolve) => road.opened.add(resolve));
      action();
    });
  };
  from.setNoDelay(true);
  from.on('error', () => undefined);
  from.on('data', (piece) => pass(() => void to.write(piece)));
  from.once('close', () => pass(() => to.end()));
}
