import type { Trip } from '../../store.ts';
import type { RedisSettings } from '../options.ts';
import { type Connections, createConnections } from './connect.ts';
import type { Call, RedisLink } from './link.ts';
import { openNode } from './node.ts';
import { createReplication } from './replication.ts';
import { type Router, routeToOne } from './router.ts';
import { createRun } from './run.ts';
import { watchSentinels } from './sentinel-watch.ts';
import { createSubscriber } from './subscriber.ts';
import { openTopology } from './topology.ts';

export type LinkOptions = {
  /**
   * The call that proves that a node serves, such as a take from a counter of nobody: it stands in the slot of a
   * number, which is found to lie on that node. Its key begins with the keyspace's `probe(number)`.
   */
  readonly probe: (number: number) => Call;
  /** A key of the records: by its slot the node is found that has them. */
  readonly recordsKey: string;
  /** Hears of each call that was sent. */
  readonly onTrip?: ((trip: Trip) => void) | undefined;
  /** Hears what is wrong with a connection, once until something else is. */
  readonly onFailure?: ((cause: unknown) => void) | undefined;
  /** Epoch ms, for `sinceMs` of nodes. */
  readonly now?: (() => number) | undefined;
  /** How long opening waits for Redis, ms; then the link is open without it, and goes on connecting. */
  readonly openWithinMs?: number | undefined;
};

/** A link that also tells where its servers are. */
export type OpenLink = RedisLink & {
  /** For each server that has keys, a key that lies on it: what looks through all keys asks there. */
  readonly keysOfNodes: () => readonly string[];
};

const OPEN_WITHIN_MS = 3000;
/** More than it takes to meet a slot of each of a thousand servers. */
const MOST_PROBES = 100_000;
const TELL_EVERY_MS = 60_000;
const MOST_TOLD = 100;

/**
 * Opens the connections to Redis. Resolves once it serves, or without it after `openWithinMs`. Throws where the
 * settings cannot be used: a URL of another form, a TLS file that cannot be read.
 */
export async function openRedisLink(
  settings: RedisSettings,
  options: LinkOptions,
): Promise<OpenLink> {
  const connections = createConnections(settings);
  const now = options.now ?? Date.now;
  const tell = createTeller(options.onFailure);
  let onChange = () => {};
  const common = { connections, now, onFailure: tell, onTurn: () => onChange() };
  const router = settings.cluster
    ? openTopology({ ...common, probe: options.probe })
    : routeToOne(openNode({ ...common, probe: () => options.probe(0) }));
  let open: Router | undefined = router;
  const runs = { router: () => open, onTrip: options.onTrip, onFailure: tell };
  const nodeOfRecords = () => router.nodeOf(options.recordsKey);
  const subscriber = createSubscriber({
    make: () => makeSubscription(router, connections, settings.cluster),
    onFailure: tell,
  });

  const watch = watchSentinels(settings.sentinel, {
    connections,
    onSwitch: (to) => {
      for (const node of router.nodes()) node.replaced(to);
    },
    onFailure: tell,
  });

  await untilOpen(router, options.openWithinMs ?? OPEN_WITHIN_MS, (heard) => {
    onChange = heard;
  });
  return {
    run: createRun(runs, 'hot'),
    runAside: createRun(runs, 'aside'),
    redisNowMs: (key = options.recordsKey) => router.nodeOf(key)?.nowMs(),
    subscribe: subscriber.subscribe,
    isCluster: settings.cluster,
    isReplicated: createReplication(nodeOfRecords),
    nodes: () => router.nodes().map((node) => node.health()),
    keysOfNodes: () => keysOfNodes(router, options),
    close: async () => {
      open = undefined;
      watch.close();
      subscriber.close();
      router.close();
    },
  };
}

/** Waits until all nodes that are known serve, or for so long; what is handed out is to be called at each change. */
function untilOpen(
  router: Router,
  withinMs: number,
  atChange: (heard: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, withinMs);
    atChange(() => {
      const nodes = router.nodes();
      if (nodes.length === 0 || !nodes.every((node) => node.isUp())) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

function keysOfNodes(router: Router, { probe }: LinkOptions): readonly string[] {
  const keys = new Map<string, string>();
  const wanted = router.nodes().length;
  for (let number = 0; number < MOST_PROBES && keys.size < wanted; number += 1) {
    const [key = ''] = probe(number).keys;
    const node = router.nodeOf(key)?.name();
    if (node !== undefined && !keys.has(node)) keys.set(node, key);
  }
  return [...keys.values()];
}

function makeSubscription(router: Router, connections: Connections, isCluster: boolean) {
  const nodes = router.nodes().filter((node) => node.isUp());
  const node = nodes[Math.floor(Math.random() * nodes.length)];
  const address = isCluster ? node?.name() : undefined;
  const name = node?.name() ?? connections.addresses[0] ?? '';
  return { redis: connections.make('messages', address), name };
}

/** Tells what is wrong once, and again after a minute when it still is. */
function createTeller(onFailure: ((cause: unknown) => void) | undefined): (cause: unknown) => void {
  const told = new Map<string, number>();
  return (cause) => {
    const text = cause instanceof Error ? cause.message : String(cause);
    const nowMs = performance.now();
    if (nowMs - (told.get(text) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
    if (told.size >= MOST_TOLD) told.clear();
    told.set(text, nowMs);
    onFailure?.(cause);
  };
}
