import type { RedisNode } from './node.ts';

/** Which node has which key. */
export type Router = {
  /** Undefined where no node is known to serve the slot. */
  readonly nodeOf: (key: string) => RedisNode | undefined;
  /** A node said that a slot has moved; answers where to. Undefined where there are no slots. */
  readonly moved: (slot: number, address: string) => RedisNode | undefined;
  /** A node that is about to take over a slot. */
  readonly nodeAt: (address: string) => RedisNode | undefined;
  readonly nodes: () => readonly RedisNode[];
  readonly close: () => void;
};

/** One Redis, or the master that sentinels name. */
export function routeToOne(node: RedisNode): Router {
  return {
    nodeOf: () => node,
    moved: () => undefined,
    nodeAt: () => undefined,
    nodes: () => [node],
    close: node.close,
  };
}
