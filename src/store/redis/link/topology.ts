import { type ClusterNodesOptions, createClusterNodes } from './cluster-nodes.ts';
import { askLayout } from './layout.ts';
import { startRounds } from './rounds.ts';
import type { Router } from './router.ts';
import { slotOf } from './slots.ts';

const LOOK_EVERY_MS = 10_000;
/** While a node does not serve another may take its place at any moment. */
const LOOK_SOON_MS = 200;
/** Slots move one after the other: each says so, and they are looked at together. */
const MOVED_MS = 20;

/**
 * Routes by the slots of a Cluster. It is asked for its layout now and then, at once when a node stops to serve or says
 * that a slot has moved, and again and again as long as one does not serve.
 */
export function openTopology(options: ClusterNodesOptions): Router {
  const nodes = createClusterNodes({
    ...options,
    onTurn: (isUp) => {
      options.onTurn(isUp);
      if (!isUp) rounds.soon(0);
    },
  });
  const rounds = startRounds(async () => {
    try {
      nodes.take(await askLayout(nodes.all(), options.connections));
      return nodes.all().every((node) => node.isUp()) ? LOOK_EVERY_MS : LOOK_SOON_MS;
    } catch (cause) {
      if (cause instanceof Error) options.onFailure(cause);
      return LOOK_SOON_MS;
    }
  });
  return {
    nodeOf: (key) => nodes.ofSlot(slotOf(key)),
    moved: (slot, address) => {
      const node = nodes.at(address);
      if (node) nodes.assign(slot, address);
      rounds.soon(MOVED_MS);
      return node;
    },
    nodeAt: nodes.spared,
    nodes: nodes.all,
    close: () => {
      rounds.close();
      nodes.close();
    },
  };
}
