import type { Connections } from './connect.ts';
import type { Call } from './link.ts';
import { openNode, type RedisNode } from './node.ts';
import { isHost, readAddress, SLOTS, type SlotRange, slotOf } from './slots.ts';

/** A node without slots, to which one is on its way, is kept so long after it was last asked. */
const SPARED_MS = 30_000;
const MOST_PROBES = 300_000;

export type ClusterNodesOptions = {
  readonly connections: Connections;
  readonly now: () => number;
  /** The call for a number; its key decides the slot. */
  readonly probe: (number: number) => Call;
  readonly onFailure: (cause: Error) => void;
  readonly onTurn: (isUp: boolean) => void;
};

/** The nodes of a Cluster that are connected, and which of them has which slot. */
export type ClusterNodes = {
  readonly all: () => readonly RedisNode[];
  readonly ofSlot: (slot: number) => RedisNode | undefined;
  /** The node at an address, connected if it was not; undefined for what is no address. */
  readonly at: (address: string) => RedisNode | undefined;
  /** The same, kept for a while although it has no slots. */
  readonly spared: (address: string) => RedisNode | undefined;
  readonly assign: (slot: number, address: string) => void;
  /** Takes a whole layout: masters that have left it are disconnected. */
  readonly take: (ranges: readonly SlotRange[]) => void;
  readonly close: () => void;
};

export function createClusterNodes(options: ClusterNodesOptions): ClusterNodes {
  const nodes = new Map<string, RedisNode>();
  const sparedAtMs = new Map<string, number>();
  let addresses: string[] = [];
  let isClosed = false;

  const at = (address: string) => {
    const known = nodes.get(address);
    if (known || isClosed || !isAddress(address)) return known;
    const probe = probesOf(options.probe, {
      hasSlots: () => addresses.includes(address),
      isOwn: (slot) => addresses[slot] === address,
    });
    const node = openNode({ ...options, address, probe });
    nodes.set(address, node);
    return node;
  };
  const isSpared = (address: string, node: RedisNode) =>
    performance.now() - (sparedAtMs.get(address) ?? Number.NEGATIVE_INFINITY) < SPARED_MS &&
    (node.isUp() || node.isComing());
  return {
    all: () => [...nodes.values()],
    ofSlot: (slot) => nodes.get(addresses[slot] ?? ''),
    at,
    spared: (address) => {
      sparedAtMs.set(address, performance.now());
      return at(address);
    },
    assign: (slot, address) => {
      addresses[slot] = address;
    },
    take: (ranges) => {
      if (isClosed) return;
      addresses = addressesOf(ranges);
      const masters = new Set(addresses);
      for (const address of masters) at(address);
      for (const [address, node] of nodes) {
        if (masters.has(address) || isSpared(address, node)) continue;
        nodes.delete(address);
        sparedAtMs.delete(address);
        node.close();
      }
    },
    close: () => {
      isClosed = true;
      for (const node of nodes.values()) node.close();
    },
  };
}

/** The address of each slot; the empty text where no master has it. */
function addressesOf(ranges: readonly SlotRange[]): string[] {
  const addresses = new Array<string>(SLOTS).fill('');
  for (const { first, last, address } of ranges) addresses.fill(address, first, last + 1);
  return addresses;
}

function isAddress(address: string): boolean {
  const { host, port } = readAddress(address);
  return isHost(host) && Number.isInteger(port) && port > 0 && port < 65_536;
}

type Slots = { readonly hasSlots: () => boolean; readonly isOwn: (slot: number) => boolean };

/** The probe of a node: the call for the first number whose key lies in a slot of it, as long as it does. */
function probesOf(
  probe: (number: number) => Call,
  { hasSlots, isOwn }: Slots,
): () => Call | undefined {
  let number = 0;
  return () => {
    // A node that is about to take over its first slot has none: to try all numbers would hold up everything.
    if (!hasSlots()) return undefined;
    for (let tried = 0; tried < MOST_PROBES; tried += 1) {
      const call = probe(number);
      if (isOwn(slotOf(call.keys[0] ?? ''))) return call;
      number = (number + 1) % MOST_PROBES;
    }
    return undefined;
  };
}
